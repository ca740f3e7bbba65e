// Starts brokers that end with this process, says so, and waits to be killed.
import { systemClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { startKafka } from '../kafka.ts';
import { ADMIN_USER, BROKER_USER } from '../settings.ts';

await startKafka({
  dataDir: process.argv[2]!,
  ports: null,
  controllerPorts: null,
  users: { [ADMIN_USER]: 'secret-of-admin', [BROKER_USER]: 'secret-of-broker' },
  tied: true,
  clock: systemClock,
  log: silentLog,
});
console.log('ready');
setInterval(() => undefined, 60_000);
