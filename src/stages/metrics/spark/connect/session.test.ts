import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { systemClock } from '../../../../lib/clock.ts';
import { UserError } from '../../../../lib/errors.ts';
import { isRetryable } from '../../../../lib/retry.ts';
import type { AnalyzePlanRequest, ExecutePlanRequest } from './generated/spark-connect_pb.ts';
import { bearer, type FakeHandlers, sparkFault } from './testing/fake-server.ts';
import { answer, commands, fakeSessions, SESSION_ID, silent, version } from './testing/fake-session.ts';
import { faultOf } from './testing/fault-of.ts';

describe('a Spark session', () => {
  const sessions = fakeSessions();
  const { open } = sessions;
  afterEach(sessions.close);

  const failing = (error: Error): FakeHandlers =>
    commands(() => {
      throw error;
    });

  describe('calls', () => {
    test('carry the token, the session and the user, and then what the server called the session', async () => {
      const seen: unknown[] = [];
      const see = (request: AnalyzePlanRequest | ExecutePlanRequest, context: HandlerContext) =>
        seen.push([
          bearer(context),
          request.sessionId,
          request.userContext?.userId,
          request.clientObservedServerSideSessionId,
        ]);
      const opened = await open(
        {
          analyzePlan(request, context) {
            see(request, context);
            return version('server-7');
          },
          ...commands((request, context) => {
            see(request, context);
            return answer('streamingQueryManagerCommandResult', {
              resultType: { case: 'active', value: {} },
            });
          }),
        },
        { token: 'secret' },
      );
      assert.equal(opened.sparkVersion, '4.2.0');
      assert.deepEqual(await opened.active(), []);
      assert.deepEqual(seen, [
        ['Bearer secret', SESSION_ID, 'metrics', undefined],
        ['Bearer secret', SESSION_ID, 'metrics', 'server-7'],
      ]);
    });

    test('without a token send none', async () => {
      let token: string | null = 'none';
      await open({
        analyzePlan(_, context) {
          token = bearer(context);
          return version();
        },
      });
      assert.equal(token, null);
    });

    test('end at their deadline, and may be tried again', async () => {
      const opened = await open(silent(), { callMsMax: 100 });
      const error = await faultOf(opened.active());
      assert.equal(error.code, 'deadline_exceeded');
      assert.ok(isRetryable(error));
      const patient = faultOf(opened.active({ deadlineMs: 200 }));
      assert.equal((await patient).code, 'deadline_exceeded');
    });

    test('reject with the reason of their signal, and the server hears of it', async () => {
      const { promise: told, resolve: heard } = Promise.withResolvers<void>();
      const opened = await open(silent(heard));
      const giveUp = new AbortController();
      const waiting = opened.active({ signal: giveUp.signal });
      const reason = new Error('no longer wanted');
      setTimeout(() => giveUp.abort(reason), 50);
      await assert.rejects(waiting, reason);
      await told;
    });

    test('under way reject when the session is closed, and so do later ones', async () => {
      const opened = await open(silent());
      const waiting = faultOf(opened.active());
      await systemClock.sleep(50);
      await opened.close();
      assert.match((await waiting).message, /was closed/);
      assert.equal((await faultOf(opened.active())).retryable, false);
    });
  });

  describe('faults', () => {
    test('a refused token is a fault of the user, with the remedy', async () => {
      const refusing: FakeHandlers = {
        analyzePlan: () => {
          throw new ConnectError('Invalid authentication token', Code.Unauthenticated);
        },
      };
      await assert.rejects(open(refusing, { token: 'wrong' }), (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /refuses the token/);
        assert.doesNotMatch(error.message + error.remedy, /wrong/);
        return true;
      });
    });

    test('a URL that is none is a fault of the user', async () => {
      await assert.rejects(open({}, { url: 'sc://127.0.0.1:15002' }), UserError);
    });

    test('nobody there: unavailable, to be tried again', async () => {
      const opened = await open({});
      await sessions.server().close();
      const error = await faultOf(opened.active());
      assert.ok(error.retryable);
      assert.ok((await faultOf(opened.active())).code === 'unavailable');
      assert.equal(error.sessionLost, false);
    });

    test('a connection that breaks in the middle may be tried again, on a new one', async () => {
      let calls = 0;
      const opened = await open({
        async *executePlan(_, { signal }) {
          if (++calls === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve));
          yield answer('streamingQueryManagerCommandResult', { resultType: { case: 'active', value: {} } });
        },
      });
      const waiting = faultOf(opened.active());
      await systemClock.sleep(50);
      sessions.server().drop();
      assert.ok((await waiting).retryable);
      assert.deepEqual(await opened.active(), []);
    });

    for (const kind of ['SESSION_CHANGED', 'SESSION_NOT_FOUND', 'SESSION_CLOSED']) {
      test(`${kind}: the session is lost, and another one may be made`, async () => {
        const errorClass = `INVALID_HANDLE.${kind}`;
        const opened = await open(failing(sparkFault('The handle is invalid', errorClass)));
        const error = await faultOf(opened.active());
        assert.equal(error.errorClass, errorClass);
        assert.ok(error.sessionLost && isRetryable(error));
      });
    }

    test('an error class that stands in the text alone is found', async () => {
      const text = '[INVALID_HANDLE.SESSION_CHANGED] The handle is invalid. SQLSTATE: HY000';
      const opened = await open(failing(new ConnectError(text, Code.Internal)));
      assert.ok((await faultOf(opened.active())).sessionLost);
    });

    test('a plan that Spark refuses is not to be tried again', async () => {
      const refused = sparkFault('[UNRESOLVED_COLUMN] no such column', 'UNRESOLVED_COLUMN', '42703');
      const error = await faultOf((await open(failing(refused))).active());
      assert.deepEqual(
        [error.code, error.errorClass, error.sqlState, error.retryable, error.sessionLost],
        ['internal', 'UNRESOLVED_COLUMN', '42703', false, false],
      );
      assert.match(error.message, /no such column/);
    });

    test('a server whose Spark has stopped may be tried again', async () => {
      const stopped = new ConnectError('Cannot call methods on a stopped SparkContext.', Code.Internal);
      assert.ok((await faultOf((await open(failing(stopped))).active())).retryable);
    });

    test('an answer of another kind is a fault, not an empty one', async () => {
      const opened = await open(commands(() => answer('streamingQueryCommandResult', {})));
      assert.match((await faultOf(opened.active())).message, /gave no streamingQueryManagerCommandResult/);
    });
  });
});
