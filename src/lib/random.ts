/** A seeded source of randomness: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [from, to], both included. */
  int(from: number, to: number): number;
  /** One element, uniformly. */
  pick<T>(from: readonly T[]): T;
  /** One element by weight; weights need not sum to 1. */
  weighted<T>(from: readonly (readonly [T, number])[]): T;
  /** A source of its own, fixed by this one's seed and the name, whatever was drawn before. */
  fork(name: string): Random;
}

/** FNV-1a, 32 bit (Fowler, Noll, Vo): spreads a name into a seed. */
const hash32 = (text: string, seed: number): number => {
  let hash = seed ^ 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/** sfc32 of PractRand (Chris Doty-Humphrey, public domain): small, fast, 128 bits of state. */
export function seededRandom(seed: string | number): Random {
  const name = String(seed);
  let a = hash32(name, 1);
  let b = hash32(name, 2);
  let c = hash32(name, 3);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    next,
    int: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: (from) => from[Math.floor(next() * from.length)]!,
    weighted(from) {
      let left = next() * from.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of from) {
        left -= weight;
        if (left < 0) return value;
      }
      return from.at(-1)![0];
    },
    fork: (child) => seededRandom(`${name}/${child}`),
  };
}
