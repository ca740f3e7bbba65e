import { DEAD_LETTER_REASONS } from '../../contracts/dead-letter.ts';
import { UserError } from '../../lib/errors.ts';
import {
  type DeadLetter,
  listDeadLetters,
  replayDeadLetters,
  showDeadLetter,
} from '../../stores/broker/dead-letter-queue.ts';
import { command } from '../command.ts';
import { flag, integer, text } from '../option.ts';
import { withBroker } from '../with-broker.ts';

export const deadLettersCommand = command({
  usage: 'dead-letters list | show <id> | replay <id…> | replay --all',
  summary: 'What could not be processed: look at it, and send it again once its cause is mended.',
  flags: {
    reason: text({ default: null, unit: 'reason', description: 'Only letters with this reason.' }),
    stage: text({ default: null, unit: 'stage', description: 'Only letters of this stage.' }),
    limit: integer({ default: 50, min: 1, max: 100_000, description: 'How many are listed, newest first.' }),
    all: flag({ description: 'Replay all that --reason and --stage take.' }),
    json: flag({ description: 'JSON, one letter a line.' }),
  },
  async run({ options, flags, args, clock, log, terminal }) {
    const [action = 'list', ...ids] = args;
    const filter = { reason: flags.reason ?? undefined, stage: flags.stage ?? undefined };
    return withBroker({ options, clock, log }, async (broker) => {
      switch (action) {
        case 'list': {
          const letters = await listDeadLetters(broker, { ...filter, limit: flags.limit });
          for (const letter of letters) terminal.line(flags.json ? letterJson(letter) : letterLine(letter));
          if (letters.length === 0 && !flags.json) terminal.line('No dead letters.');
          if (letters.length === flags.limit && !flags.json) {
            terminal.line(`Only the newest ${flags.limit} are listed; more with --limit.`);
          }
          return 0;
        }
        case 'show': {
          if (ids.length !== 1) throw new UserError('show needs one id', 'instashop dead-letters show <id>');
          const letter = await showDeadLetter(broker, ids[0]!);
          terminal.line(flags.json ? letterJson(letter) : letterPage(letter));
          return 0;
        }
        case 'replay': {
          if (ids.length === 0 && !flags.all) {
            throw new UserError(
              'replay needs ids or --all',
              'See the ids with `instashop dead-letters list`.',
            );
          }
          const done = await replayDeadLetters(broker, { ...filter, ...(ids.length > 0 && { ids }) });
          terminal.line(
            flags.json
              ? JSON.stringify(done)
              : `${done.replayed} sent again, ${done.before} sent before, ${done.notReplayable} cannot be helped so.`,
          );
          return 0;
        }
        default:
          throw new UserError(`there is no action ${action}`, 'Use list, show or replay.');
      }
    });
  },
});

const letterJson = ({ value, ...letter }: DeadLetter): string =>
  JSON.stringify({ ...letter, value: Buffer.from(value).toString() });

const letterLine = ({ id, at, stage, reason, message, replayed }: DeadLetter): string =>
  `${id}  ${new Date(at).toISOString()}  ${stage}  ${reason}${replayed ? '  (sent again)' : ''}  ${printable(message)}`;

const letterPage = (letter: DeadLetter): string =>
  [
    letterLine(letter),
    `It stood at ${letter.topic}/${letter.partition}/${letter.offset}, key ${printable(letter.key ?? '(none)')}.`,
    letter.remedyInstead ?? DEAD_LETTER_REASONS[letter.reason] ?? '',
    ...Object.entries(letter.headers).map(([name, value]) => `  ${name}: ${printable(value)}`),
    printable(Buffer.from(letter.value).toString()),
  ].join('\n');

/** What comes from outside must not move the cursor. */
const printable = (value: string): string => value.replace(/\p{Cc}/gu, '�');
