// One connection to Redis that is made when it is needed and made anew after a fault. Whoever calls decides when to
// try again: nothing waits or retries here, so a server that is away is told at once.
import { createClient, ErrorReply } from '@redis/client';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';

/** A server that has not answered for so long is taken for gone, whatever its socket says. */
const ANSWER_MS_MAX = 3_000;

const newClient = (url: string) =>
  createClient({
    url,
    RESP: 3,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { connectTimeout: ANSWER_MS_MAX, reconnectStrategy: false },
  });

export type RedisClient = ReturnType<typeof newClient>;

export class RedisConnection {
  readonly #url: string;
  readonly #clock: Clock;
  #client: Promise<RedisClient> | null = null;
  #closed = false;

  /** `url`: redis://user:password@host:port, or rediss:// for TLS. */
  constructor(url: string, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
  }

  /**
   * Runs commands on the connection; those of several calls reach the server in the order of the calls. Rejects with a
   * retryable error when the server is away, busy or silent, with a UserError when it refuses the user or cannot serve
   * us. `waitMs`: how long the commands may block in the server.
   */
  async run<T>(action: (client: RedisClient) => Promise<T>, waitMs = 0): Promise<T> {
    if (this.#closed) throw new Error('the metrics store is closed');
    this.#client ??= this.#open();
    const opening = this.#client;
    try {
      const client = await opening;
      return await this.#inTime(action(client), waitMs + ANSWER_MS_MAX);
    } catch (error) {
      if (!(error instanceof ErrorReply)) this.#drop(opening);
      throw redisFault(error, this.#url);
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#client !== null) this.#drop(this.#client);
  }

  #open(): Promise<RedisClient> {
    const client = newClient(this.#url);
    const opening = this.#inTime(client.connect(), ANSWER_MS_MAX).then(
      () => client,
      (error) => {
        client.destroy();
        throw error;
      },
    );
    // Without a listener an error event would end the process; what is under way is rejected with the error anyhow.
    client.on('error', () => {
      if (this.#client === opening) this.#client = null;
    });
    return opening;
  }

  #drop(opening: Promise<RedisClient>): void {
    if (this.#client === opening) this.#client = null;
    opening.then(
      (client) => client.destroy(),
      () => undefined,
    );
  }

  async #inTime<T>(work: Promise<T>, timeMsMax: number): Promise<T> {
    const done = new AbortController();
    const late = this.#clock.sleep(timeMsMax, done.signal).then(() => {
      throw new Error(`no answer for ${timeMsMax} ms`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([work, late]);
    } finally {
      done.abort();
    }
  }
}

type Remedy = readonly [reply: RegExp, what: string, remedy: string];

const REMEDIES: readonly Remedy[] = [
  [
    /^(WRONGPASS|NOAUTH)|AUTH .* called without any password/,
    'refuses the user',
    'Correct the user and password: `instashop cluster up` sets both on the server it starts; INSTASHOP_SECRET_<USER>' +
      ' or a file in --secrets names the password for another.',
  ],
  [
    /NOPERM|ACL failure/,
    'refuses a command',
    'Give the user its rights: the ACL rules are in docs/08-metrics-store.md.',
  ],
  [
    /^(MOVED|CROSSSLOT|CLUSTERDOWN)/,
    'is a node of a Redis Cluster',
    'Name a single server (with replicas if you like): one script writes all keys of a batch.',
  ],
  [
    /^WRONGTYPE/,
    'holds something else under one of our keys',
    'Another program uses keys named `instashop:` or `metrics:` there: name another server or database (redis://…/1).',
  ],
  [/unknown command|^NOPROTO|Invalid stream ID/, 'is too old', 'Use Redis 7 or later, or Valkey.'],
];

/** Replies of a server that is starting, busy, full or not the master at the moment. */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|READONLY|OOM|MISCONF|NOREPLICAS|TRYAGAIN|UNKILLABLE)/;

function redisFault(error: unknown, url: string): unknown {
  if (!(error instanceof Error)) return error;
  const server = `Redis at ${new URL(url).host}`;
  if (error instanceof ErrorReply && !PASSING.test(error.message)) {
    const found = REMEDIES.find(([reply]) => reply.test(error.message));
    return found ? new UserError(`${server} ${found[1]}: ${error.message}`, found[2]) : error;
  }
  const what = error instanceof ErrorReply ? 'cannot serve now' : 'is away';
  return Object.assign(new Error(`${server} ${what}: ${error.message}`, { cause: error }), {
    retryable: true,
  });
}
