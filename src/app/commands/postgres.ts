import { command } from '../command.ts';
import { startEmbeddedPostgres } from '../profiles/embedded-postgres.ts';
import { stopSignals } from '../stop-signals.ts';

export const postgresCommand = command({
  usage: 'postgres',
  summary: 'Runs only the embedded PostgreSQL, for stages that run in processes of their own.',
  flags: {},
  async run({ options, clock, log, terminal }) {
    const { dataDir, postgresPort: port } = options;
    const postgres = await startEmbeddedPostgres({ dataDir, port, clock, log: log.child('postgres') });
    const { signal, forget } = stopSignals(() => terminal.line('Stopping …'));
    terminal.line(`PostgreSQL  ${postgres.psql}`);
    while (!signal.aborted) await clock.sleep(3_600_000, signal);
    await postgres.stop();
    forget();
    return 0;
  },
});
