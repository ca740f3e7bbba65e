// `/api/v1/people`: people instead of events, for the page. Imports nothing.

/** Looks at products that travel: the most looked at. */
export const VIEWS_MAX = 500;
/** "Now": whoever did something within so long. */
export const PEOPLE_NOW_MS = 300_000;

/** Money of the sessions of one currency; those that had several are `mixed`. Minor units. */
export interface LivePeopleMoney {
  readonly currency: string;
  readonly cart_minor: number;
  readonly checkout_minor: number;
  readonly bought_minor: number;
  /** Of `bought_minor`, that of sessions that had checked out. */
  readonly bought_of_checked_out_minor: number;
  readonly abandoned: number;
  readonly abandoned_minor: number;
}

/** Sessions and buyers of [from, to), epoch ms; each counts once, so ranges cannot be added. */
export interface LivePeopleFigures {
  readonly from: number;
  readonly to: number;
  /** Sessions whose time touches the range, and those of them that had done a step by its end. */
  readonly sessions: number;
  readonly viewed: number;
  readonly carted: number;
  readonly checked_out: number;
  readonly bought: number;
  /** Those that had done both a step and the one before it. */
  readonly carted_of_viewed: number;
  readonly checked_out_of_carted: number;
  readonly bought_of_checked_out: number;
  readonly money: readonly LivePeopleMoney[];
  /** Completed sales that name no session. */
  readonly sessionless_sales: number;
  readonly buyers: number;
  /** Of the buyers, those whose first completed sale ever is in the range. */
  readonly new_buyers: number;
}

export interface LivePeople {
  /** When it was read, and how long that took. */
  readonly server_time: number;
  readonly took_ms: number;
  /** The merchant it is about; null for all. */
  readonly customer_id: number | null;
  /** The last PEOPLE_NOW_MS. */
  readonly now: Pick<LivePeopleFigures, 'from' | 'to' | 'sessions' | 'buyers'>;
  readonly period: LivePeopleFigures;
  /** What it is compared with: as much time, one period or some weeks earlier; null where nothing is asked for. */
  readonly before: LivePeopleFigures | null;
  /** The warehouse's first event: what is before it is not known. */
  readonly known_from: number | null;
  /** By views, at most VIEWS_MAX. */
  readonly views: readonly { readonly product_id: number; readonly views: number }[];
}
