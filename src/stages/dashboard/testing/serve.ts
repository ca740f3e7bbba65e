// The dashboard on a free port with stores in memory, for tests.
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { type Dashboard, type DashboardOptions, dashboard } from '../server/dashboard.ts';
import { type FakeMetricsStore, type FakeWarehouse, fakeMetricsStore, fakeWarehouse } from './fake-stores.ts';

/** Where vite puts the page. */
export const WEB_DIR = fileURLToPath(new URL('../../../../dist/web', import.meta.url));

export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly stage: Dashboard;
  readonly store: FakeMetricsStore;
  readonly warehouse: FakeWarehouse;
}

/** Serves until disposed; rejects as the stage does when it cannot start. */
export async function serve(options: Partial<DashboardOptions> & { clock?: Clock } = {}): Promise<Served> {
  const store = fakeMetricsStore();
  const warehouse = fakeWarehouse();
  const stage = dashboard({
    metricsStore: store,
    warehouse,
    clock: systemClock,
    log: silentLog,
    port: 0,
    host: '127.0.0.1',
    webDir: WEB_DIR,
    mainCurrency: 'USD',
    version: '0.0.0-test',
    profile: 'embedded',
    ...options,
  });
  const stop = new AbortController();
  let fault: unknown = null;
  const ran = stage.run(stop.signal).catch((error: unknown) => {
    fault = error;
  });
  while (stage.url() === null && fault === null) await systemClock.sleep(2);
  if (fault !== null) throw fault;
  return {
    url: stage.url()!.replace('localhost', '127.0.0.1'),
    stage,
    store,
    warehouse,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ran;
    },
  };
}
