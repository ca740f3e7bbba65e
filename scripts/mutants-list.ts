// The defects that `npm run test:mutants` plants: what each guarantee stands on, and the test that must miss it.

export interface Mutant {
  /** What goes wrong. */
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file, */
  readonly replace: string;
  /** and becomes this. */
  readonly by: string;
  readonly test: { readonly file: string; readonly name: string };
}

const CAPTURE = 'src/stages/capture';
const METRICS = 'src/stages/metrics';
const SHOP = 'src/stores/shop';

/** Two statements change places. */
const swapped = (first: string, second: string): Pick<Mutant, 'replace' | 'by'> => ({
  replace: `${first}${second}`,
  by: `${second}${first}`,
});

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the loader acknowledges before it writes',
    file: 'src/stages/loader/loader.ts',
    replace: '    const loads = await Promise.allSettled(',
    by: '    await batch.ack();\n    const loads = await Promise.allSettled(',
    test: {
      file: 'src/stages/loader/loader.test.ts',
      name: 'a load that fails acknowledges nothing, and the records come again',
    },
  },
  {
    name: 'enrichment acknowledges before it writes',
    file: 'src/stages/enrichment/enrichment.ts',
    replace: '      await allSettled(',
    by: '      await batch.ack();\n      await allSettled(',
    test: {
      file: 'src/stages/enrichment/enrichment.test.ts',
      name: 'nothing is acknowledged before its items are in the log',
    },
  },
  {
    name: 'capture acknowledges to the shop before the log has it',
    file: `${CAPTURE}/capture-database.ts`,
    replace: '      await this.#publish(records);\n      records = [];',
    by: '      feed.ack(this.#reached.acknowledged);\n      await this.#publish(records);\n      records = [];',
    test: {
      file: `${CAPTURE}/capture-database.test.ts`,
      name: 'nothing is saved of a change whose events are not in the log yet',
    },
  },
  {
    name: 'capture sends what comes next before it knows that the last append is in the log',
    file: `${CAPTURE}/capture-database.ts`,
    replace: '    const place = this.#reached;\n    await this.#publishing;\n',
    by: '    const place = this.#reached;\n',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'what comes after an append that is under way is sent only when that one is in the log',
    },
  },
  {
    name: 'capture acknowledges to the shop before its state is durable',
    file: `${CAPTURE}/capture-database.ts`,
    ...swapped(
      '    this.#state.finishSave(place, logged);\n    this.#savedPlace = place;\n',
      '    this.#parts.feed.ack(place.acknowledged);\n',
    ),
    test: {
      file: `${CAPTURE}/repeated-delivery.test.ts`,
      name: 'the shop is told nothing of what the state could not keep',
    },
  },
  {
    name: 'the warehouse moves its offsets outside the transaction of the rows',
    file: 'src/stores/warehouse/load.ts',
    replace: '    const rejected: Rejected[] = [];\n',
    by: `    await moveOffsets(client, offsets);
    await client.query('COMMIT');
    await client.query('BEGIN');
    const rejected: Rejected[] = [];\n`,
    test: {
      file: 'src/stores/warehouse/postgres-warehouse.pg.test.ts',
      name: 'postgres: offsets move with the rows or not at all',
    },
  },
  {
    name: 'the metrics checkpoint saves offsets before, and without, their state',
    file: `${METRICS}/sqlite-checkpoint.ts`,
    replace: '    this.#mapped(() => transaction(this.#db, write));\n',
    by: `    for (const { source, topicId, nextOffset, newest } of changes.offsets)
      this.#statements.offset.run(source, topicId, nextOffset, newest);
    this.#mapped(() => transaction(this.#db, write));\n`,
    test: {
      file: `${METRICS}/sqlite-checkpoint.test.ts`,
      name: 'state and offsets are saved together or not at all',
    },
  },
  {
    name: 'the metrics checkpoint is saved before its values are in the log',
    file: `${METRICS}/work.ts`,
    ...swapped('    await this.#flush(true);\n', '    this.#checkpoint.save(this.#engine.takeChanges());\n'),
    test: {
      file: `${METRICS}/embedded/stage.test.ts`,
      name: 'a checkpoint that is due waits for the values that are not',
    },
  },
  {
    name: 'a batch of Spark counts as read whole with its first row',
    file: `${METRICS}/spark/cut.ts`,
    replace: 'this.#whole[partition] = batchMs - 1;',
    by: 'this.#whole[partition] = batchMs;',
    test: {
      file: 'test/golden-spark.test.ts',
      name: 'golden future by Spark: one record a batch, and all in one',
    },
  },
  {
    name: 'the engine writes increments instead of absolute values',
    file: `${METRICS}/emission.ts`,
    replace: '        due.push(renderCell(cell));\n',
    by: '        due.push(renderCell(cell));\n        cell.sums.fill(0);\n',
    test: {
      file: 'test/golden.test.ts',
      name: 'golden straight: one record a batch, and all in one checkpoint',
    },
  },
  {
    name: 'the publisher adds versions of a value up instead of setting the newest',
    file: 'src/stages/publisher/publisher.ts',
    replace: 'metricVersion(value) > metricVersion(before)) values.set(key, value);',
    by: `metricVersion(value) > metricVersion(before))
        values.set(key, { ...value, events: value.events + (before?.events ?? 0) });`,
    test: {
      file: 'src/stages/publisher/publisher.test.ts',
      name: 'the newest version of each key is written, as it stands in the log: never an increment',
    },
  },
  {
    name: 'an event dated in the future moves the watermark',
    file: `${METRICS}/embedded/window-engine.ts`,
    replace: '    const bits = program.bits();\n',
    by: '    const bits = program.bits();\n    this.#watermark.observe(taken.time, eventTime);\n',
    test: {
      file: `${METRICS}/embedded/window-engine.test.ts`,
      name: 'an event dated more than a minute ahead of its capture is quarantined and does not move the watermark',
    },
  },
  {
    name: 'rows of a snapshot move the watermark',
    file: `${METRICS}/embedded/window-engine.ts`,
    replace: 'if (!snapshot) this.#watermark.observe(',
    by: 'this.#watermark.observe(',
    test: {
      file: `${METRICS}/embedded/window-engine.test.ts`,
      name: 'rows of a snapshot count without moving the watermark; those older than any window are history',
    },
  },
  {
    name: 'a late event is dropped without a word',
    file: `${METRICS}/embedded/window-engine.ts`,
    replace: '    const counted = this.#feed(window, program, bits);\n',
    by: '    if (window.closed && !snapshot) return;\n    const counted = this.#feed(window, program, bits);\n',
    test: {
      file: `${METRICS}/embedded/window-engine.test.ts`,
      name: 'windows close when the watermark passes their end; a late event makes a revision',
    },
  },
  {
    name: 'readers admit a position that they have seen (off by one)',
    file: 'src/stores/broker/position-filter.ts',
    replace: 'position <= before',
    by: 'position < before',
    test: {
      file: 'src/stores/broker/position-filter.test.ts',
      name: 'positions rise within a partition; what does not rise is dropped, also after a restart',
    },
  },
  {
    name: 'enrichment makes the last item once more after a restart (off by one)',
    file: 'src/stages/enrichment/enrichment.ts',
    replace: '> donePosition',
    by: '>= donePosition',
    test: {
      file: 'src/stages/enrichment/enrichment.test.ts',
      name: 'killed between append and acknowledgement: each item stands in the log once',
    },
  },
  {
    name: 'capture publishes the last change once more after a kill (off by one)',
    file: `${CAPTURE}/records.ts`,
    replace: 'record.headers[HEADERS.position]! <= tail',
    by: 'record.headers[HEADERS.position]! < tail',
    test: {
      file: `${CAPTURE}/repeated-delivery.test.ts`,
      name: 'killed after the append, before the state was saved: what comes again is not published again',
    },
  },
  {
    name: 'rolled back: the shop sends transactions before it is known how they end',
    file: `${SHOP}/replication-connection.ts`,
    replace: `(proto_version '1', publication`,
    by: `(proto_version '2', streaming 'on', publication`,
    test: {
      file: `${SHOP}/uncommitted.pg.test.ts`,
      name: 'logical: a large transaction that is rolled back is never seen',
    },
  },
  {
    name: 'rolled back: what a transaction wrote and took back itself is published',
    file: `${CAPTURE}/assembler.ts`,
    replace: 'const after = changes.reduce(',
    by: `const after = changes.filter(({ kind }) => kind !== 'delete').reduce(`,
    test: {
      file: `${CAPTURE}/capture.pg.test.ts`,
      name: 'logical: every kind of change is one ledger event; rolled back ones are none',
    },
  },
  {
    name: 'polling cuts at the newest transaction instead of the oldest that is open',
    file: `${SHOP}/polling-feed.ts`,
    replace: 'FROM (SELECT pg_snapshot_xmin(',
    by: 'FROM (SELECT pg_snapshot_xmax(',
    test: {
      file: `${SHOP}/uncommitted.pg.test.ts`,
      name: 'polling: what a long transaction wrote before others committed is seen when it commits',
    },
  },
  {
    name: 'capture applies the rows of a save that was cut',
    file: `${CAPTURE}/state-changelog.ts`,
    replace: 'records.slice(0, last + 1)) this.#note(record);\n    if (last >= 0) {',
    by: 'records) this.#note(record);\n    if (last >= 0) {',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'rows of a save that was cut are not of the state that the next one begins with',
    },
  },
  {
    name: 'capture leaves the rows of a cut save for whoever comes next',
    file: `${CAPTURE}/state-changelog.ts`,
    replace: '      await this.save(before, this.#head);\n',
    by: '',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'rows of a save that was cut are not of the state that the next one begins with',
    },
  },
  {
    name: 'capture keeps a save for itself before whoever takes over can know it',
    file: `${CAPTURE}/capture-database.ts`,
    replace: '    let logged: number | null = null;\n',
    by: '    let logged: number | null = null;\n    this.#parts.feed.ack(place.acknowledged);\n',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'killed before any of its writes, then a new one: each change stands in the log once',
    },
  },
  {
    name: 'capture takes over without fencing the one before',
    file: `${CAPTURE}/capture-database.ts`,
    replace: 'this.#claim = await broker.claim(...claimOf(feed.database, stateTopic));',
    by:
      'const [owner, all] = claimOf(feed.database, stateTopic);\n' +
      '    this.#claim = await broker.claim(owner + process.hrtime.bigint(), all);',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'frozen in any of its writes and awake after the takeover, it writes nothing more',
    },
  },
  {
    name: 'a snapshot is published without a word to whoever may take over',
    file: `${CAPTURE}/capture-database.ts`,
    replace: 'await this.#changelog!.announce(unlogged);',
    by: 'await Promise.resolve();',
    test: {
      file: `${CAPTURE}/takeover.test.ts`,
      name: 'killed before any of its writes, then itself: each change stands in the log once',
    },
  },
  {
    name: 'enrichment takes over partitions without claiming what it writes to',
    file: 'src/stages/enrichment/enrichment.ts',
    replace: 'await broker.claim(',
    by: 'await broker.claim(process.hrtime.bigint() + ',
    test: {
      file: 'src/stages/enrichment/enrichment.test.ts',
      name: 'shared by several, and frozen in the middle of an append: each item stands in the log once',
    },
  },
  {
    name: 'a Spark server that was restarted passes for the one before',
    file: `${METRICS}/spark/connect/channel.ts`,
    replace: '{ clientObservedServerSideSessionId: observed }',
    by: '{}',
    test: {
      file: `${METRICS}/spark/connect/session.test.ts`,
      name: 'carry the token, the session and the user, and then what the server called the session',
    },
  },
];
