import { setTimeout as sleep } from 'node:timers/promises';
import { type Books, compareBooks } from './books.ts';
import { type Program, type System, until } from './system.ts';

/** Looking costs time that the system needs to catch up. */
const LOOK_EVERY_MS = 500;
/** What PostgreSQL writes for itself is never all read. */
const LAG_BYTES_MAX = 100_000;

/**
 * Waits until every place agrees with the shop, and that it stays so; fails with the differences. The shop must be
 * quiet (`--generator off`).
 */
export async function settled(system: System, programs: readonly Program[], msMax = 40_000): Promise<Books> {
  let last: readonly string[] = ['nothing could be read'];
  const look = async (): Promise<Books | null> => {
    const health = await system.health();
    const behind = health?.stages.filter(
      // A generator that was stopped keeps its last word.
      ({ stage, lag, lag_unit: unit }) =>
        stage !== 'generator' && (lag ?? 0) > (unit === 'bytes' ? LAG_BYTES_MAX : 0),
    );
    last = behind?.map(({ stage, lag, lag_unit: unit }) => `${stage} is ${lag} ${unit} behind`) ?? [
      'no page',
    ];
    if (last.length === 0) {
      try {
        const books = await compareBooks(system.dataDir, await system.snapshot());
        last = books.differences;
        if (last.length === 0) return books;
      } catch (error) {
        last = [`not readable yet: ${(error as Error).message}`];
      }
    }
    await sleep(LOOK_EVERY_MS);
    return null;
  };
  try {
    await until('all agree', look, { programs, msMax });
    // What counts too much may come later.
    await sleep(1_000);
    const books = await compareBooks(system.dataDir, await system.snapshot());
    last = books.differences;
    if (last.length > 0) throw new Error('they agreed, and a second later they do not');
    return books;
  } catch (error) {
    throw new Error(`${last.slice(0, 20).join('\n')}\n${(error as Error).message}`);
  }
}

/** `instashop status --verify` of the running system; fails with what it says. */
export async function verified(system: System): Promise<void> {
  const command = system.start('status', '--verify');
  const code = await command.ended;
  if (code !== 0) throw new Error(`status --verify ended with ${code}:\n${command.said()}`);
}
