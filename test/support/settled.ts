import { type Books, compareBooks } from './books.ts';
import { type Program, type System, until } from './system.ts';

/**
 * Waits until every place agrees with the shop, and that it stays so; fails with the differences. The shop must be
 * quiet (`--generator off`).
 */
export async function settled(system: System, programs: readonly Program[], msMax = 40_000): Promise<Books> {
  let last: readonly string[] = ['nothing could be read'];
  const look = async (): Promise<Books | null> => {
    try {
      const page = await system.snapshot();
      const books = await compareBooks(system.dataDir, page);
      last = page === null ? ['no page'] : books.differences;
      return last.length === 0 ? books : null;
    } catch (error) {
      last = [`not readable yet: ${(error as Error).message}`];
      return null;
    }
  };
  try {
    await until('all agree', look, { programs, msMax });
    // What counts too much may come later.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return await until('all still agree', look, { programs, msMax: 1 });
  } catch (error) {
    throw new Error(`${last.slice(0, 20).join('\n')}\n${(error as Error).message}`);
  }
}
