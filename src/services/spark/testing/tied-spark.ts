// Starts a Spark of two workers that ends with this process, says so, and waits to be killed.
import { systemClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { freeSparkPorts, USUAL_SIZES } from '../settings.ts';
import { startSpark } from '../spark.ts';

await startSpark({
  dataDir: process.argv[2]!,
  ports: await freeSparkPorts(2),
  sizes: { ...USUAL_SIZES, coresPerWorker: 2 },
  token: 'secret-of-connect',
  kafkaLogin: null,
  tied: true,
  clock: systemClock,
  log: silentLog,
});
console.log('ready');
setInterval(() => undefined, 60_000);
