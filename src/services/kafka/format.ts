import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { writePrivate } from '../private-file.ts';
import type { Installation } from './installation.ts';
import { propertiesText } from './settings.ts';

/** What a node's folder holds. */
export const nodeLayout = (dataDir: string, id: number) => {
  const dir = join(dataDir, `node-${id}`);
  return {
    dir,
    /** Names the node among processes. */
    settings: join(dir, 'server.properties'),
    logging: join(dir, 'log4j2.properties'),
    data: join(dir, 'data'),
    log: join(dir, 'server.log'),
    output: join(dir, 'output.log'),
  };
};
export type NodeLayout = ReturnType<typeof nodeLayout>;

/** The id all nodes of a data folder share, made the first time. */
export function clusterId(dataDir: string): string {
  const file = join(dataDir, 'cluster-id');
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, randomBytes(16).toString('base64url').replace(/^-/, 'A'), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return readFileSync(file, 'utf8').trim();
}

export interface FormatOptions {
  readonly installation: Installation;
  readonly files: NodeLayout;
  readonly settings: Readonly<Record<string, string>>;
  readonly clusterId: string;
  /** User → password. */
  readonly users: Readonly<Record<string, string>>;
}

/**
 * Makes a node's data folder with the users in it, unless it exists. It appears under its name only when it is whole.
 * Passwords go through a file of mode 0600 that the tool reads its arguments from: in its command line anybody could
 * see them, and a salted one there would open the door just as well.
 */
export async function formatNode(options: FormatOptions): Promise<void> {
  const { installation, files, settings, users } = options;
  if (existsSync(files.data)) return;
  const fresh = `${files.data}.new`;
  const properties = join(files.dir, 'format.properties');
  const args = join(files.dir, 'format.args');
  rmSync(fresh, { recursive: true, force: true });
  const scram = Object.entries(users).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-256=[name=${name},password=${password}]`,
  ]);
  try {
    writePrivate(properties, propertiesText({ ...settings, 'log.dirs': fresh }));
    writePrivate(args, ['format', '-t', options.clusterId, '-c', properties, ...scram].join('\n'));
    const logging = `-Dlog4j2.configurationFile=${files.logging}`;
    await runTool(installation.command('kafka.tools.StorageTool', [`@${args}`], [logging]), users);
    renameSync(fresh, files.data);
  } finally {
    rmSync(args, { force: true });
    rmSync(properties, { force: true });
  }
}

function runTool(
  [program, ...args]: readonly string[],
  secrets: Readonly<Record<string, string>>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const keep = (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-2_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const shown = Object.values(secrets).reduce((text, secret) => text.replaceAll(secret, '***'), said);
      const remedy = 'The data folder must be writable and have room.';
      reject(new UserError(`Kafka could not format its data folder (exit ${code}): ${shown.trim()}`, remedy));
    });
  });
}
