// Records on the edge of what is an event, to see whether two engines draw it alike.
import {
  CART_EXAMPLE,
  SEARCH_EXAMPLE,
  USER_BEHAVIOR_EXAMPLE,
} from '../../../../contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE } from '../../../../contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../../../../contracts/events/transaction-item.ts';
import { HEADERS, TOPICS } from '../../../../contracts/topics.ts';
import type { OutgoingRecord } from '../../../../stores/broker/broker.ts';

const EXAMPLES: Readonly<Record<string, object>> = {
  [TOPICS.transactions.name]: TRANSACTION_EXAMPLE,
  [TOPICS.transactionItems.name]: TRANSACTION_ITEM_EXAMPLE,
  [TOPICS.userBehavior.name]: USER_BEHAVIOR_EXAMPLE,
  [TOPICS.searches.name]: SEARCH_EXAMPLE,
  [TOPICS.cartEvents.name]: CART_EXAMPLE,
};

const HOUR = 3_600_000;

/** What a field is replaced by; undefined: left out. */
const ODD_FIELDS: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['transactions', 'event_time', [undefined, null, '1', 1.5, 8.64e15 + 2, -8.64e15 - 2, 2 ** 53, true, {}]],
  ['transactions', 'captured_at', [undefined, null, [1]]],
  ['transactions', 'op', [undefined, null, 'renamed', 5, 'Placed', '']],
  [
    'transactions',
    'status',
    [undefined, null, 5, true, {}, [], '5', 'true', '-', '{', '[]', 'null', 'paid', ''],
  ],
  ['transactions', 'previous_status', [undefined, 5, 'pending', '0']],
  ['transactions', 'total_amount_minor', [undefined, null, 0.5, -1, 2 ** 53, '5', false]],
  ['transactions', 'previous_total_amount_minor', [undefined, 7, 1.25]],
  ['transactions', 'currency', [undefined, null, 'usd', 'USDX', 'USD\n', ' USD', '', 'ÉUR', 5]],
  ['transactions', 'customer_id', [undefined, null, '7', 7.5, -0]],
  [
    'transactions',
    'customer_name',
    ['7 Lamps', 'true', '[x]', '{"a":1}', 'x'.repeat(300), '😀'.repeat(300), ''],
  ],
  [
    'transactions',
    'customer_name',
    [7, true, null, undefined, ['Casa'], '\u2028', 'A\u0000', 'Ünïcode', '\uff5e', '😀'],
  ],
  // Fields that no metric of this topic looks at.
  ['transactions', 'buyer_email', [5]],
  ['transactions', 'quantity', ['many']],
  ['transactions', 'search_query', [{}]],
  ['transaction_items', 'quantity', [0, -1, 1.5, null, undefined, 3]],
  ['transaction_items', 'previous_quantity', [undefined, 1, 'x']],
  ['transaction_items', 'product_name', ['4K TV', 4]],
  ['transaction_items', 'transaction_status', [undefined, 'completed', 0]],
  ['user_behavior', 'session_id', [undefined, null, '12345', 12345, 'x']],
  ['user_behavior', 'interaction_type', [undefined, null, 5, '5']],
  ['searches', 'search_query', [undefined, null, '42', 42, false, '-', 'Würfel "groß"', 'a\\b\n']],
  ['searches', 'results_count', [undefined, null, -1, 0, 1.5, '0']],
  ['cart_events', 'event_type', [undefined, 'search', 'checkout', 5]],
  ['cart_events', 'cart_total_minor', [null, 12.5, 0]],
];

/** Texts instead of an event; `{}` in them stands for a good one. */
const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  'null',
  '5',
  '"text"',
  '[]',
  '[{}]',
  'not json',
  '{',
  '{"event_time":',
  '{} ',
  ' \n{}',
  '{} x',
  '{}{}',
  '{},',
  "{'op':'placed'}",
];

/** The good event of a topic as text with a piece of it replaced. */
const ODD_PIECES: readonly (readonly [string, string, string])[] = [
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":5998.0'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":5.998e3'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":1e400'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":05998'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":NaN'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":"NaN"'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":Infinity'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":+5998'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":12345678901234567890'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":9007199254740993'],
  ['transactions', '"total_amount_minor":5998', '"total_amount_minor":1,"total_amount_minor":2'],
  ['transactions', '"previous_status":null', '"previous_\\u0073tatus":null'],
  ['transactions', '"previous_status":null', '"buyer_note":"previous_status"'],
  ['transactions', '"status":"completed"', '"status":"comp\\u006ceted"'],
  ['transactions', '"status":"completed"', '"status":"a\tb"'],
  ['transactions', '"status":"completed"', '"status":"\\x"'],
  ['transactions', '"status":"completed"', '"status":"7",\n"more":{"deep":[1,[2,{"status":3}]]}'],
];

/** All of them, each in a partition of its own topic; `now` is the time of the good ones. */
export function oddRecords(now: number): readonly OutgoingRecord[] {
  const times = { event_time: now, captured_at: now + 9, committed_at: now + 4 };
  let partition = 0;
  const record = (topic: string, value: string | Uint8Array, headers = {}): OutgoingRecord => ({
    topic,
    partition: partition++ % 6,
    key: 'k',
    value: Buffer.from(value as string),
    headers,
  });
  const event = (topic: string, fields: object) =>
    JSON.stringify({ ...EXAMPLES[topic], ...times, ...fields });
  const good = event('transactions', {});
  const later = event('transactions', { event_time: now + 2 * HOUR });
  const past = { event_time: now - 5 * HOUR, captured_at: now - 6 * HOUR, committed_at: now - 6 * HOUR };
  const forUs = { [HEADERS.replayOf]: 'dead_letters/0/7', [HEADERS.replayFor]: 'metrics' };
  const replays: readonly (readonly [string, object])[] = [
    [event('transactions', { event_time: now - 1_000 }), forUs],
    [event('transactions', { op: 'renamed' }), { ...forUs, [HEADERS.replayOf]: 'dead_letters/0/8' }],
    [later, { ...forUs, [HEADERS.replayOf]: 'dead_letters/0/9' }],
    [event('transactions', past), { ...forUs, [HEADERS.replayOf]: 'dead_letters/1/1' }],
    [good, { ...forUs, [HEADERS.replayFor]: 'loader' }],
    ['not json', { ...forUs, [HEADERS.replayFor]: 'loader' }],
    [event('transactions', { event_time: now - 2_000 }), { [HEADERS.replayOf]: 'dead_letters/2/1' }],
    [good, { [HEADERS.snapshot]: '1' }],
    [event('transactions', { event_time: now - 2 * HOUR }), { [HEADERS.snapshot]: '1' }],
    [event('transactions', { event_time: now + 30_000, op: 'items_changed' }), { [HEADERS.snapshot]: '1' }],
    [good, { [HEADERS.snapshot]: '0', [HEADERS.position]: 'p' }],
  ];
  return [
    ...ODD_FIELDS.flatMap(([topic, field, values]) =>
      values.map((value) => record(topic, event(topic, { [field]: value }))),
    ),
    ...ODD_TEXTS.map((text) => record('transactions', text.replaceAll('{}', good))),
    ...ODD_PIECES.map(([topic, from, to]) => record(topic, event(topic, {}).replace(from, to))),
    record(
      'transactions',
      Buffer.concat([Buffer.from(good.slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')]),
    ),
    record('transactions', later),
    ...replays.map(([text, headers]) => record('transactions', text, headers)),
  ];
}
