// What a session does by itself and over time: its heartbeat, and the events it listens to.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { ManualClock } from '../../../../../test/support/manual-clock.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { type QueryEvent, SparkConnectError } from './connect.ts';
import { StreamingQueryEventType } from './generated/spark-connect_pb.ts';
import { parseEvent, parseProgress } from './progress.ts';
import { type FakeHandlers, sparkFault } from './testing/fake-server.ts';
import { answer, fakeSessions, version } from './testing/fake-session.ts';

const HEARTBEAT_MS = 30_000;

/** What a query of Spark 4.2 reported, shortened. */
const PROGRESS = {
  id: 'b3f0a7a6-0f0c-4a43-8f0b-3f1c0c9b2a11',
  runId: 'c2f0a7a6-0f0c-4a43-8f0b-3f1c0c9b2a22',
  name: 'windows',
  timestamp: '2026-11-24T19:00:00.000Z',
  batchId: 8,
  batchDuration: 412,
  durationMs: { addBatch: 300, triggerExecution: 412 },
  eventTime: { watermark: '2026-11-24T17:59:50.000Z', max: '2026-11-24T19:00:00.000Z' },
  stateOperators: [
    {
      operatorName: 'stateStoreSave',
      numRowsTotal: 12,
      numRowsUpdated: 3,
      numRowsRemoved: 1,
      numRowsDroppedByWatermark: 2,
      memoryUsedBytes: 4096,
      customMetrics: { rocksdbPutCount: 3 },
    },
  ],
  sources: [
    {
      description: 'KafkaV2[Subscribe[transactions]]',
      startOffset: '{"transactions":{"0":10}}',
      endOffset: { transactions: { '0': 15 } },
      latestOffset: { transactions: { '0': 16 } },
      numInputRows: 5,
      inputRowsPerSecond: 'NaN',
      processedRowsPerSecond: 12.5,
      metrics: { maxOffsetsBehindLatest: '1' },
    },
    { description: 'RateStreamV2', startOffset: '1', endOffset: 'here', numInputRows: 7 },
  ],
  sink: { description: 'KafkaTable', numOutputRows: -1 },
};

describe('progress', () => {
  test('is read with its sources and state', () => {
    const progress = parseProgress(JSON.stringify(PROGRESS));
    assert.equal(progress.batchId, 8);
    assert.equal(progress.name, 'windows');
    assert.equal(progress.numInputRows, 12);
    assert.equal(progress.durationMs['triggerExecution'], 412);
    assert.equal(progress.eventTime['watermark'], '2026-11-24T17:59:50.000Z');
    assert.deepEqual(progress.state, PROGRESS.stateOperators);
    const [kafka, rate] = progress.sources;
    assert.deepEqual(kafka, {
      ...PROGRESS.sources[0],
      startOffset: { transactions: { '0': 10 } },
      inputRowsPerSecond: 0,
    });
    assert.deepEqual([rate?.startOffset, rate?.endOffset, rate?.latestOffset], [1, 'here', null]);
    assert.deepEqual(rate?.metrics, {});
  });

  test('that is none is a fault', () => {
    assert.throws(() => parseProgress('{"batchId":1}'), /no progress/);
    assert.throws(() => parseProgress('null'), /no progress/);
    assert.throws(() => parseProgress('{'), SyntaxError);
  });

  test('a query that ended says why', () => {
    const ended = { id: 'q', runId: 'r', exception: 'boom', errorClassOnException: 'DIVIDE_BY_ZERO' };
    const event = {
      type: 'terminated',
      id: 'q',
      runId: 'r',
      exception: 'boom',
      errorClass: 'DIVIDE_BY_ZERO',
    };
    assert.deepEqual(parseEvent('terminated', JSON.stringify(ended)), event);
    assert.deepEqual(parseEvent('terminated', '{"id":"q","runId":"r","exception":null}'), {
      ...event,
      exception: null,
      errorClass: null,
    });
  });
});

