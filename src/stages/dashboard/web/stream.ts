// The page's side of /api/v1/stream: connect, notice silence by itself, ask anew.
import {
  API,
  type LiveChange,
  type LiveHeartbeat,
  type LiveSnapshot,
  STALE_AFTER_MS,
} from '../../../contracts/live.ts';

export type Connection = 'connecting' | 'live' | 'stale' | 'offline';

export interface StreamHandlers {
  readonly snapshot: (snapshot: LiveSnapshot) => void;
  readonly change: (change: LiveChange) => void;
  readonly heartbeat: (heartbeat: LiveHeartbeat) => void;
  readonly connection: (connection: Connection) => void;
}

const RECONNECT_MS_MIN = 1_000;
const RECONNECT_MS_MAX = 10_000;
const WATCH_MS = 1_000;

/** Opens the stream and keeps it open for as long as the page lives. */
export function openStream(handlers: StreamHandlers): void {
  let source: EventSource | null = null;
  let heardAt = performance.now();
  let retryMs = RECONNECT_MS_MIN;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let connection: Connection = 'connecting';

  const become = (next: Connection): void => {
    connection = next;
    handlers.connection(next);
  };

  const heard = (): void => {
    heardAt = performance.now();
    retryMs = RECONNECT_MS_MIN;
    become('live');
  };

  const on = <T>(event: string, handle: (data: T) => void): void => {
    source?.addEventListener(event, (message) => {
      handle(JSON.parse((message as MessageEvent<string>).data) as T);
      heard();
    });
  };

  const open = (): void => {
    source?.close();
    clearTimeout(retryTimer);
    source = new EventSource(API.stream);
    on<LiveSnapshot>('snapshot', handlers.snapshot);
    on<LiveChange>('change', handlers.change);
    on<LiveHeartbeat>('heartbeat', handlers.heartbeat);
    source.addEventListener('error', () => {
      become('offline');
      // The browser tries again by itself, except after an answer that is no stream (503, say).
      if (source?.readyState !== EventSource.CLOSED) return;
      retryTimer = setTimeout(open, retryMs);
      retryMs = Math.min(retryMs * 2, RECONNECT_MS_MAX);
    });
  };

  const askAnew = async (): Promise<void> => {
    asking = true;
    if (connection !== 'offline') become('stale');
    try {
      const response = await fetch(API.snapshot, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(response.statusText);
      handlers.snapshot((await response.json()) as LiveSnapshot);
      heardAt = performance.now();
      open();
    } catch {
      become('offline');
    } finally {
      asking = false;
    }
  };

  become('connecting');
  open();
  // A dead connection can look alive for minutes, so silence is judged here. Also after the machine slept.
  setInterval(() => {
    if (!asking && performance.now() - heardAt > STALE_AFTER_MS) void askAnew();
  }, WATCH_MS);
}
