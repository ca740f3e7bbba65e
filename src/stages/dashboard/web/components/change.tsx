import { formats, texts } from '../settings.ts';

/** How a figure of closed windows stands to the same windows before; nothing where nothing is compared. */
export function Change({ of, than }: { of: readonly [now: number, before: number] | null; than: string }) {
  if (of === null) return null;
  const t = texts.value;
  const [now, before] = of;
  if (before === 0) return <span class="change">{now === 0 ? t.asBefore(than) : t.nothingBefore(than)}</span>;
  const ratio = now / before - 1;
  const way = ratio > 0.0005 ? 'up' : ratio < -0.0005 ? 'down' : 'same';
  return (
    <span class="change" data-way={way}>
      <strong>{formats.value.change(ratio)}</strong> {than}
    </span>
  );
}

/** Of the average, from the sums. */
export const averages = (
  minor: readonly [number, number] | undefined,
  count: readonly [number, number] | undefined,
): readonly [number, number] | null => {
  if (minor === undefined || count === undefined || count[0] === 0 || count[1] === 0) return null;
  return [minor[0] / count[0], minor[1] / count[1]];
};
