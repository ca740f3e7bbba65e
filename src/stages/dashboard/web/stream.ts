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

export interface Stream {
  /** Asks for something else from now on: a snapshot of it follows. */
  ask(query: string): void;
}

/** Opens the stream of a scope (its query) and keeps it open for as long as the page lives. */
export function openStream(query: string, handlers: StreamHandlers): Stream {
  let source: EventSource | null = null;
  let heardAt = performance.now();
  let retryMs = RECONNECT_MS_MIN;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let connection: Connection = 'connecting';
  let wanted = query;

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
    const from = source;
    from?.addEventListener(event, (message) => {
      // What a closed stream had still under way belongs to another scope.
      if (from !== source) return;
      handle(JSON.parse((message as MessageEvent<string>).data) as T);
      heard();
    });
  };

  const open = (): void => {
    source?.close();
    clearTimeout(retryTimer);
    source = new EventSource(`${API.stream}?${wanted}`);
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
    const asked = wanted;
    asking = true;
    if (connection !== 'offline') become('stale');
    try {
      const response = await fetch(`${API.snapshot}?${asked}`, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(response.statusText);
      const snapshot = (await response.json()) as LiveSnapshot;
      if (asked === wanted) handlers.snapshot(snapshot);
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
  return {
    ask(next) {
      wanted = next;
      open();
    },
  };
}
