import { UserError } from '../../lib/errors.ts';
import { type Command, command } from '../command.ts';
import { optionLines } from '../help.ts';
import { nearestOf } from '../option.ts';
import { OPTIONS } from '../options.ts';

/** Help over the other commands, handed in by whoever lists them. */
export const helpCommand = (commands: () => Readonly<Record<string, Command>>): Command =>
  command({
    usage: 'help [command]',
    summary: 'This.',
    flags: {},
    async run({ args: [name], terminal }) {
      for (const line of name === undefined ? overview(commands()) : about(commands(), name))
        terminal.line(line);
      return 0;
    },
  });

const overview = (commands: Readonly<Record<string, Command>>): string[] => [
  'InstaShop Live: a sale committed in PostgreSQL is a number on a live page well under a second later.',
  '',
  'Usage: instashop <command> [options]',
  '',
  ...Object.values(commands).flatMap(({ usage, summary }) => [`  ${usage}`, `      ${summary}`]),
  '',
  'Options (each also as a variable: --shop-url is INSTASHOP_SHOP_URL):',
  ...optionLines(OPTIONS),
];

function about(commands: Readonly<Record<string, Command>>, name: string): string[] {
  const found = commands[name];
  if (found === undefined) throw unknownCommand(name, Object.keys(commands));
  return [
    `instashop ${found.usage}`,
    found.summary,
    ...optionLines(found.flags),
    'The options of every command (--data-dir, --rate, …): `instashop help`',
  ];
}

export function unknownCommand(name: string, names: readonly string[]): UserError {
  const nearest = nearestOf(name, names);
  return new UserError(
    `there is no command ${name}`,
    nearest ? `Did you mean ${nearest}?` : 'See `instashop help`.',
  );
}
