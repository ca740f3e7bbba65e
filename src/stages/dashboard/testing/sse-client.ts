// A viewer of /api/v1/stream, for tests.
import { type IncomingMessage, request } from 'node:http';
import { API, type LiveChange, type LiveSnapshot } from '../../../contracts/live.ts';

export interface SseMessage {
  readonly id: string | null;
  readonly event: string;
  readonly data: LiveChange & Partial<LiveSnapshot>;
}

export interface SseViewer extends Disposable {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The next message that is not a heartbeat; rejects after `timeoutMs`. */
  next(timeoutMs?: number): Promise<SseMessage>;
  /** Stops and restarts reading from the socket. */
  pause(): void;
  resume(): void;
  /** Everything that was not a message yet (an error's body). */
  rest(): string;
}

function parse(block: string): SseMessage | null {
  const field = (name: string): string | null =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2) ?? null;
  const data = field('data');
  const event = field('event');
  if (data === null || event === null || event === 'heartbeat') return null;
  return { id: field('id'), event, data: JSON.parse(data) as SseMessage['data'] };
}

/** Connects; `lastEventId` as a browser sends it after a lost connection; `query` names the scope (`?period=300`). */
export async function sseViewer(url: string, lastEventId?: string, query = ''): Promise<SseViewer> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${url}${API.stream}${query}`, { headers, agent: false }, resolve).on('error', reject).end();
  });
  const messages: SseMessage[] = [];
  let waiting: (() => void) | null = null;
  let text = '';
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('data', (part: string) => {
    const blocks = (text + part).split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const message = parse(block);
      if (message !== null) messages.push(message);
    }
    waiting?.();
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    async next(timeoutMs = 5_000) {
      const until = performance.now() + timeoutMs;
      while (messages.length === 0) {
        const leftMs = until - performance.now();
        if (leftMs <= 0) throw new Error('no message came in time');
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          waiting = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        waiting = null;
      }
      return messages.shift()!;
    },
    pause: () => response.pause(),
    resume: () => response.resume(),
    rest: () => text,
    [Symbol.dispose]: () => response.destroy(),
  };
}
