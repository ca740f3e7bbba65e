import { en } from './text-en.ts';
import { es } from './text-es.ts';

export type Texts = typeof en;
export const TEXTS = { en, es } as const;
export type Language = keyof typeof TEXTS;
