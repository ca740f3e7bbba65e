import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { claimPort } from '../services/postgres/port.ts';
import { findings } from './checks/checks.ts';
import { parseOptions } from './option.ts';
import { OPTIONS } from './options.ts';
import { DASHBOARD_PORT, dashboardPort } from './ports.ts';

/** Whether it listens or somebody else did: the port is taken. */
async function take(port: number) {
  const server = createServer();
  const taken = once(server, 'listening').catch(() => undefined);
  server.listen(port, '127.0.0.1');
  await taken;
  return server;
}

test('where the usual port is taken another one is found, but not instead of one that was named', async () => {
  const other = await take(DASHBOARD_PORT);
  assert.equal(await dashboardPort('127.0.0.1', null), 0);
  assert.equal(await dashboardPort('127.0.0.1', DASHBOARD_PORT), DASHBOARD_PORT);
  const found = await claimPort(DASHBOARD_PORT, true);
  assert.ok(found > 0 && found !== DASHBOARD_PORT);
  await assert.rejects(claimPort(DASHBOARD_PORT), { remedy: /--postgres-port 0/ });

  const portFindings = async (args: string[], runs = false) => {
    const options = parseOptions(OPTIONS, ['--data-dir', tmpdir(), ...args], {}).values;
    const all = await findings({
      options,
      stages: ['dashboard'],
      startsPostgres: false,
      clock: systemClock,
      log: silentLog,
      runs,
    });
    return all.filter(({ what }) => what.includes('cannot listen')).length;
  };
  const named = ['--dashboard-port', String(DASHBOARD_PORT)];
  assert.equal(await portFindings([]), 0);
  assert.equal(await portFindings(named), 1);
  assert.equal(await portFindings(named, true), 0, 'it is its own');
  other.close();
});
