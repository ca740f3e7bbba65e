// What operators do with dead letters: look at them, and send them again once the cause is mended.
import {
  DEAD_LETTER_HEADERS,
  DEAD_LETTER_REASONS,
  type DeadLetterReason,
} from '../../contracts/dead-letter.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { UserError } from '../../lib/errors.ts';
import type { Broker, BrokerRecord, Headers, OutgoingRecord } from './broker.ts';
import { readTopic } from './read-topic.ts';

export interface DeadLetter {
  /** `dead_letters/<partition>/<offset>` */
  readonly id: string;
  readonly stage: string;
  readonly reason: DeadLetterReason;
  readonly message: string;
  /** When it was put aside, epoch ms. */
  readonly at: number;
  /** Where the record stood. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Headers;
  /** It was sent again. */
  readonly replayed: boolean;
  /** Why sending it again cannot help, and what does; null where it can. */
  readonly remedyInstead: string | null;
}

export interface DeadLetterFilter {
  readonly reason?: string | undefined;
  readonly stage?: string | undefined;
}

/** Letters sent in one append. */
const REPLAY_RECORDS = 100;

type QueueBroker = Pick<Broker, 'read' | 'append' | 'partitions'>;

/** Newest first, at most `limit`. A record that was put aside twice (a crash in between) is listed once. */
export async function listDeadLetters(
  broker: QueueBroker,
  options: DeadLetterFilter & { readonly limit: number },
): Promise<readonly DeadLetter[]> {
  const newest: DeadLetter[] = [];
  await eachDeadLetter(broker, options, async (letter) => {
    newest.push(letter);
    if (newest.length < 2 * options.limit) return;
    newest.sort((one, other) => other.at - one.at).splice(options.limit);
  });
  return newest.sort((one, other) => other.at - one.at).slice(0, options.limit);
}

export interface DeadLetterCounts {
  /** How many wait, by reason; those sent again do not. */
  readonly waiting: Readonly<Record<string, number>>;
  /** Older offsets that were not looked at. */
  readonly notLookedAt: number;
}

/** How many dead letters wait. Holds no letter. */
export async function countDeadLetters(
  broker: QueueBroker,
  filter: DeadLetterFilter = {},
): Promise<DeadLetterCounts> {
  const waiting: Record<string, number> = {};
  const notLookedAt = await eachDeadLetter(broker, filter, async ({ reason, replayed }) => {
    if (!replayed) waiting[reason] = (waiting[reason] ?? 0) + 1;
  });
  return { waiting, notLookedAt };
}

/** One dead letter by its id; rejects with a UserError where there is none. */
export async function showDeadLetter(broker: QueueBroker, id: string): Promise<DeadLetter> {
  let found: DeadLetter | undefined;
  await eachDeadLetter(broker, {}, async (letter) => {
    if (letter.id === id) found = letter;
  });
  if (found) return found;
  throw new UserError(`there is no dead letter ${id}`, 'See the ids with `instashop dead-letters list`.');
}

export interface ReplayOptions extends DeadLetterFilter {
  /** Which ones; absent: all that the filter takes. */
  readonly ids?: readonly string[] | undefined;
}

export interface ReplayResult {
  readonly replayed: number;
  /** Sent again earlier: not sent twice. */
  readonly before: number;
  /** Sending these again cannot help; see `remedyInstead`. */
  readonly notReplayable: number;
}

/**
 * Sends dead letters to where they came from, for the stage that refused them only. What was sent is recorded right
 * after; a crash in between sends some twice, and the readers' own guards (event ids, replay ids) make that harmless.
 * An id that does not exist, or whose replay cannot help, rejects with a UserError before anything is sent.
 */
export async function replayDeadLetters(broker: QueueBroker, options: ReplayOptions): Promise<ReplayResult> {
  const ids = options.ids && new Set(options.ids);
  const wanted = (letter: DeadLetter) => ids === undefined || ids.has(letter.id);
  if (ids) await checkIds(broker, options, ids);
  const result = { replayed: 0, before: 0, notReplayable: 0 };
  let waiting: DeadLetter[] = [];
  const send = async () => {
    if (waiting.length === 0) return;
    await broker.append(waiting.map(replayRecord));
    await broker.append(waiting.map(replayMarker));
    result.replayed += waiting.length;
    waiting = [];
  };
  await eachDeadLetter(broker, options, async (letter) => {
    if (!wanted(letter)) return;
    if (letter.replayed) result.before += 1;
    else if (letter.remedyInstead !== null) result.notReplayable += 1;
    else if (waiting.push(letter) === REPLAY_RECORDS) await send();
  });
  await send();
  return result;
}

