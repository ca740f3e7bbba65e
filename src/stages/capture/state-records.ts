// The capture state as records of its changelog.
import type { BrokerRecord, OutgoingRecord } from '../../stores/broker/broker.ts';
import type { Kind, StateHead, StateRow } from './capture-state.ts';

/** Key of the head: it ends every save, so what stands before it is whole. */
const HEAD_KEY = 'head';
/** Header of a body's last piece: how many there are. */
const PIECES = 'pieces';
/** Room for key and headers beside the value. */
const HEADROOM_BYTES = 1_024;
const NONE = new Uint8Array();
const NO_HEADERS = {};

export interface ChangelogPlace {
  readonly topic: string;
  readonly partition: number;
  readonly recordBytesMax: number;
}

/** A body that is larger than a record may be comes in pieces, the one with the row's own key last. */
export function rowRecords({ kind, id, body }: StateRow, place: ChangelogPlace): readonly OutgoingRecord[] {
  const { topic, partition } = place;
  const key = `${kind}/${id}`;
  if (body === undefined) return [{ topic, partition, key, value: NONE, headers: NO_HEADERS }];
  const bytes = Buffer.from(body ?? 'null');
  const size = place.recordBytesMax - HEADROOM_BYTES;
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, index) => ({
    topic,
    partition,
    key: index < count - 1 ? `${key}/${index}` : key,
    value: bytes.subarray(index * size, (index + 1) * size),
    headers: count > 1 && index === count - 1 ? { [PIECES]: String(count) } : NO_HEADERS,
  }));
}

export function headRecord(head: StateHead, { topic, partition }: ChangelogPlace): OutgoingRecord {
  const text = JSON.stringify(head, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return { topic, partition, key: HEAD_KEY, value: Buffer.from(text), headers: NO_HEADERS };
}

export const isHead = ({ key }: BrokerRecord): boolean => key === HEAD_KEY;

export function headOf({ value }: BrokerRecord): StateHead {
  const head = JSON.parse(Buffer.from(value).toString());
  const { place } = head;
  return {
    ...head,
    place: place && {
      commit: BigInt(place.commit),
      part: place.part,
      acknowledged: BigInt(place.acknowledged),
    },
  };
}

/** A row as it was read; `incomplete`: only some pieces of it. */
export interface ReadRow extends StateRow {
  /** Epoch seconds. */
  readonly touched: number;
  readonly pieces: readonly Uint8Array[];
  readonly incomplete: boolean;
}

/** The row that a record stands for; `before` is what was read of the same row since the last head. */
export function rowOf(record: BrokerRecord, before: ReadRow | undefined): ReadRow {
  const { key, value, headers, timestamp } = record;
  const [kind, id, piece] = key!.split('/').map(Number) as [Kind, number, number | undefined];
  const common = { kind, id, touched: Math.floor(timestamp / 1000) };
  const earlier = before?.incomplete && piece !== 0 ? before.pieces : [];
  if (piece !== undefined) return { ...common, body: null, pieces: [...earlier, value], incomplete: true };
  const whole = headers[PIECES] === undefined ? value : Buffer.concat([...earlier, value]);
  const text = Buffer.from(whole).toString();
  const body = text === '' ? undefined : text === 'null' ? null : text;
  return { ...common, body, pieces: [], incomplete: false };
}

/** Of the row that a record belongs to. */
export const rowKeyOf = ({ key }: BrokerRecord): string => key!.split('/').slice(0, 2).join('/');
