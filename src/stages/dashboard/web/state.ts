// The page's own state: signals, and nothing else that changes.
import { batch, computed, effect, signal } from '@preact/signals';
import { API, type LiveHistory } from '../../../contracts/live.ts';
import { formatsOf } from './format.ts';
import { fromSnapshot, type Model, withChange } from './model.ts';
import { type Connection, openStream } from './stream.ts';
import { type Language, TEXTS } from './text.ts';
import { currenciesOf, isBehind, viewOf } from './view.ts';

/** Numbers that change faster than this cannot be read. */
const PAINT_MS = 100;
const AGES_MS = 500;
const HISTORY_MS = 30_000;

export type Theme = 'light' | 'dark';
const THEMES: readonly string[] = ['light', 'dark'] satisfies Theme[];
const REMEMBERED = ['lang', 'theme', 'currency'] as const;
type Setting = (typeof REMEMBERED)[number];

/** From the address, else as remembered, else undefined. A browser may refuse to remember. */
function setting(name: Setting): string | undefined {
  const given = new URLSearchParams(location.search).get(name);
  if (given !== null) return given;
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(name: Setting, value: string | undefined): void {
  if (value === undefined) return;
  const url = new URL(location.href);
  url.searchParams.set(name, value);
  history.replaceState(null, '', url);
  try {
    localStorage.setItem(name, value);
  } catch {
    // The address carries it.
  }
}

const firstLanguage = (): Language => {
  const wanted = setting('lang') ?? navigator.language;
  return wanted.startsWith('es') ? 'es' : 'en';
};

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(darkSystem.matches ? 'dark' : 'light');
darkSystem.addEventListener('change', () => {
  systemTheme.value = darkSystem.matches ? 'dark' : 'light';
});
const chosenTheme = signal<Theme | undefined>(
  THEMES.includes(setting('theme') ?? '') ? (setting('theme') as Theme) : undefined,
);
const chosenCurrency = signal<string | undefined>(setting('currency'));

export const language = signal<Language>(firstLanguage());
export const texts = computed(() => TEXTS[language.value]);
export const formats = computed(() => formatsOf(language.value));
export const theme = computed<Theme>(() => chosenTheme.value ?? systemTheme.value);

export const paused = signal(false);
/** The newest model is kept while the page stands still, and is shown when it goes on. */
let newest: Model | null = null;
/** Our clock minus the server's, as small as any message showed it: what is left is the way here. */
let clockAheadMs = Number.POSITIVE_INFINITY;
export const serverNow = (): number => Date.now() - (Number.isFinite(clockAheadMs) ? clockAheadMs : 0);

export const connection = signal<Connection>('connecting');
/** What is shown. */
export const model = signal<Model | null>(null);
/** The server's time at the last paint. */
export const paintedAt = signal(0);
/** The server's time, for ages; stands still while paused. */
export const now = signal(0);
export const warehouse = signal<LiveHistory | null>(null);
export const warehouseDown = signal(false);

export const currencies = computed(() => (model.value === null ? [] : currenciesOf(model.value)));
/** The chosen currency if it has sales, else the main one. */
export const currency = computed(() => {
  const chosen = chosenCurrency.value;
  if (chosen !== undefined && currencies.value.includes(chosen)) return chosen;
  return currencies.value[0] ?? model.value?.mainCurrency ?? 'USD';
});
export const view = computed(() =>
  model.value === null ? null : viewOf(model.value, currency.value, paintedAt.value),
);
export const state = computed(() => {
  if (paused.value) return 'paused';
  if (connection.value !== 'live' || model.value === null) return connection.value;
  return isBehind(model.value) ? 'behind' : 'live';
});

let paintTimer: ReturnType<typeof setTimeout> | undefined;
let lastPaintAt = Number.NEGATIVE_INFINITY;

function paint(): void {
  paintTimer = undefined;
  if (paused.value) return;
  lastPaintAt = performance.now();
  batch(() => {
    // Without news, time does not pass either: windows that nobody counted would look empty.
    paintedAt.value = connection.value === 'live' ? serverNow() : (newest?.serverTime ?? 0);
    model.value = newest;
  });
}

/** Paints at once if the last paint is long ago, else when PAINT_MS have passed. */
function paintSoon(): void {
  if (paintTimer !== undefined || paused.value) return;
  const waitMs = lastPaintAt + PAINT_MS - performance.now();
  if (waitMs <= 0) paint();
  else paintTimer = setTimeout(paint, waitMs);
}

const heardTime = (serverTime: number): void => {
  clockAheadMs = Math.min(clockAheadMs, Date.now() - serverTime);
};

async function readHistory(): Promise<void> {
  if (paused.value) return;
  try {
    const response = await fetch(`${API.history}?hours=24`, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(response.statusText);
    warehouse.value = (await response.json()) as LiveHistory;
    warehouseDown.value = false;
  } catch {
    warehouseDown.value = true;
  }
}

export function togglePause(): void {
  paused.value = !paused.value;
  if (paused.value) return;
  now.value = serverNow();
  paint();
  void readHistory();
}

export function setLanguage(next: Language): void {
  language.value = next;
  remember('lang', next);
}

export function toggleTheme(): void {
  chosenTheme.value = theme.value === 'dark' ? 'light' : 'dark';
  remember('theme', chosenTheme.value);
}

export function setCurrency(next: string): void {
  chosenCurrency.value = next;
  remember('currency', next);
}

/** Starts everything that goes on for as long as the page is open. */
export function start(): void {
  effect(() => {
    document.documentElement.lang = language.value;
    document.title = texts.value.title;
  });
  effect(() => {
    if (chosenTheme.value !== undefined) document.documentElement.dataset['theme'] = chosenTheme.value;
  });
  openStream({
    snapshot(snapshot) {
      // A server of another version may speak of what this page does not know.
      if (newest !== null && newest.version !== snapshot.version) location.reload();
      clockAheadMs = Date.now() - snapshot.server_time;
      newest = fromSnapshot(snapshot);
      if (!paused.value) now.value = serverNow();
      paintSoon();
    },
    change(change) {
      heardTime(change.server_time);
      if (newest !== null) newest = withChange(newest, change);
      paintSoon();
    },
    heartbeat: ({ server_time }) => heardTime(server_time),
    connection(next) {
      if (next === 'live' && connection.value === 'offline') void readHistory();
      connection.value = next;
    },
  });
  setInterval(() => {
    if (paused.value) return;
    now.value = serverNow();
    // Windows pass without events too.
    paintSoon();
  }, AGES_MS);
  void readHistory();
  setInterval(() => void readHistory(), HISTORY_MS);
}