async function checkIds(broker: QueueBroker, filter: DeadLetterFilter, ids: ReadonlySet<string>) {
  const missing = new Set(ids);
  await eachDeadLetter(broker, filter, async (letter) => {
    if (!missing.delete(letter.id) || letter.remedyInstead === null) return;
    throw new UserError(`sending ${letter.id} again cannot help (${letter.reason})`, letter.remedyInstead);
  });
  for (const id of missing) {
    throw new UserError(`there is no dead letter ${id}`, 'See the ids with `instashop dead-letters list`.');
  }
}

async function eachDeadLetter(
  broker: QueueBroker,
  { reason, stage }: DeadLetterFilter,
  visit: (letter: DeadLetter) => Promise<void>,
): Promise<number> {
  const replayed = new Set<string>();
  await readTopic(broker, TOPICS.deadLetterReplays.name, async ({ key }) => {
    if (key !== null) replayed.add(key);
  });
  const seen = new Set<string>();
  return readTopic(broker, TOPICS.deadLetters.name, async (record) => {
    const identity = identityOf(record);
    if (seen.has(identity)) return;
    seen.add(identity);
    const letter = deadLetterOf(record, replayed.has(identity));
    if (reason !== undefined && letter.reason !== reason) return;
    if (stage !== undefined && letter.stage !== stage) return;
    await visit(letter);
  });
}

/** The same for a record that was put aside twice. `position` tells the items of one sale apart. */
const identityOf = ({ headers }: Pick<BrokerRecord, 'headers'>): string =>
  [
    headers[DEAD_LETTER_HEADERS.stage],
    headers[DEAD_LETTER_HEADERS.topic],
    headers[DEAD_LETTER_HEADERS.partition],
    headers[DEAD_LETTER_HEADERS.offset],
    headers[HEADERS.position] ?? '',
  ].join('/');

function deadLetterOf(record: BrokerRecord, replayed: boolean): DeadLetter {
  const { headers } = record;
  const stage = headers[DEAD_LETTER_HEADERS.stage] ?? '';
  const reason = headers[DEAD_LETTER_HEADERS.reason] as DeadLetterReason;
  return {
    id: `${record.topic}/${record.partition}/${record.offset}`,
    stage,
    reason,
    message: headers[DEAD_LETTER_HEADERS.message] ?? '',
    at: record.timestamp,
    topic: headers[DEAD_LETTER_HEADERS.topic] ?? '',
    partition: Number(headers[DEAD_LETTER_HEADERS.partition]),
    offset: Number(headers[DEAD_LETTER_HEADERS.offset]),
    key: record.key,
    value: record.value,
    headers,
    replayed,
    remedyInstead: remedyInstead(stage, reason),
  };
}

const ITEM_REASONS: readonly string[] = ['invalid_quantity', 'amount_out_of_range'];

/** Rows of the shop that make no sense are corrected there; the correction is captured and counts. */
const remedyInstead = (stage: string, reason: DeadLetterReason): string | null =>
  stage === 'capture' || (stage === 'enrichment' && ITEM_REASONS.includes(reason))
    ? `Correct the row in the shop; the correction is captured and takes its place. ${DEAD_LETTER_REASONS[reason]}`
    : null;

function replayRecord(letter: DeadLetter): OutgoingRecord {
  const added = new Set<string>(Object.values(DEAD_LETTER_HEADERS));
  const original = Object.entries(letter.headers).filter(([name]) => !added.has(name));
  return {
    topic: letter.topic,
    partition: letter.partition,
    key: letter.key,
    value: letter.value,
    headers: {
      ...Object.fromEntries(original),
      [HEADERS.replayOf]: letter.id,
      [HEADERS.replayFor]: letter.stage,
    },
  };
}

const replayMarker = (letter: DeadLetter): OutgoingRecord => ({
  topic: TOPICS.deadLetterReplays.name,
  partition: Number(letter.id.split('/')[1]),
  key: identityOf(letter),
  value: Buffer.from(letter.id),
  headers: {},
});
