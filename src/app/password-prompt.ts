// Asks for a password: on a terminal without showing it, else from what is piped in.
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UserError } from '../lib/errors.ts';

const PIPED_BYTES_MAX = 10_000;

/** The password that somebody types twice, or the first line of standard input where nobody sits there. */
export async function askPassword(who: string): Promise<string> {
  if (!process.stdin.isTTY) return pipedLine();
  const first = await hidden(`Password of ${who}: `);
  if ((await hidden('Once more: ')) === first) return first;
  throw new UserError('the two passwords are not the same', 'Try again.');
}

async function pipedLine(): Promise<string> {
  let text = '';
  for await (const part of process.stdin) {
    text += String(part);
    if (text.length > PIPED_BYTES_MAX) break;
  }
  return text.split(/\r?\n/, 1)[0]!;
}

async function hidden(question: string): Promise<string> {
  process.stdout.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const asking = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  // Readline takes Ctrl-C for itself.
  const given = new Promise<null>((resolve) => asking.once('close', () => resolve(null)));
  const answer = await Promise.race([asking.question(''), given]);
  asking.close();
  process.stdout.write('\n');
  if (answer === null) throw new UserError('no password was given', 'Nothing was changed.');
  return answer;
}
