import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import type { DeadLetterReason } from '../../contracts/dead-letter.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { countDeadLetters, listDeadLetters, replayDeadLetters, showDeadLetter } from './dead-letter-queue.ts';
import { deadLetterRecord } from './dead-letters.ts';

const letter = (offset: number, stage: string, reason: DeadLetterReason, position = `p${offset}`) => ({
  ...deadLetterRecord(
    {
      topic: TOPICS.transactions.name,
      partition: offset % 6,
      offset,
      key: String(offset),
      value: Buffer.from(`value ${offset}`),
      headers: { [HEADERS.position]: position },
      timestamp: 0,
    },
    stage,
    reason,
    `message ${offset}`,
  ),
  timestamp: offset,
});

const brokerWith = async (...letters: readonly ReturnType<typeof letter>[]) => {
  const broker = memoryBroker(Object.values(TOPICS));
  await broker.append(letters);
  return broker;
};

test('listed newest first, once each, by reason and stage', async () => {
  const broker = await brokerWith(
    letter(1, 'loader', 'schema'),
    letter(2, 'loader', 'invalid_text'),
    letter(1, 'loader', 'schema'),
    letter(1, 'metrics', 'schema'),
    letter(3, 'loader', 'schema'),
  );
  const ids = async (options: Parameters<typeof listDeadLetters>[1]) =>
    (await listDeadLetters(broker, options)).map(({ id }) => id);
  assert.deepEqual(await ids({ limit: 2 }), ['dead_letters/3/0', 'dead_letters/2/0']);
  assert.deepEqual(await ids({ limit: 9, reason: 'schema', stage: 'loader' }), [
    'dead_letters/3/0',
    'dead_letters/1/0',
  ]);
  assert.equal((await ids({ limit: 9 })).length, 4);
  const waiting = { schema: 3, invalid_text: 1 };
  assert.deepEqual(await countDeadLetters(broker), { waiting, notLookedAt: 0 });
  await replayDeadLetters(broker, { reason: 'invalid_text' });
  assert.deepEqual((await countDeadLetters(broker)).waiting, { schema: 3 });
  assert.deepEqual(await listDeadLetters(await brokerWith(), { limit: 9 }), []);
});

test('shown with what it was and why it is here', async () => {
  const broker = await brokerWith(letter(8, 'loader', 'schema'));
  const { headers, value, ...shown } = await showDeadLetter(broker, 'dead_letters/2/0');
  assert.equal(Buffer.from(value).toString(), 'value 8');
  assert.deepEqual(shown, {
    id: 'dead_letters/2/0',
    stage: 'loader',
    reason: 'schema',
    message: 'message 8',
    at: 8,
    topic: 'transactions',
    partition: 2,
    offset: 8,
    key: '8',
    replayed: false,
    remedyInstead: null,
  });
  await assert.rejects(showDeadLetter(broker, 'dead_letters/2/1'), { name: 'UserError' });
});

test('replayed to where it came from, for the stage that refused it, and only once', async () => {
  const broker = await brokerWith(letter(1, 'loader', 'schema'), letter(2, 'metrics', 'future_event_time'));
  assert.deepEqual(await replayDeadLetters(broker, {}), { replayed: 2, before: 0, notReplayable: 0 });
  assert.deepEqual(await replayDeadLetters(broker, {}), { replayed: 0, before: 2, notReplayable: 0 });
  const replays = broker.records(TOPICS.transactions.name);
  assert.deepEqual(
    replays.map(({ partition, key, value, headers }) => [partition, key, String(value), headers]),
    [
      [1, '1', 'value 1', { position: 'p1', replay_of: 'dead_letters/1/0', replay_for: 'loader' }],
      [2, '2', 'value 2', { position: 'p2', replay_of: 'dead_letters/2/0', replay_for: 'metrics' }],
    ],
  );
  assert.deepEqual(
    (await listDeadLetters(broker, { limit: 9 })).map(({ replayed }) => replayed),
    [true, true],
  );
});

test('by id or by reason; an id that does not exist sends nothing', async () => {
  const letters = [1, 2, 3].map((offset) =>
    letter(offset, 'loader', offset === 3 ? 'schema' : 'invalid_text'),
  );
  const broker = await brokerWith(...letters);
  const wrong = replayDeadLetters(broker, { ids: ['dead_letters/1/0', 'dead_letters/5/9'] });
  await assert.rejects(wrong, { name: 'UserError' });
  assert.equal(broker.records(TOPICS.transactions.name).length, 0);
  assert.equal((await replayDeadLetters(broker, { ids: ['dead_letters/1/0'] })).replayed, 1);
  assert.deepEqual(await replayDeadLetters(broker, { reason: 'invalid_text' }), {
    replayed: 1,
    before: 1,
    notReplayable: 0,
  });
});

test('rows that must be corrected in the shop are not sent again; the remedy says so', async () => {
  const broker = await brokerWith(
    letter(1, 'capture', 'amount_out_of_range'),
    letter(2, 'enrichment', 'invalid_quantity', 'item 0'),
    letter(2, 'enrichment', 'invalid_quantity', 'item 1'),
    letter(3, 'enrichment', 'schema'),
  );
  assert.deepEqual(await replayDeadLetters(broker, {}), { replayed: 1, before: 0, notReplayable: 3 });
  const asked = replayDeadLetters(broker, { ids: ['dead_letters/1/0'] });
  await assert.rejects(asked, { name: 'UserError', remedy: /Correct the row in the shop/ });
});

test('a crash before it was recorded sends it again', async () => {
  const broker = await brokerWith(letter(1, 'loader', 'schema'));
  broker.before = (_, records) => {
    if (records.some(({ topic }) => topic === TOPICS.deadLetterReplays.name)) throw new Error('killed');
  };
  await assert.rejects(replayDeadLetters(broker, {}), /killed/);
  broker.before = () => {};
  assert.equal((await replayDeadLetters(broker, {})).replayed, 1);
  const replays = broker.records(TOPICS.transactions.name);
  assert.deepEqual(
    replays.map(({ headers }) => headers[HEADERS.replayOf]),
    ['dead_letters/1/0', 'dead_letters/1/0'],
  );
});
