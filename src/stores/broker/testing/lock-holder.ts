// A process of its own that holds a log's write lock for a while: `node lock-holder.ts <file> <ms>`.
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const [file, ms] = process.argv.slice(2) as [string, string];
const db = new DatabaseSync(file, { timeout: 5_000 });
db.exec('BEGIN IMMEDIATE');
writeSync(1, 'held\n');
setTimeout(() => db.exec('COMMIT'), Number(ms));