describe('a session over time', () => {
  const sessions = fakeSessions();
  afterEach(sessions.close);

  const until = async (isTrue: () => boolean, what: string): Promise<void> => {
    for (let turn = 0; !isTrue(); turn++) {
      assert.ok(turn < 500, `${what} did not come`);
      await systemClock.sleep(10);
    }
  };

  const open = (handlers: FakeHandlers, clock: ManualClock, onFault = (_: Error): void => {}) =>
    sessions.open(handlers, { clock, heartbeatMs: HEARTBEAT_MS, callMsMax: 5_000, onFault });

  test('its heart beats until it is closed', async () => {
    let calls = 0;
    const clock = new ManualClock();
    const count = () => {
      calls++;
      return version();
    };
    const opened = await open({ analyzePlan: count }, clock);
    assert.equal(calls, 1);
    for (let beat = 2; beat <= 4; beat++) {
      await clock.advance(HEARTBEAT_MS - 1);
      assert.equal(calls, beat - 1, 'not before its time');
      await clock.advance(1);
      await until(() => calls === beat, 'the heartbeat');
    }
    await opened.close();
    await clock.advance(10 * HEARTBEAT_MS);
    assert.equal(calls, 4);
  });

  test('a heartbeat that fails is told, and the next one may succeed', async () => {
    let calls = 0;
    const faults: Error[] = [];
    const clock = new ManualClock();
    const flaky = () => {
      if (++calls === 2) throw new ConnectError('busy', Code.Unavailable);
      return version();
    };
    await open({ analyzePlan: flaky }, clock, (fault) => faults.push(fault));
    await clock.advance(HEARTBEAT_MS);
    await until(() => faults.length === 1, 'the fault');
    assert.ok(faults[0] instanceof SparkConnectError && faults[0].retryable);
    await systemClock.sleep(20);
    await clock.advance(HEARTBEAT_MS);
    await until(() => calls === 3, 'the next heartbeat');
    assert.equal(faults.length, 1);
  });

  test('its heart stops when the server is another one', async () => {
    let calls = 0;
    const faults: Error[] = [];
    const clock = new ManualClock();
    const restarted = () => {
      if (++calls === 2) throw sparkFault('The handle is invalid', 'INVALID_HANDLE.SESSION_CHANGED');
      return version();
    };
    await open({ analyzePlan: restarted }, clock, (fault) => faults.push(fault));
    await clock.advance(HEARTBEAT_MS);
    await until(() => faults.length === 1, 'the fault');
    assert.ok(faults[0] instanceof SparkConnectError && faults[0].sessionLost);
    await systemClock.sleep(20);
    await clock.advance(10 * HEARTBEAT_MS);
    assert.equal(calls, 2);
  });

  /** A server with a listener bus that sends these and then waits. */
  const bus = (events: readonly (readonly [StreamingQueryEventType, object])[], log: string[] = []) =>
    ({
      async *executePlan({ plan }, { signal }) {
        const command = plan?.opType.value;
        assert.ok(command?.$typeName === 'spark.connect.Command');
        const { case: kind, value } = command.commandType;
        assert.ok(kind === 'streamingQueryListenerBusCommand');
        log.push(value.command.case ?? '');
        if (value.command.case === 'addListenerBusListener') {
          yield answer('streamingQueryListenerEventsResult', { listenerBusListenerAdded: true });
          const sent = events.map(([eventType, json]) => ({ eventType, eventJson: JSON.stringify(json) }));
          yield answer('streamingQueryListenerEventsResult', { events: sent });
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        }
      },
    }) satisfies FakeHandlers;

  test('it hears what happens to its queries, after the listener before it was taken away', async () => {
    const log: string[] = [];
    const opened = await open(
      bus(
        [
          [StreamingQueryEventType.QUERY_PROGRESS_EVENT, { progress: PROGRESS }],
          [StreamingQueryEventType.QUERY_PROGRESS_UNSPECIFIED, { what: 'is this' }],
          [StreamingQueryEventType.QUERY_IDLE_EVENT, { id: 'q', runId: 'r', timestamp: 't' }],
          [StreamingQueryEventType.QUERY_TERMINATED_EVENT, { id: 'q', runId: 'r' }],
        ],
        log,
      ),
      new ManualClock(),
    );
    const seen: QueryEvent[] = [];
    for await (const event of await opened.listen()) {
      seen.push(event);
      if (event.type === 'terminated') break;
    }
    assert.deepEqual(log, ['removeListenerBusListener', 'addListenerBusListener']);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['progress', 'idle', 'terminated'],
    );
    assert.equal(seen[0]?.type === 'progress' && seen[0].progress.batchId, 8);
  });

  test('a listener ends with a fault when a heartbeat fails: its own connection may be dead', async () => {
    let calls = 0;
    const clock = new ManualClock();
    const freezing = () => {
      if (++calls > 1) throw new ConnectError('too slow', Code.DeadlineExceeded);
      return version();
    };
    const opened = await open({ ...bus([]), analyzePlan: freezing }, clock);
    const events = (await opened.listen())[Symbol.asyncIterator]();
    const next = events.next().then(
      () => assert.fail('nothing happened'),
      (error: unknown) => error,
    );
    await clock.advance(HEARTBEAT_MS);
    const error = await next;
    assert.ok(error instanceof SparkConnectError && error.retryable, String(error));
  });
});
