// A process of its own that appends to a log and says what was acknowledged:
// `node writer.ts <dir> <topic> <name> <calls> <records per call>`. Record i goes to partition i mod 3.
import { writeSync } from 'node:fs';
import { systemClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { sqliteBroker } from '../sqlite-broker.ts';

const [dir, topic, name, calls, size] = process.argv.slice(2) as [string, string, string, string, string];
const broker = sqliteBroker({ dir, clock: systemClock, log: silentLog });
let next = 0;
for (let call = 0; call < Number(calls); call++) {
  const records = Array.from({ length: Number(size) }, () => ({
    topic,
    partition: next % 3,
    key: null,
    value: Buffer.from(`${name} ${next++}`),
    headers: {},
  }));
  await broker.append(records);
  writeSync(1, `${next}\n`);
}
await broker.close();
