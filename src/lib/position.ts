// Where a change stands in its source's order, as text that sorts as the order does:
// 16 hex digits of the commit's place (LSN, or the cut of a poll), a dot, 12 hex digits of the ordinal within it.

export type Position = string;

/** Before every change. */
export const POSITION_START: Position = '0000000000000000.000000000000';

/** `commit` as an LSN (64 bit) or another rising number; `ordinal` counts the events of one commit from 0. */
export const positionOf = (commit: bigint, ordinal: number): Position =>
  `${commit.toString(16).padStart(16, '0')}.${ordinal.toString(16).padStart(12, '0')}`;

/** The commit's place in a position. */
export const commitOf = (position: Position): bigint => BigInt(`0x${position.slice(0, 16)}`);
