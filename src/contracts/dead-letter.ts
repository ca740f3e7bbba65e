// A record that could not be processed. Topic `dead_letters`: key and value are the original bytes, and the
// headers say where it came from and why it is here (names of Kafka Connect, KIP-298).

export const DEAD_LETTER_HEADERS = {
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset',
  stage: '__connect.errors.connector.name',
  reason: '__connect.errors.exception.class.name',
  message: '__connect.errors.exception.message',
} as const;

/** Why a record was refused. Each with what it means and what to do. */
export const DEAD_LETTER_REASONS = {
  invalid_json: 'The bytes are not JSON. Look at the record; whoever wrote it must write it again.',
  schema: 'A field is missing or of another type than the contract says. Mend the writer, then replay.',
  amount_out_of_range:
    'An amount cannot be held exactly. Correct the row in the shop: its update is captured.',
  timestamp_out_of_range: 'A timestamp is infinite or outside the calendar. Correct the row in the shop.',
  invalid_quantity:
    'A sale item has a quantity below 1. Correct the row in the shop: its update is captured.',
  record_too_large:
    'The event is larger than a record may be. Shorten its texts in the shop, then update the row.',
  invalid_text:
    'A text holds a character that the warehouse cannot store (NUL). Mend the writer, then replay.',
  future_event_time:
    'The event is dated more than a minute ahead of its capture. Mend the clock, then replay.',
  warehouse_rejected: 'The warehouse refused the row; the message says why. Mend the cause, then replay.',
} as const;
export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;
