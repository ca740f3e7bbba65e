// Shop = log = warehouse = windows: compared now and then, and when an operator asks for it.
import type { LiveReconciliation, LiveReplay, LiveReport } from '../../../contracts/reconciliation.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';

/** What an operator can have done from the page. Each rejects with an error whose message a person can use. */
export interface Operations {
  /** Compares all places at one cut, while everything runs. Reads the whole log, so it takes its time. */
  verify(signal: AbortSignal): Promise<LiveReport>;
  /** Sends all dead letters again that can be helped so. */
  replay(signal: AbortSignal): Promise<LiveReplay>;
}

/** After the start the pipeline has better things to do. */
const FIRST_MS = 60_000;
/** A comparison that takes long is made more seldom: it has this share of the time at most. */
const SHARE_MAX = 1 / 20;
const LOOK_MS = 1_000;

export interface Reconciler {
  current(): LiveReconciliation;
  /** Asks for a comparison now. Returns at once; false when one is under way, or none can be made here. */
  request(): boolean;
  replay(): Promise<LiveReplay>;
  /** Compares when it is time, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ReconcilerOptions {
  /** null: this process has no right to. */
  readonly operations: Operations | null;
  /** At least so long from one comparison to the next; 0: only on request. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps the last comparison. A failed one is told, and tried again at its next time. */
export function reconciler({ operations, everyMs, clock, log }: ReconcilerOptions): Reconciler {
  let [last, fault]: [LiveReport | null, string | null] = [null, null];
  let isRunning = false;
  let isAsked = false;
  let dueAt = everyMs === 0 ? Number.POSITIVE_INFINITY : clock.now() + Math.min(FIRST_MS, everyMs);
  let ending = AbortSignal.abort();

  const compare = async (signal: AbortSignal): Promise<void> => {
    isRunning = true;
    isAsked = false;
    const since = clock.now();
    try {
      last = await operations!.verify(signal);
      fault = null;
      if (last.verdict === 'differ') log.error('the places differ: instashop status --verify tells where');
    } catch (error) {
      if (signal.aborted) return;
      fault = (error as Error).message;
      log.warn('the places could not be compared', { error: fault });
    } finally {
      isRunning = false;
      if (everyMs > 0) dueAt = clock.now() + Math.max(everyMs, (clock.now() - since) / SHARE_MAX);
    }
  };

  return {
    current() {
      const idle = everyMs === 0 ? 'off' : 'waiting';
      if (operations === null) return { state: 'unavailable', message: null, last };
      if (isRunning || isAsked) return { state: 'running', message: null, last };
      return { state: fault === null ? idle : 'unavailable', message: fault, last };
    },
    request() {
      if (operations === null || isRunning || isAsked) return false;
      isAsked = true;
      return true;
    },
    async replay() {
      if (operations === null) throw new Error('nothing can be sent again from here');
      const done = await operations.replay(ending);
      isAsked ||= !isRunning;
      return done;
    },
    async run(signal) {
      ending = signal;
      while (!signal.aborted && operations !== null) {
        if (isAsked || clock.now() >= dueAt) await compare(signal);
        else await clock.sleep(LOOK_MS, signal);
      }
    },
  };
}
