// Files from the network into a folder that all runs share: each is fetched once and checked against its digest.
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, systemClock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';

export interface RemoteFile {
  /** Below the base URL, and below the folder. */
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface DownloadOptions {
  readonly baseUrl: string;
  /** Environment variable that names another base URL, for the remedy. */
  readonly variable: string;
  readonly folder: string;
  readonly files: readonly RemoteFile[];
  /** Called as bytes arrive, and once at the end; of what is missing only. */
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly clock?: Clock;
}

const CONCURRENCY = 4;
const ATTEMPTS_MAX = 4;
/** A file of a few MB that takes longer comes no more. */
const FILE_MS_MAX = 300_000;
/** What a download that was killed left behind. */
const PART = '.part-';
const PART_AGE_MS_MAX = 3_600_000;

/** Where downloads are kept: $XDG_CACHE_HOME or ~/.cache, for all projects of the user. */
export const cacheFolder = (
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string => join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'instashop-live');

/**
 * Fetches what the folder lacks. A file appears under its name only when it is whole and its digest is right, so
 * several processes may do this at once. Rejects with a UserError without a network, room or the right digest.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { folder, files, onProgress, clock = systemClock } = options;
  const missing = files.filter(({ path, bytes }) => sizeOf(join(folder, path)) !== bytes);
  if (missing.length === 0) return;
  const bytesAll = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  const onBytes = (count: number) => {
    bytes += count;
    onProgress?.(bytes, bytesAll);
  };
  const queue = [...missing];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await fetchFile(file, options, clock, onBytes).catch((error: unknown) => {
        queue.length = 0;
        throw error;
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

const sizeOf = (path: string): number | null => statSync(path, { throwIfNoEntry: false })?.size ?? null;

async function fetchFile(
  file: RemoteFile,
  { baseUrl, variable, folder }: DownloadOptions,
  clock: Clock,
  onBytes: (count: number) => void,
): Promise<void> {
  const url = `${baseUrl.replace(/\/+$/, '')}/${file.path}`;
  const target = join(folder, file.path);
  const part = `${target}${PART}${randomUUID()}`;
  let counted = 0;
  let attempt = 0;
  const once = async (): Promise<void> => {
    attempt++;
    onBytes(-counted);
    counted = 0;
    try {
      await fetchOnce(url, part, file, (count) => {
        counted += count;
        onBytes(count);
      });
      renameSync(part, target);
    } catch (error) {
      rmSync(part, { force: true });
      throw explained(error, { url, variable, folder, again: attempt < ATTEMPTS_MAX });
    }
  };
  try {
    mkdirSync(dirname(target), { recursive: true });
    removeStaleParts(target, clock);
  } catch (error) {
    throw explained(error, { url, variable, folder, again: false });
  }
  await retry(once, { clock, signal: new AbortController().signal, delayMs: 500 });
}

function removeStaleParts(target: string, clock: Clock): void {
  const folder = dirname(target);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(target)}${PART}`)) continue;
    const path = join(folder, name);
    const age = clock.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? clock.now());
    if (age > PART_AGE_MS_MAX && existsSync(path)) rmSync(path, { force: true });
  }
}

class WrongContent extends Error {}
class Refused extends Error {}

async function fetchOnce(
  url: string,
  part: string,
  { bytes, sha256 }: RemoteFile,
  onBytes: (count: number) => void,
): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FILE_MS_MAX) });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    const passing = response.status >= 500 || response.status === 429;
    throw passing ? new Error(`HTTP ${response.status}`) : new Refused(`HTTP ${response.status}`);
  }
  const digest = createHash('sha256');
  let received = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      if (received > bytes) return done(new WrongContent(`it has more than ${bytes} bytes`));
      digest.update(chunk);
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), check, createWriteStream(part, { mode: 0o644 }));
  if (received !== bytes) throw new Error(`the connection ended after ${received} of ${bytes} bytes`);
  const found = digest.digest('hex');
  if (found !== sha256) throw new WrongContent(`its SHA-256 is ${found}, not ${sha256}`);
}

interface Where {
  readonly url: string;
  readonly variable: string;
  readonly folder: string;
  readonly again: boolean;
}

/** What a person is told, or, for a passing fault with attempts left, an error that `retry` tries again. */
function explained(error: unknown, { url, variable, folder, again }: Where): Error {
  const { code, message, cause } = error as NodeJS.ErrnoException & { cause?: Error };
  if (error instanceof WrongContent) {
    return new UserError(
      `${url} is not the file it should be: ${message}`,
      `Something between here and there changes files: another network or mirror (${variable}) may help.`,
    );
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new UserError(
      `no room left for downloads in ${folder}`,
      'Free some room, or name a folder on another disk with XDG_CACHE_HOME.',
    );
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR' || code === 'EPERM') {
    return new UserError(
      `cannot write downloads into ${folder} (${code})`,
      'Make it writable, or name another folder with XDG_CACHE_HOME.',
    );
  }
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  if (again && !(error instanceof Refused)) return Object.assign(new Error(why), { retryable: true });
  return new UserError(
    `cannot download ${url} (${why})`,
    `Check the network; behind a mirror set ${variable} to its address. What has arrived is kept.`,
  );
}
