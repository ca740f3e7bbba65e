import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LiveChange, LiveHeartbeat, LiveScope, LiveSnapshot } from '../../../contracts/live.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { LiveModel } from './live-model.ts';

/** Shortest time between two messages; a change after a longer pause leaves at once. */
const TICK_MS = 20;
/** A tick that took t ms of work is followed by at least this many times t of rest: fan-out stays a small share. */
const REST_FACTOR = 10;
/** Streams of one address and of one user, where viewers have such. */
const PER_ADDRESS_MAX = 100;
const PER_USER_MAX = 20;
/** A viewer that took nothing for this long is let go; its browser reconnects. */
const STALLED_MS = 60_000;
const CLIENTS_MAX = 1_000;
const RETRY_MS = 1_000;
/** Different starting points served per tick; viewers beyond them share a snapshot. */
const CATCH_UPS_MAX = 32;

/** Whose stream it is. */
export interface StreamOwner {
  /** What it counts for beside the total; null: nothing. */
  readonly address: string | null;
  readonly user: string | null;
  /** Looked at with every heartbeat: the stream ends when it says no. */
  isAllowed(): boolean;
}

interface Client {
  readonly response: ServerResponse;
  readonly owner: StreamOwner;
  readonly scope: LiveScope;
  /** The scope's name: viewers with the same one get the same bytes. */
  readonly scopeName: string;
  /** The newest tick it was sent. */
  seq: number;
  /** Since when its socket is full; null while it takes what it is given. */
  blockedAt: number | null;
}

export interface SseCounts {
  clients: number;
  messages: number;
  bytes: number;
  /** Refused because too many were connected, in all or of one address or user. */
  refused: number;
  /** Times that a slow viewer was given the newest values instead of every message. */
  collapsed: number;
  /** Viewers let go because they took nothing. */
  stalled: number;
}

export interface StreamRequest {
  readonly scope: LiveScope;
  /** Goes on from there if that is known; it is of the same scope. */
  readonly lastEventId: string | undefined;
  readonly owner: StreamOwner;
}

export type TooMany = 'in all' | 'of this address' | 'of this user';

export interface SseHub {
  /** Takes over the response and streams what is in the scope to it; or says of what there are too many. */
  connect(request: IncomingMessage, response: ServerResponse, asked: StreamRequest): TooMany | null;
  /** Says that the model changed: a message follows within TICK_MS (or later under load). */
  changed(): void;
  /**
   * Says to everyone that the server is there, and lets go who stalls or may no longer look. Call it each HEARTBEAT_MS.
   */
  heartbeat(): void;
  readonly counts: SseCounts;
  /** Ends all streams. */
  close(): void;
}

export interface SseHubOptions {
  readonly model: LiveModel;
  readonly clock: Clock;
  /** What a snapshot says beside the model's content. */
  readonly about: Omit<LiveSnapshot, keyof LiveChange | 'scope'>;
  readonly clientsMax?: number;
  readonly perAddressMax?: number;
  readonly perUserMax?: number;
}

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  // The body ends with the connection: no chunk framing, so every socket is handed the very same bytes.
  connection: 'close',
} as const;

