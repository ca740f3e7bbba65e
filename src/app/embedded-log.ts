import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TOPICS } from '../contracts/topics.ts';
import { UserError } from '../lib/errors.ts';
import type { Broker } from '../stores/broker/broker.ts';
import { sqliteBroker } from '../stores/broker/sqlite-broker.ts';
import type { CommandContext } from './command.ts';
import type { OptionSet } from './option.ts';
import { logOptions } from './profiles/embedded.ts';

/** Opens the data folder's log for a command, whoever else runs on it. Rejects with a UserError when there is none. */
export async function withLog<T>(
  { options, clock, log }: Pick<CommandContext<OptionSet>, 'options' | 'clock' | 'log'>,
  action: (broker: Broker) => Promise<T>,
): Promise<T> {
  const dir = join(resolve(options.dataDir), 'log');
  if (!existsSync(join(dir, 'log.db'))) {
    throw new UserError(
      `${resolve(options.dataDir)} holds no log`,
      'Start the system once with `npm start`, or name its folder: --data-dir',
    );
  }
  const broker = sqliteBroker(logOptions(options, dir, clock, log));
  try {
    await broker.createTopics(Object.values(TOPICS));
    return await action(broker);
  } finally {
    await broker.close();
  }
}
