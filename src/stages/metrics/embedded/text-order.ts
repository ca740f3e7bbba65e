// The order of texts by whole characters (code points), which is that of their UTF-8 bytes: the same in every engine.

/** Surrogates stand for characters beyond U+FFFF: after all that have one unit. */
const rank = (unit: number): number =>
  unit < 0xd8_00 ? unit : unit < 0xe0_00 ? unit + 0x20_00 : unit - 0x8_00;

/** Whether `text` comes after `than`; everything comes after null. */
export function isGreater(text: string, than: string | null): boolean {
  if (than === null) return true;
  if (text === than) return false;
  const length = Math.min(text.length, than.length);
  for (let i = 0; i < length; i++) {
    const [a, b] = [text.charCodeAt(i), than.charCodeAt(i)];
    if (a !== b) return rank(a) > rank(b);
  }
  return text.length > than.length;
}
