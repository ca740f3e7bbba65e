// Sales as a ledger: what an engine's accounting says of them, and what the log says.
import type { Accounting, LedgerSums } from '../../../src/stages/metrics/engine.ts';
import type { Line } from './naive.ts';

/** Net rows and cents per day, currency and status over everything read. */
export function salesOf({ windows, tooLate, quarantined }: Accounting): Record<string, [number, number]> {
  const net: Record<string, [number, number]> = {};
  const all: LedgerSums[] = [windows, tooLate, quarantined];
  for (const row of all.flatMap(({ sales }) => sales)) {
    add(net, `${row.day} ${row.currency} ${row.status} in`, row.entered, row.enteredMinor);
    add(net, `${row.day} ${row.currency} ${row.status} out`, row.left, row.leftMinor);
  }
  return net;
}

/** The same straight from the log. */
export function ledgerOf(lines: readonly Line[]): Record<string, [number, number]> {
  const net: Record<string, [number, number]> = {};
  const known = ['completed', 'pending', 'failed', 'refunded', 'cancelled'];
  for (const { topic, event } of lines) {
    if (topic !== 'transactions' || event['op'] === 'items_changed') continue;
    const day = new Date(event['event_time'] as number).toISOString().slice(0, 10);
    const enter = (status: unknown, minor: unknown, way: string) => {
      if (status === null || status === 'deleted' || status === 'withdrawn') return;
      const name = known.includes(String(status)) ? status : 'other';
      add(net, `${day} ${event['currency']} ${name} ${way}`, 1, minor as number);
    };
    enter(event['status'], event['total_amount_minor'], 'in');
    enter(event['previous_status'], event['previous_total_amount_minor'], 'out');
  }
  return net;
}

function add(net: Record<string, [number, number]>, key: string, rowsBy: number, minor: number): void {
  if (rowsBy === 0) return;
  const [count, sum] = net[key] ?? [0, 0];
  net[key] = [count + rowsBy, sum + minor];
}
