import { hash } from 'node:crypto';

/**
 * Digest of a ledger entry, 60 bits: sums of it over entries agree only where the entries do, in any order.
 * `id` is the sale's, or for an item the sale detail's. In SQL:
 * `('x' || substr(md5(id || ':' || status || ':' || amount_minor), 1, 15))::bit(60)::bigint`.
 */
export const ledgerDigest = (id: number, status: string, amountMinor: number): bigint =>
  BigInt(`0x${hash('md5', `${id}:${status}:${amountMinor}`, 'hex').slice(0, 15)}`);
