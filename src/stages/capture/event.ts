// What the events of both databases have in common.
import { SCHEMA_VERSION } from '../../contracts/events/envelope.ts';
import type { ShopEvent } from '../../contracts/events/events.ts';
import type { Topic } from '../../contracts/topics.ts';
import { eventId } from '../../lib/ids.ts';
import type { Outcome } from '../../lib/result.ts';
import type { ShopDatabase } from '../../stores/shop/changes.ts';

/** What the rows cannot say: when and where the change was committed, and seen. */
export interface Occasion {
  readonly database: ShopDatabase;
  /** Sets apart several changes of one row: transaction id and part, the same in every delivery. */
  readonly version: string;
  readonly committedAt: number;
  readonly capturedAt: number;
  /** Of a row without a currency. */
  readonly mainCurrency: string;
}

/** An event, or why there is none, with where it belongs. */
export interface Draft {
  readonly topic: Topic;
  readonly key: string;
  /** Position is filled in when its place is known. */
  readonly outcome: Outcome<ShopEvent>;
}

/**
 * The envelope. `what` names what happened: a table, a key, a kind of change, and a version where that kind can happen
 * more than once.
 */
export function envelopeOf(what: string, eventTime: number, occasion: Occasion) {
  return {
    event_id: eventId(`${occasion.database}/${what}`),
    event_time: eventTime,
    timestamp: new Date(eventTime).toISOString(),
    committed_at: occasion.committedAt,
    captured_at: occasion.capturedAt,
    schema_version: SCHEMA_VERSION as 1,
    source: 'postgresql_realtime',
    source_database: occasion.database,
    source_position: '',
  };
}
