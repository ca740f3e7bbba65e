// The state in the address as signals; language, theme and currency are remembered beyond it.
import { computed, effect, signal } from '@preact/signals';
import { type Address, addressQuery, parseAddress } from './address.ts';
import { formatsOf } from './format.ts';
import { ownMerchant } from './session.ts';
import { LANGUAGES, type Language, type Texts } from './text.ts';

export type Theme = 'light' | 'dark';
type Remembered = 'lang' | 'theme' | 'currency';

/** A browser may refuse to remember; the address carries it then. */
function remembered(name: Remembered): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(name: Remembered, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // As above.
  }
}

const asked = signal<Address>(parseAddress(location.search));
addEventListener('popstate', () => {
  asked.value = parseAddress(location.search);
});

/** What the address asks for; about their merchant for somebody who sees no other, whatever it asks for. */
export const address = computed<Address>(() => {
  if (ownMerchant.value === null) return asked.value;
  return { ...asked.value, filter: { by: 'merchant', of: String(ownMerchant.value) } };
});

/** Changes the state. `step`: the back button undoes it; else it takes the place of what was. */
export function setAddress(change: Partial<Address>, step = true): void {
  const next = { ...asked.value, ...change };
  for (const name of ['lang', 'theme', 'currency'] as const) {
    if (change[name] !== undefined) remember(name, change[name]);
  }
  const query = addressQuery(next, location.search);
  if (query !== location.search) {
    const url = location.pathname + query + location.hash;
    if (step) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  }
  asked.value = next;
}

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(darkSystem.matches ? 'dark' : 'light');
darkSystem.addEventListener('change', () => {
  systemTheme.value = darkSystem.matches ? 'dark' : 'light';
});

/** Undefined: as the system has it. */
export const chosenTheme = computed<Theme | undefined>(() => {
  const chosen = address.value.theme ?? remembered('theme');
  return chosen === 'light' || chosen === 'dark' ? chosen : undefined;
});
export const theme = computed<Theme>(() => chosenTheme.value ?? systemTheme.value);
export const chosenCurrency = computed(() => address.value.currency ?? remembered('currency'));
const chosenLanguage = computed<Language>(() =>
  (address.value.lang ?? remembered('lang') ?? navigator.language).startsWith('es') ? 'es' : 'en',
);
/** null until the first language is there. */
const spoken = signal<{ readonly language: Language; readonly texts: Texts } | null>(null);

/** Resolves once the page can speak; a language that is chosen later is spoken as soon as it is there. */
export async function speak(): Promise<void> {
  const load = async (wanted: Language): Promise<void> => {
    const loaded = await LANGUAGES[wanted]();
    if (chosenLanguage.peek() === wanted) spoken.value = { language: wanted, texts: loaded };
  };
  await load(chosenLanguage.peek());
  effect(() => {
    // One that cannot be had: the page goes on in the other one.
    if (chosenLanguage.value !== spoken.peek()?.language) void load(chosenLanguage.value).catch(() => {});
  });
}

/** Nothing is shown before `speak` has resolved. */
export const language = computed<Language>(() => spoken.value!.language);
export const texts = computed<Texts>(() => spoken.value!.texts);
export const formats = computed(() => formatsOf(language.value));

/** What the document itself says of them, for as long as the page is open. */
export function followSettings(): void {
  effect(() => {
    document.documentElement.lang = language.value;
    document.title = texts.value.title;
  });
  effect(() => {
    document.documentElement.dataset['view'] = address.value.view;
  });
  effect(() => {
    if (chosenTheme.value === undefined) delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = chosenTheme.value;
  });
}
