/** The stages, in flow order. */
export const STAGE_NAMES = [
  'generator',
  'capture',
  'enrichment',
  'loader',
  'metrics',
  'publisher',
  'dashboard',
] as const;

export type StageName = (typeof STAGE_NAMES)[number];
