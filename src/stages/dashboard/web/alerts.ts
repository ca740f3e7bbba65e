// What the server's rules found, asked again and again: it is judged once a window.
import { signal } from '@preact/signals';
import type { LiveAlerts } from '../../../contracts/alerts.ts';
import { API } from '../../../contracts/live.ts';

const AGAIN_MS = 10_000;
const TIMEOUT_MS = 5_000;

/** null before the server's first answer. */
export const alerts = signal<LiveAlerts | null>(null);

async function read(): Promise<void> {
  try {
    if (!document.hidden) {
      const response = await fetch(API.alerts, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) alerts.value = (await response.json()) as LiveAlerts;
    }
  } catch {
    // The connection's state says that the server is away.
  }
  setTimeout(read, AGAIN_MS);
}

/** Goes on for as long as the page is open. */
export const followAlerts = (): void => void read();
