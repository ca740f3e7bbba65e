// The command line. Runs on Node ≥ 24; bin/instashop.js finds it.
import { appendFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import type { Command } from './command.ts';
import { checkCommand } from './commands/check.ts';
import { clusterCommand } from './commands/cluster.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { helpCommand, unknownCommand } from './commands/help.ts';
import { postgresCommand } from './commands/postgres.ts';
import { resetCommand } from './commands/reset.ts';
import { runCommand } from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { usersCommand } from './commands/users.ts';
import { versionCommand } from './commands/version.ts';
import { flag, parseOptions } from './option.ts';
import { OPTIONS } from './options.ts';
import { terminal, terminalLog } from './terminal.ts';
import { isWorker, refuseToParent } from './worker.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  run: runCommand,
  check: checkCommand,
  status: statusCommand,
  'dead-letters': deadLettersCommand,
  reset: resetCommand,
  postgres: postgresCommand,
  cluster: clusterCommand,
  users: usersCommand,
  help: helpCommand(() => COMMANDS),
  version: versionCommand,
};

const screen = terminal(process.stdout);
let dataDir: string = OPTIONS.dataDir.default;

async function main(argv: readonly string[]): Promise<number> {
  const [first = 'help', ...rest] = argv;
  const [name, args] =
    first === '--help' || first === '-h'
      ? ['help', rest]
      : first === '--version'
        ? ['version', rest]
        : [first, rest];
  const command = COMMANDS[name];
  if (command === undefined) throw unknownCommand(name, Object.keys(COMMANDS));
  const help = { help: flag({ description: 'Help for the command.' }) };
  const { values, positionals } = parseOptions({ ...OPTIONS, ...command.flags, ...help }, args, process.env);
  dataDir = values.dataDir;
  // Only a command whose usage names words takes some.
  if (positionals.length > 0 && !command.usage.includes(' ')) {
    throw new UserError(
      `${name} takes no further words: ${positionals.join(' ')}`,
      `instashop ${name} --help`,
    );
  }
  const chosen = values.help ? COMMANDS['help']! : command;
  return chosen.run({
    options: values,
    flags: values,
    args: values.help ? [name] : positionals,
    clock: systemClock,
    log: terminalLog(screen),
    terminal: screen,
  });
}

/** A person's fault is told with its remedy; a defect of ours leaves its stack in a file. */
async function tell(error: unknown): Promise<void> {
  if (error instanceof UserError) {
    if (isWorker()) await refuseToParent(error);
    else process.stderr.write(`✗ ${error.message}\n  → ${error.remedy}\n`);
    return;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(
    `✗ ${message}\n  → This is a defect of InstaShop Live. ${keepStack(stack ?? message)}\n`,
  );
}

function keepStack(stack: string): string {
  const dir = resolve(dataDir);
  const file = join(dir, 'crash.log');
  try {
    mkdirSync(dir, { recursive: true });
    appendFileSync(
      file,
      `${new Date(systemClock.now()).toISOString()} ${process.argv.slice(2, 3)} ${stack}\n`,
    );
    return `Where it happened is in ${file}`;
  } catch {
    return stack;
  }
}

async function end(error: unknown): Promise<never> {
  await tell(error);
  process.exit(1);
}

process.on('uncaughtException', end).on('unhandledRejection', end);
main(process.argv.slice(2)).then((code) => process.exit(code), end);
