// Whether the places agree, as the server last found it; and what an operator has it do.
import { signal } from '@preact/signals';
import { API, type LiveError } from '../../../contracts/live.ts';
import type { LiveReconciliation, LiveReplay } from '../../../contracts/reconciliation.ts';

const AGAIN_MS = 15_000;
/** While one is being made. */
const SOON_MS = 1_500;
const TIMEOUT_MS = 10_000;
const REPLAY_MS_MAX = 300_000;

/** null before the server's first answer. */
export const reconciliation = signal<LiveReconciliation | null>(null);
/** Why the server did not do what it was asked for. */
export const refused = signal<string | null>(null);
/** What became of the last replay: its counts, or what went wrong. */
export const replayed = signal<LiveReplay | string | null>(null);
export const isReplaying = signal(false);

async function ask<T>(url: string, method: 'GET' | 'POST', timeoutMs: number): Promise<T> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(timeoutMs) });
  if (response.ok) return (await response.json()) as T;
  throw new Error(((await response.json()) as LiveError).message);
}

let timer: ReturnType<typeof setTimeout> | undefined;

async function read(method: 'GET' | 'POST' = 'GET'): Promise<void> {
  clearTimeout(timer);
  try {
    if (!document.hidden || method === 'POST')
      reconciliation.value = await ask<LiveReconciliation>(API.reconciliation, method, TIMEOUT_MS);
    if (method === 'POST') refused.value = null;
  } catch (error) {
    // What was found before still stands, with its time.
    if (method === 'POST') refused.value = (error as Error).message;
  }
  timer = setTimeout(read, reconciliation.value?.state === 'running' ? SOON_MS : AGAIN_MS);
}

/** Goes on for as long as the page is open. */
export const followReconciliation = (): void => void read();

/** Has the places compared now. */
export const reconcileNow = (): Promise<void> => read('POST');

/** Sends all dead letters again that can be helped so. */
export async function replayDeadLetters(): Promise<void> {
  isReplaying.value = true;
  try {
    replayed.value = await ask<LiveReplay>(API.replay, 'POST', REPLAY_MS_MAX);
  } catch (error) {
    replayed.value = (error as Error).message;
  }
  isReplaying.value = false;
  await read();
}