const frame = (event: string, id: string | null, data: LiveChange | LiveSnapshot | LiveHeartbeat): Buffer =>
  Buffer.from(`${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

/** Fans the model's changes out: one message a tick, serialized once, the same bytes for every viewer. */
export function sseHub(options: SseHubOptions): SseHub {
  const { model, clock, about, clientsMax = CLIENTS_MAX } = options;
  const { perAddressMax = PER_ADDRESS_MAX, perUserMax = PER_USER_MAX } = options;
  const clients = new Set<Client>();
  const counts: SseCounts = { clients: 0, messages: 0, bytes: 0, refused: 0, collapsed: 0, stalled: 0 };
  const stopped = new AbortController();
  // Ids of another run of the server mean nothing here, and its viewers get a snapshot.
  const epoch = clock.now().toString(36);
  let scheduled = false;
  let notBefore = 0;
  let catchUps = new Map<string, Buffer>();
  let catchUpsOf = -1;

  /** The bytes that bring a viewer from its tick to now: made once for all viewers of the scope who stand there. */
  const catchUp = ({ seq: clientSeq, scope, scopeName }: Client): Buffer => {
    const seq = model.seq();
    if (catchUpsOf !== seq) {
      catchUps = new Map();
      catchUpsOf = seq;
    }
    const keyOf = (from: number): string => `${from}/${scopeName}`;
    const isKnown = catchUps.has(keyOf(clientSeq)) || clientSeq === seq - 1;
    const from = isKnown || catchUps.size < CATCH_UPS_MAX ? clientSeq : 0;
    let bytes = catchUps.get(keyOf(from));
    if (bytes === undefined) {
      const change: LiveChange = { server_time: clock.now(), ...model.since(from, scope) };
      const id = `${epoch}-${seq}`;
      bytes =
        from === 0 ? frame('snapshot', id, { ...about, scope, ...change }) : frame('change', id, change);
      catchUps.set(keyOf(from), bytes);
    }
    return bytes;
  };

  const send = (client: Client, bytes: Buffer): void => {
    counts.messages += 1;
    counts.bytes += bytes.length;
    if (!client.response.write(bytes)) client.blockedAt = clock.now();
  };

  const drained = (client: Client): void => {
    client.blockedAt = null;
    if (client.seq === model.seq()) return;
    const bytes = catchUp(client);
    client.seq = model.seq();
    counts.collapsed += 1;
    send(client, bytes);
  };

  const tick = (): void => {
    scheduled = false;
    const startedAt = clock.now();
    if (stopped.signal.aborted || !model.advance()) return;
    const seq = model.seq();
    for (const client of clients) {
      if (client.blockedAt !== null) continue;
      send(client, catchUp(client));
      client.seq = seq;
    }
    const now = clock.now();
    notBefore = now + Math.max(TICK_MS, REST_FACTOR * (now - startedAt));
  };

  const tickOf = (id: string | undefined): number => {
    const [ofEpoch, seq] = (id ?? '').split('-');
    const known = ofEpoch === epoch && /^\d{1,15}$/.test(seq ?? '') ? Number(seq) : 0;
    return known <= model.seq() ? known : 0;
  };

  const tooMany = ({ address, user }: StreamOwner): TooMany | null => {
    if (clients.size >= clientsMax || stopped.signal.aborted) return 'in all';
    const isFull = (max: number, same: (owner: StreamOwner) => boolean): boolean =>
      [...clients].filter(({ owner }) => same(owner)).length >= max;
    if (address !== null && isFull(perAddressMax, (owner) => owner.address === address))
      return 'of this address';
    if (user !== null && isFull(perUserMax, (owner) => owner.user === user)) return 'of this user';
    return null;
  };

  return {
    counts,
    connect(request, response, { scope, lastEventId, owner }) {
      const why = tooMany(owner);
      if (why !== null) {
        counts.refused += 1;
        return why;
      }
      request.socket.setNoDelay(true);
      request.socket.setTimeout(0);
      response.removeHeader('transfer-encoding');
      response.writeHead(200, HEADERS);
      const seq = tickOf(lastEventId);
      const scopeName = JSON.stringify(scope);
      const client: Client = { response, owner, scope, scopeName, seq, blockedAt: null };
      response.on('drain', () => drained(client));
      response.on('error', () => response.destroy());
      response.on('close', () => {
        clients.delete(client);
        counts.clients = clients.size;
      });
      clients.add(client);
      counts.clients = clients.size;
      response.write(`retry: ${RETRY_MS}\n\n`);
      const bytes = catchUp(client);
      client.seq = model.seq();
      send(client, bytes);
      return null;
    },
    changed() {
      if (scheduled) return;
      scheduled = true;
      const waitMs = notBefore - clock.now();
      if (waitMs <= 0) queueMicrotask(tick);
      else void clock.sleep(waitMs, stopped.signal).then(tick);
    },
    heartbeat() {
      const now = clock.now();
      const bytes = frame('heartbeat', null, { server_time: now });
      for (const client of clients) {
        if (!client.owner.isAllowed()) client.response.destroy();
        else if (client.blockedAt === null) send(client, bytes);
        else if (now - client.blockedAt > STALLED_MS) {
          counts.stalled += 1;
          client.response.destroy();
        }
      }
    },
    close() {
      stopped.abort();
      for (const client of clients) client.response.end();
    },
  };
}
