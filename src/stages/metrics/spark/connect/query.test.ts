import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { toJson } from '@bufbuild/protobuf';
import {
  alias,
  allColumns,
  coalesce,
  column,
  expression,
  project,
  readStream,
  sql,
  withWatermark,
} from './connect.ts';
import { type ExecutePlanRequest, ExecutePlanRequestSchema } from './generated/spark-connect_pb.ts';
import { answer, commands, fakeSessions, SESSION_ID } from './testing/fake-session.ts';

interface Started {
  readonly plan: { readonly command: { readonly writeStreamOperationStart: object } };
}

const QUERY = { id: 'id-1', runId: 'run-1' };
const PROGRESS = JSON.stringify({ ...QUERY, timestamp: '2026-11-24T19:00:00.000Z', batchId: 8 });

const sessions = fakeSessions();
const { open } = sessions;
afterEach(sessions.close);

describe('a Spark session with queries', () => {
  test('are started with the plan as it was built', async () => {
    let request: ExecutePlanRequest | undefined;
    const opened = await open(
      commands((asked) => {
        request = asked;
        return answer('writeStreamOperationStartResult', { queryId: QUERY, name: 'windows' });
      }),
    );
    const source = readStream({ format: 'kafka', options: { subscribe: 'transactions' } });
    const parsed = sql('SELECT value FROM raw', { raw: coalesce(source, 2) });
    const timed = withWatermark(parsed, 'moves', 3_610_000);
    const end = alias(expression('window.end'), 'w', { 'spark.watermarkDelayMs': 3_610_000 });
    const query = await opened.start(project(timed, [column('value'), allColumns, end]), {
      name: 'windows',
      format: 'kafka',
      outputMode: 'update',
      trigger: { everyMs: 0 },
      checkpoint: '/checkpoints/1',
      options: { topic: 'spark_windows' },
    });
    assert.deepEqual([query.id, query.runId, query.name], ['id-1', 'run-1', 'windows']);
    assert.deepEqual(toJson(ExecutePlanRequestSchema, request!), {
      sessionId: SESSION_ID,
      userContext: { userId: 'metrics' },
      clientType: 'instashop-live',
      clientObservedServerSideSessionId: 'server-1',
      plan: {
        command: {
          writeStreamOperationStart: {
            format: 'kafka',
            options: { topic: 'spark_windows', checkpointLocation: '/checkpoints/1' },
            processingTimeInterval: '0 milliseconds',
            outputMode: 'update',
            queryName: 'windows',
            input: {
              project: {
                expressions: [
                  { unresolvedAttribute: { unparsedIdentifier: 'value' } },
                  { unresolvedStar: {} },
                  {
                    alias: {
                      expr: { expressionString: { expression: 'window.end' } },
                      name: ['w'],
                      metadata: '{"spark.watermarkDelayMs":3610000}',
                    },
                  },
                ],
                input: {
                  withWatermark: {
                    eventTime: 'moves',
                    delayThreshold: '3610000 milliseconds',
                    input: {
                      withRelations: {
                        root: { sql: { query: 'SELECT value FROM raw' } },
                        references: [
                          {
                            subqueryAlias: {
                              alias: 'raw',
                              input: {
                                repartition: {
                                  numPartitions: 2,
                                  shuffle: false,
                                  input: {
                                    read: {
                                      isStreaming: true,
                                      dataSource: {
                                        format: 'kafka',
                                        options: { subscribe: 'transactions' },
                                      },
                                    },
                                  },
                                },
                              },
                            },
                          },
                        ],
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    });
  });

  for (const [trigger, wire] of [
    ['available-now', { availableNow: true }],
    ['once', { once: true }],
    [{ everyMs: 1_000 }, { processingTimeInterval: '1000 milliseconds' }],
    [{ realTimeMs: 300_000 }, { realTimeBatchDuration: '300000 milliseconds' }],
    [{ continuousMs: 500 }, { continuousCheckpointInterval: '500 milliseconds' }],
  ] as const) {
    test(`trigger ${JSON.stringify(trigger)}`, async () => {
      let start: object = {};
      const opened = await open(
        commands((request) => {
          const { plan } = toJson(ExecutePlanRequestSchema, request) as unknown as Started;
          start = plan.command.writeStreamOperationStart;
          return answer('writeStreamOperationStartResult', { queryId: QUERY });
        }),
      );
      await opened.start(sql('SELECT 1'), { name: 'q', format: 'noop', outputMode: 'append', trigger });
      const input = { sql: { query: 'SELECT 1' } };
      assert.deepEqual(start, { input, format: 'noop', outputMode: 'append', queryName: 'q', ...wire });
    });
  }

  test('are found by their name among those that run', async () => {
    const activeQueries = [
      { id: QUERY, name: 'other' },
      { id: { id: 'id-2', runId: 'run-2' }, name: 'windows' },
    ];
    const opened = await open(
      commands(() =>
        answer('streamingQueryManagerCommandResult', {
          resultType: { case: 'active', value: { activeQueries } },
        }),
      ),
    );
    const found = await opened.queryByName('windows');
    assert.deepEqual([found?.id, found?.runId, found?.name], ['id-2', 'run-2', 'windows']);
    assert.equal(await opened.queryByName('window'), null);
  });

  /** The query of a server that gives this result, and what it was asked. */
  async function queryThat(kind: string | undefined, value: object) {
    const asked: unknown[] = [];
    const opened = await open(
      commands((request) => {
        const command = request.plan?.opType.value;
        assert.ok(command?.$typeName === 'spark.connect.Command');
        const { case: what, value: wanted } = command.commandType;
        if (what === 'writeStreamOperationStart') {
          return answer('writeStreamOperationStartResult', { queryId: QUERY, name: 'windows' });
        }
        assert.ok(what === 'streamingQueryCommand');
        asked.push([wanted.queryId?.id, wanted.queryId?.runId, wanted.command.case]);
        return answer('streamingQueryCommandResult', {
          queryId: QUERY,
          ...(kind === undefined ? {} : { resultType: { case: kind, value } }),
        });
      }),
    );
    const options = { name: 'windows', format: 'noop', outputMode: 'update', trigger: 'once' } as const;
    return { query: await opened.start(sql('SELECT 1'), options), asked };
  }

  test('tell their status', async () => {
    const { query, asked } = await queryThat('status', {
      statusMessage: 'Waiting',
      isDataAvailable: true,
      isActive: true,
    });
    assert.deepEqual(await query.status(), {
      isActive: true,
      message: 'Waiting',
      isDataAvailable: true,
      isTriggerActive: false,
    });
    assert.deepEqual(asked, [['id-1', 'run-1', 'status']]);
  });

  test('tell why they failed, or that they have not', async () => {
    const failed = await queryThat('exception', { exceptionMessage: 'no', errorClass: 'DIVIDE_BY_ZERO' });
    assert.deepEqual(await failed.query.exception(), {
      message: 'no',
      errorClass: 'DIVIDE_BY_ZERO',
      stackTrace: null,
    });
    const { query } = await queryThat(undefined, {});
    assert.equal(await query.exception(), null);
  });

  test('tell their progress, and null before the first batch', async () => {
    const recentProgressJson = [PROGRESS.replace('"batchId":8', '"batchId":7'), PROGRESS];
    const { query, asked } = await queryThat('recentProgress', { recentProgressJson });
    assert.equal((await query.lastProgress())?.batchId, 8);
    assert.deepEqual(
      (await query.recentProgress()).map(({ batchId }) => batchId),
      [7, 8],
    );
    assert.deepEqual(
      asked.map((row) => (row as unknown[])[2]),
      ['lastProgress', 'recentProgress'],
    );
    const fresh = await queryThat('recentProgress', {});
    assert.equal(await fresh.query.lastProgress(), null);
  });

  test('are stopped, and waited for', async () => {
    const { query, asked } = await queryThat('awaitTermination', { terminated: true });
    await query.stop();
    await query.processAllAvailable();
    assert.equal(await query.awaitTermination(5_000), true);
    assert.deepEqual(
      asked.map((row) => (row as unknown[])[2]),
      ['stop', 'processAllAvailable', 'awaitTermination'],
    );
  });
});

describe('a Spark session', () => {
  test('settings are set, and read with null for those that are not', async () => {
    const asked: unknown[] = [];
    const opened = await open({
      config({ operation }) {
        asked.push(operation?.opType.case);
        const pairs = [{ key: 'a', value: '1' }, { key: 'b' }];
        return { serverSideSessionId: 'server-1', pairs };
      },
    });
    await opened.setConfig({ a: '1' });
    assert.deepEqual(
      [...(await opened.getConfig(['a', 'b']))],
      [
        ['a', '1'],
        ['b', null],
      ],
    );
    assert.deepEqual(asked, ['set', 'getOption']);
  });

  test('a session is released so that its ids may be used again', async () => {
    let allowed = false;
    const opened = await open({
      releaseSession({ allowReconnect }) {
        allowed = allowReconnect;
        return { serverSideSessionId: 'server-1' };
      },
    });
    await opened.release();
    assert.ok(allowed);
    await assert.rejects(opened.active(), /was closed/);
  });
});
