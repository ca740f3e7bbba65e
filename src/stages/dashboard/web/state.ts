// What the page shows: signals, and nothing else that changes.
import { batch, computed, effect, signal } from '@preact/signals';
import { scopeQuery } from '../../../contracts/live.ts';
import { liveScope } from './address.ts';
import { followAlerts } from './alerts.ts';
import { followFeed } from './feed.ts';
import { changed, fromSnapshot, type Model } from './model.ts';
import { followPeople, readPeople } from './people.ts';
import { followReconciliation } from './reconciliation.ts';
import { checkSession, ownMerchant } from './session.ts';
import { address, chosenCurrency, setAddress } from './settings.ts';
import { type Connection, openStream } from './stream.ts';
import { currenciesOf, isBehind, viewOf } from './view.ts';
import { followWarehouse, readWarehouse } from './warehouse.ts';

/** Numbers that change faster than this cannot be read. */
const PAINT_MS = 100;
const AGES_MS = 500;

export const paused = computed(() => address.value.paused);
/** Messages that came while the page stood still. */
export const held = signal(0);
/** The newest model is kept while the page stands still, and is shown when it goes on. */
let newest: Model | null = null;
let heldNow = 0;
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

/** Of the server; undefined before its first word. */
export const version = computed(() => model.value?.version);
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
/** What is shown is not what was chosen: its snapshot is on the way. */
export const isWaiting = computed(
  () => model.value !== null && scopeQuery(model.value.scope) !== scopeQuery(liveScope(address.value)),
);

let paintTimer: ReturnType<typeof setTimeout> | undefined;
let lastPaintAt = Number.NEGATIVE_INFINITY;

function paint(): void {
  clearTimeout(paintTimer);
  paintTimer = undefined;
  lastPaintAt = performance.now();
  batch(() => {
    // Without news, time does not pass either: windows that nobody counted would look empty.
    paintedAt.value = connection.value === 'live' ? serverNow() : (newest?.serverTime ?? 0);
    model.value = newest;
    held.value = heldNow = 0;
  });
}

/** Paints at once if the last paint is long ago, else when PAINT_MS have passed. Not while paused or out of sight. */
function paintSoon(): void {
  if (paintTimer !== undefined || paused.value || document.hidden) return;
  const waitMs = lastPaintAt + PAINT_MS - performance.now();
  if (waitMs <= 0) paint();
  else paintTimer = setTimeout(() => (paused.value || document.hidden ? undefined : paint()), waitMs);
}

const heardTime = (serverTime: number): void => {
  clockAheadMs = Math.min(clockAheadMs, Date.now() - serverTime);
};

function goOn(): void {
  now.value = serverNow();
  paint();
  void readWarehouse(serverNow());
  void readPeople();
}

export function togglePause(): void {
  setAddress({ paused: !paused.value }, false);
}

/** The space bar stops and goes on, wherever it has no meaning of its own. */
function onKey(event: KeyboardEvent): void {
  const target = event.target as Element;
  if (event.key === 'Escape' && address.peek().view === 'kiosk') setAddress({ view: 'page' });
  const own = 'a, button, input, select, textarea, summary, [contenteditable]';
  if (event.key !== ' ' || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (target.closest(own) !== null) return;
  event.preventDefault();
  togglePause();
}

function openLive(): void {
  const stream = openStream(scopeQuery(liveScope(address.peek())), {
    snapshot(snapshot) {
      // A server of another version may speak of what this page does not know.
      if (newest !== null && newest.version !== snapshot.version) location.reload();
      clockAheadMs = Date.now() - snapshot.server_time;
      newest = fromSnapshot(snapshot);
      // Whoever chooses something else while the page stands still wants to see it, as of then.
      if (!paused.value || isWaiting.value || model.value === null) {
        now.value = serverNow();
        paint();
      }
    },
    change(change) {
      heardTime(change.server_time);
      if (newest !== null) newest = changed(newest, change);
      if (paused.value) heldNow += 1;
      paintSoon();
    },
    heartbeat: ({ server_time }) => heardTime(server_time),
    connection(next) {
      if (next === 'live' && connection.value === 'offline') void readWarehouse(serverNow());
      // The server may be away; or it may be there, and the session over.
      if (next === 'offline') void checkSession();
      connection.value = next;
    },
  });
  let asked = scopeQuery(liveScope(address.peek()));
  effect(() => {
    const query = scopeQuery(liveScope(address.value));
    if (query === asked) return;
    asked = query;
    stream.ask(query);
  });
}

/** Starts everything that goes on for as long as the page is open. */
export function start(): void {
  let wasPaused = paused.peek();
  effect(() => {
    if (wasPaused && !paused.value) goOn();
    wasPaused = paused.value;
  });
  addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !paused.value) goOn();
  });
  openLive();
  followWarehouse(serverNow);
  followPeople();
  if (ownMerchant.peek() === null) {
    followReconciliation();
    followAlerts();
  }
  followFeed();
  setInterval(() => {
    if (document.hidden) return;
    if (paused.value) {
      held.value = heldNow;
      return;
    }
    now.value = serverNow();
    // Windows pass without events too.
    paintSoon();
  }, AGES_MS);
}
