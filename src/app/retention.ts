import type { Options } from './options.ts';

const DAY_MS = 86_400_000;

/** How long, and how much of a topic, the log keeps, in ms and bytes. */
export const retentionOf = ({ retention, retentionSize }: Pick<Options, 'retention' | 'retentionSize'>) => ({
  retentionMs: retention * DAY_MS,
  retentionBytes: retentionSize * 2 ** 30,
});
