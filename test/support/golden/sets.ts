// The golden inputs, made from fixed seeds. `node test/support/golden/generate.ts` writes them, and what must come
// of them.
import { seededRandom } from '../../../src/lib/random.ts';
import type { Line } from './naive.ts';
import { makeShop } from './shop.ts';

export const START = Date.UTC(2026, 10, 24, 23, 30);
const HOUR = 3_600_000;

/** Events in the order of the log, one activity every `stepMs`. */
export function traffic(seed: string, activities: number, stepMs: number): Line[] {
  const shop = makeShop(seed);
  const random = seededRandom(`${seed}/traffic`);
  return Array.from({ length: activities }, (_, i) => {
    const time = START + i * stepMs;
    const kind = random.next();
    return kind < 0.3 ? shop.sale(time) : kind < 0.45 ? shop.change(time) : [shop.visit(time)];
  }).flat();
}

const dated = (line: Line, by: (event: Line['event']) => Partial<Line['event']>): Line => ({
  ...line,
  event: { ...line.event, ...by(line.event) },
});

/** One event in five comes up to `msMax` after its place. */
export function shuffled(lines: readonly Line[], seed: string, msMax: number): readonly Line[] {
  const random = seededRandom(seed);
  return lines
    .map((line) => {
      const delay = random.next() < 0.2 ? random.int(0, msMax) : 0;
      return { line, at: (line.event['event_time'] as number) + delay };
    })
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line);
}

/** The event as if it had happened so long before. */
export const older = (line: Line, byMs: number): Line =>
  dated(line, (event) => {
    const event_time = (event['event_time'] as number) - byMs;
    return { event_time, timestamp: new Date(event_time).toISOString() };
  });

export const GOLDEN_SETS: Readonly<Record<string, () => readonly Line[]>> = {
  straight: () => traffic('straight', 90, 2_000),
  shuffled: () => shuffled(traffic('shuffled', 100, 3_000), 'shuffled/order', 60_000),
  /** 45 min of traffic; every tenth event 30 min late, and at the end some 2 h late. */
  late: () => {
    const lines = traffic('late', 110, 25_000);
    return lines.map((line, i) => {
      if (i > lines.length * 0.8 && i % 7 === 0) return older(line, 2 * HOUR);
      return i % 10 === 9 ? older(line, HOUR / 2) : line;
    });
  },
  /** Some dated tomorrow, and one a second inside the limit. */
  future: () =>
    traffic('future', 60, 4_000).map((line, i) =>
      i % 9 === 4 ? older(line, -24 * HOUR) : i === 50 ? older(line, -59_000) : line,
    ),
  /** Few sales with a long life: every op, unknown statuses, three currencies. */
  ledger: () => {
    const shop = makeShop('ledger');
    return Array.from({ length: 70 }, (_, i) => {
      const time = START + i * 9_000;
      return i < 8 ? shop.sale(time) : shop.change(time);
    }).flat();
  },
};
