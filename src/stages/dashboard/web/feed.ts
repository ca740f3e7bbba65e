// The latest sales: asked again and again, and at once for another merchant.
import { computed, effect, signal } from '@preact/signals';
import type { LiveFeed } from '../../../contracts/feed.ts';
import { API } from '../../../contracts/live.ts';
import { address } from './settings.ts';

const AGAIN_MS = 2_000;
const TIMEOUT_MS = 5_000;

/** null before the first answer. */
export const feed = signal<LiveFeed | null>(null);

const question = computed(() => {
  const { filter } = address.value;
  return filter?.by === 'merchant' ? `${API.feed}?customer_id=${filter.of}` : API.feed;
});
let timer: ReturnType<typeof setTimeout> | undefined;

async function read(): Promise<void> {
  clearTimeout(timer);
  const asked = question.peek();
  const { paused, view } = address.peek();
  try {
    if (!document.hidden && !paused && view === 'page') {
      const response = await fetch(asked, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const answer = response.ok ? ((await response.json()) as LiveFeed) : null;
      if (asked === question.peek() && answer !== null) feed.value = answer;
    }
  } catch {
    // What was there stays, with its times.
  }
  clearTimeout(timer);
  timer = setTimeout(read, AGAIN_MS);
}

/** Goes on for as long as the page is open. */
export function followFeed(): void {
  effect(() => {
    void question.value;
    void read();
  });
}
