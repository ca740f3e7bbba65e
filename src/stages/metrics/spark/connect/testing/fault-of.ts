import assert from 'node:assert/strict';
import { SparkConnectError } from '../connect.ts';

/** How the action fails; it must. */
export async function faultOf(action: Promise<unknown>): Promise<SparkConnectError> {
  const error = await action.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SparkConnectError, String(error));
  return error;
}
