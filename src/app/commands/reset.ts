import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { UserError } from '../../lib/errors.ts';
import { dropFeed } from '../../stores/shop/drop-feed.ts';
import { dropWarehouse } from '../../stores/warehouse/drop-warehouse.ts';
import { command } from '../command.ts';
import { type Foreign, foreignFile, foreignOf } from '../foreign.ts';
import { takeLocks } from '../lock.ts';
import { flag, flagName, variableName } from '../option.ts';
import type { Options } from '../options.ts';
import { STAGE_NAMES } from '../stage-names.ts';
import { crmUrl, masked } from '../urls.ts';

/** What we put into a data folder; anything else there is left alone. */
const OURS = [
  'postgres',
  'postgres.json',
  'pgpass',
  'page.json',
  'foreign.json',
  'log',
  'metrics',
  'metrics-store',
  'cluster',
  'crash.log',
];

interface Removal {
  readonly what: string;
  remove(): Promise<void>;
}

export const resetCommand = command({
  usage: 'reset',
  summary: 'Removes everything the system has stored, to start over.',
  flags: { yes: flag({ description: 'Do not ask.' }) },
  async run({ options, flags, terminal }) {
    const dataDir = resolve(options.dataDir);
    refuseForgotten(options);
    await refuseRunning(options);
    // Held to the end: nothing starts on what is being removed.
    const lock = existsSync(dataDir) ? takeLocks(dataDir, ['postgres', ...STAGE_NAMES]) : null;
    try {
      const removals = [...databaseRemovals(options), ...folderRemovals(dataDir)];
      if (removals.length === 0) {
        terminal.line(`Nothing is stored in ${dataDir}.`);
        return 0;
      }
      terminal.line('This removes for good:');
      for (const { what } of removals) terminal.line(`  ${what}`);
      if (!flags.yes && !(await confirmed())) {
        terminal.line('Nothing was removed.');
        return 1;
      }
      for (const { remove } of removals) await remove();
      terminal.line('Removed. `npm start` begins anew.');
      return 0;
    } finally {
      lock?.release();
    }
  },
});

/** A replication slot left behind in a database that is not ours would keep its WAL for ever. */
function refuseForgotten(options: Options): void {
  for (const [name, where] of Object.entries(foreignOf(options.dataDir))) {
    if (options[name as keyof Foreign] !== null) continue;
    throw new UserError(
      `this folder has worked with ${where}, where something of ours is left`,
      `Name it, so that it is removed there too: ${variableName(name)}=postgres://…@${where} ` +
        `(or --${flagName(name)}). ` +
        `If that server is gone, remove ${foreignFile(options.dataDir)}.`,
    );
  }
}

/** The servers of `cluster up` go on without a terminal; their data is not taken from under them. */
async function refuseRunning(options: Options): Promise<void> {
  if (!existsSync(join(resolve(options.dataDir), 'cluster'))) return;
  const { placesOf } = await import('../cluster/places.ts');
  const { serverStates } = await import('../cluster/servers.ts');
  const running = serverStates(placesOf(options)).filter(({ pid }) => pid !== null);
  if (running.length === 0) return;
  throw new UserError(
    `servers of the cluster run on this folder: ${running.map(({ name }) => name).join(', ')}`,
    'Stop them first: `instashop cluster down`',
  );
}

function folderRemovals(dataDir: string): Removal[] {
  if (!existsSync(dataDir)) return [];
  const names = readdirSync(dataDir).filter(
    (name) => OURS.includes(name) || (STAGE_NAMES as readonly string[]).includes(name),
  );
  return names.map((name) => {
    const path = join(dataDir, name);
    return { what: path, remove: async () => rmSync(path, { recursive: true, force: true }) };
  });
}

/** In databases that are not ours, only what is ours; the shop's own rows stay. */
function databaseRemovals(options: Options): Removal[] {
  const removals: Removal[] = [];
  const { shopUrl, dwhUrl } = options;
  if (shopUrl !== null) {
    const databases = [['instashop', shopUrl] as const, ['crm_db', crmUrl(options)!] as const];
    for (const [database, url] of databases) {
      removals.push({
        what: `replication slot and publication, or change table, in ${masked(url)}`,
        remove: () => dropFeed(url, database),
      });
    }
  }
  if (dwhUrl !== null) {
    removals.push({
      what: `the warehouse's tables in ${masked(dwhUrl)}`,
      remove: () => dropWarehouse(dwhUrl),
    });
  }
  return removals;
}

async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UserError(
      'nobody is there to ask',
      'Say `instashop reset --yes` to remove without a question.',
    );
  }
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await asking.question('Remove it? [y/N] ');
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}
