import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TOPICS } from '../contracts/topics.ts';
import { UserError } from '../lib/errors.ts';
import type { Broker } from '../stores/broker/broker.ts';
import type { CommandContext } from './command.ts';
import type { OptionSet } from './option.ts';
import { openProfile } from './profiles/profiles.ts';

type Context = Pick<CommandContext<OptionSet>, 'options' | 'clock' | 'log'>;

/**
 * Opens the broker for a command, whoever else works on it. Rejects with a UserError where a data folder of the
 * embedded profile holds no log.
 */
export async function withBroker<T>(
  { options, clock, log }: Context,
  action: (broker: Broker) => Promise<T>,
): Promise<T> {
  if (options.profile === 'embedded') return withLog({ options, clock, log }, action);
  const profile = await openProfile({ options, start: false, clock, log });
  try {
    return await action(await profile.platform.broker('operator'));
  } finally {
    await profile.close();
  }
}

/** The log needs no PostgreSQL, so it is opened without one. */
async function withLog<T>(
  { options, clock, log }: Context,
  action: (broker: Broker) => Promise<T>,
): Promise<T> {
  const dir = join(resolve(options.dataDir), 'log');
  if (!existsSync(join(dir, 'log.db'))) {
    throw new UserError(
      `${resolve(options.dataDir)} holds no log`,
      'Start the system once with `npm start`, or name its folder: --data-dir',
    );
  }
  const { sqliteBroker } = await import('../stores/broker/sqlite-broker.ts');
  const { logOptions } = await import('./profiles/embedded.ts');
  const broker = sqliteBroker(logOptions(options, dir, clock, log));
  try {
    await broker.createTopics(Object.values(TOPICS));
    return await action(broker);
  } finally {
    await broker.close();
  }
}
