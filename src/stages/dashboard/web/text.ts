import type { en } from './text-en.ts';

export type Texts = typeof en;
export type Language = 'en' | 'es';

/** Each language is a file of its own: nobody reads two at once. */
export const LANGUAGES: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => (await import('./text-en.ts')).en,
  es: async () => (await import('./text-es.ts')).es,
};
