// Tells an address of the operator's when an alert begins and ends.
import type { LiveAlert, LiveAlerts } from '../../../contracts/alerts.ts';
import type { Clock } from '../../../lib/clock.ts';

const TIMEOUT_MS = 5_000;
/** After a failure it is tried again after these waits, then given up and counted. */
const WAITS_MS = [1_000, 5_000, 30_000];
/** More than this waiting is given up, oldest first. */
const WAITING_MAX = 100;

export interface Webhook {
  /** Returns at once; messages go one after the other. */
  tell(what: 'begins' | 'ends', alert: LiveAlert): void;
  counts(): NonNullable<LiveAlerts['webhook']>;
  /** Sends what waits until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** POSTs `{"event": "begins" | "ends", "text": one line, "alert": LiveAlert}` as JSON; any 2xx is an answer. */
export function webhook(url: string, clock: Clock): Webhook {
  const waiting: string[] = [];
  let [sent, failed]: [number, number] = [0, 0];
  let lastError: string | null = null;
  let woken = Promise.withResolvers<void>();

  const post = async (body: string, signal: AbortSignal): Promise<void> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the webhook answers ${response.status}`);
  };

  const send = async (body: string, signal: AbortSignal): Promise<void> => {
    for (const waitMs of [...WAITS_MS, null]) {
      try {
        await post(body, signal);
        sent++;
        return;
      } catch (error) {
        if (signal.aborted) return;
        // Its address may hold a secret: only what went wrong is told.
        lastError = ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message;
        if (waitMs !== null) await clock.sleep(waitMs, signal);
      }
    }
    failed++;
  };

  return {
    tell(what, alert) {
      waiting.push(JSON.stringify({ event: what, text: textOf(what, alert), alert }));
      while (waiting.length > WAITING_MAX) {
        waiting.shift();
        failed++;
      }
      woken.resolve();
    },
    counts: () => ({ sent, failed, last_error: lastError }),
    async run(signal) {
      const ended = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      while (!signal.aborted) {
        const body = waiting.shift();
        if (body !== undefined) {
          await send(body, signal);
          continue;
        }
        woken = Promise.withResolvers();
        await Promise.race([woken.promise, ended]);
      }
    },
  };
}

const shown = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 2 });

/** One line of English: chat services show it as it is. */
function textOf(what: 'begins' | 'ends', alert: LiveAlert): string {
  const { rule, figure, minutes, kind, value, bound, explained } = alert;
  if (what === 'ends') return `${rule}: over.`;
  const than = kind === 'expected' ? `about ${shown(bound)} expected` : `${kind} ${shown(bound)}`;
  const most =
    explained === null ? '' : ` ${explained.category} moved most (${shown(explained.change)} in revenue).`;
  return `${rule}: ${figure.replace('_', ' ')} ${shown(value)} in ${minutes} min, ${than}.${most}`;
}
