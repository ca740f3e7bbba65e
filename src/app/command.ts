import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { OptionSet, Values } from './option.ts';
import type { Options } from './options.ts';
import type { Terminal } from './terminal.ts';

export interface CommandContext<F extends OptionSet> {
  readonly options: Options;
  /** The command's own flags. */
  readonly flags: Values<F>;
  /** What stands after the command's name. */
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly terminal: Terminal;
}

export interface Command<F extends OptionSet = OptionSet> {
  readonly usage: string;
  readonly summary: string;
  readonly flags: F;
  /** Resolves with the exit code; a UserError is shown with its remedy. */
  run(context: CommandContext<F>): Promise<number>;
}

/** A command whose flags are typed inside, and of no interest outside. */
export const command = <F extends OptionSet>(definition: Command<F>): Command =>
  definition as unknown as Command;
