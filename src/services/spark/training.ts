import { realpathSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import { stopProcesses } from '../processes.ts';
import { connectStart, type LaunchParts, launchProcess, writeShared } from './launching.ts';
import { processLayout, sparkProcessMark } from './layout.ts';
import { connectState } from './probe.ts';
import { freeSparkPorts } from './settings.ts';

const READY_MS_MAX = 180_000;
const LOOK_MS = 100;

interface Training extends Omit<LaunchParts, 'archive' | 'ports' | 'kafkaLogin'> {
  readonly clock: Clock;
  readonly jvm: readonly string[];
  readonly folder: string;
}

/** Runs a Connect server alone for a moment, so that the JVM can note which classes Spark needs. */
export async function train({ jvm, folder, ...options }: Training): Promise<void> {
  const { clock, settings } = options;
  const ports = await freeSparkPorts(1);
  const parts: LaunchParts = {
    ...options,
    dataDir: realpathSync(folder),
    ports,
    archive: jvm,
    kafkaLogin: null,
    settings: { ...settings, 'spark.master': 'local[2]' },
    tied: true,
  };
  writeShared(parts);
  const { logging } = processLayout(parts.dataDir, 'connect');
  const exited = launchProcess(parts, 'connect', connectStart(parts, logging));
  let over = false;
  void exited.finally(() => {
    over = true;
  });
  const until = clock.now() + READY_MS_MAX;
  while (!over && clock.now() < until && (await connectState(ports.connect, parts.token)) !== 'ready') {
    await clock.sleep(LOOK_MS);
  }
  // Writing the archive takes most of the time.
  const mark = sparkProcessMark(parts.dataDir, 'connect');
  await stopProcesses(
    [mark],
    [
      ['SIGTERM', READY_MS_MAX],
      ['SIGKILL', 5_000],
    ],
    clock,
  );
}
