import { UserError } from '../../lib/errors.ts';
import {
  hashPassword,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
} from '../../stages/dashboard/server/access/password.ts';
import {
  ROLES,
  readUsers,
  USER_NAME,
  type User,
  writeUsers,
} from '../../stages/dashboard/server/access/users.ts';
import { command } from '../command.ts';
import { choice, text } from '../option.ts';
import { askPassword } from '../password-prompt.ts';
import { usersFile } from '../users-file.ts';

export const usersCommand = command({
  usage: 'users list | add <name> | remove <name>',
  summary:
    'Who may sign in to the page. add asks for the password (or reads it from standard input), and replaces a user ' +
    'of that name.',
  flags: {
    role: choice<User['role']>({
      default: 'viewer',
      choices: ROLES,
      description: 'viewer: sees everything. operator: may also have something done.',
    }),
    merchant: text({
      default: null,
      pattern: /^[1-9]\d{0,14}$/,
      unit: 'customer_id',
      shown: 'the whole shop',
      description: 'Sees the data of this merchant only.',
    }),
  },
  async run({ options, flags, args, terminal }) {
    const [action = 'list', name, ...more] = args;
    const file = usersFile(options);
    const users = readUsers(file);
    if (more.length > 0 || (name === undefined) !== (action === 'list')) {
      throw new UserError(
        'that is not what users takes',
        'instashop users list | add <name> | remove <name>',
      );
    }
    if (action === 'list') {
      for (const user of users) terminal.line(userLine(user));
      if (users.length === 0) terminal.line('No users: the page is for whoever sits at this machine.');
      return 0;
    }
    const others = users.filter((user) => user.name !== name);
    if (action === 'remove') {
      if (others.length === users.length) {
        throw new UserError(`there is no user ${name}`, 'See them with `instashop users list`.');
      }
      writeUsers(file, others);
      terminal.line(`${name} can no longer sign in.`);
      return 0;
    }
    if (action !== 'add') throw new UserError(`there is no action ${action}`, 'Use list, add or remove.');
    const merchant = flags.merchant === null ? null : Number(flags.merchant);
    const added = { name: name!, role: flags.role, merchant, password: await passwordOf(name!) };
    writeUsers(file, [...others, added]);
    terminal.line(`${userLine(added)}: may sign in.`);
    return 0;
  },
});

const userLine = ({ name, role, merchant }: User): string =>
  `${name}  ${role}${merchant === null ? '' : `  merchant ${merchant}`}`;

async function passwordOf(name: string): Promise<string> {
  if (!USER_NAME.test(name)) {
    throw new UserError(
      `a user cannot be called ${JSON.stringify(name)}`,
      'Use letters, digits, and . _ @ -',
    );
  }
  const password = await askPassword(name);
  if (password.length < PASSWORD_CHARS_MIN || password.length > PASSWORD_CHARS_MAX) {
    throw new UserError(
      'that is no password for this page',
      `Give one of ${PASSWORD_CHARS_MIN} to ${PASSWORD_CHARS_MAX} characters.`,
    );
  }
  return hashPassword(password);
}
