// What an event adds to the signed ledger and takes back from it: contracts/events/transaction.ts.
import { LEDGER_STATUSES } from '../../contracts/metrics.ts';

/** An event as it stands in the log. Nothing is taken for granted: the log is what is to be proven. */
export type LogEvent = Readonly<Record<string, unknown>>;

export interface Entry {
  readonly sign: 1 | -1;
  readonly id: number;
  readonly status: string;
  readonly minor: number;
}

const isGone = ({ op }: LogEvent): boolean => op === 'deleted' || op === 'withdrawn';

export function saleEntries(event: LogEvent): readonly Entry[] {
  if (event['op'] === 'items_changed') return [];
  const id = Number(event['transaction_id']);
  const entries: Entry[] = [];
  if (!isGone(event)) {
    entries.push({
      sign: 1,
      id,
      status: String(event['status']),
      minor: Number(event['total_amount_minor']),
    });
  }
  if (event['previous_status'] !== null) {
    const minor = Number(event['previous_total_amount_minor']);
    entries.push({ sign: -1, id, status: String(event['previous_status']), minor });
  }
  return entries;
}

export function itemEntries(event: LogEvent): readonly Entry[] {
  const id = Number(event['transaction_detail_id']);
  const status = String(event['transaction_status']);
  const entries: Entry[] = [];
  if (!isGone(event) && status !== 'removed') {
    entries.push({ sign: 1, id, status, minor: Number(event['amount_minor']) });
  }
  if (event['previous_transaction_status'] !== null) {
    const minor = Number(event['previous_amount_minor']);
    entries.push({ sign: -1, id, status: String(event['previous_transaction_status']), minor });
  }
  return entries;
}

const KNOWN = new Set<string>(LEDGER_STATUSES);
/** Texts that the metrics never count, also where a shop uses them as statuses of its own. */
const NEVER = new Set(['deleted', 'withdrawn']);

/** The ledger of a status in the windows; null where they have none. */
export const windowStatus = (status: string): string | null =>
  KNOWN.has(status) ? status : NEVER.has(status) ? null : 'other';
