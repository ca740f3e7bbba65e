// What a merchant's user gets: what is counted by merchant, of that merchant. Anything else is not sent at all.
import type { LiveHealth, LiveHistory, LiveScope } from '../../../../contracts/live.ts';
import type { Viewer } from './access.ts';

type Who = Pick<Viewer, 'merchant'> | null;

/** The scope that was asked for; of their own data alone for a merchant's user, whatever they asked for. */
export const ownScope = (scope: LiveScope, who: Who): LiveScope =>
  who === null || who.merchant === null
    ? scope
    : { period_s: scope.period_s, filter: { by: 'merchant', of: String(who.merchant) }, own: true };

/** A question to the warehouse; about their own data for a merchant's user, whatever they asked. */
export const ownQuestion = <Q extends { readonly customerId: number | null }>(question: Q, who: Who): Q =>
  who === null || who.merchant === null ? question : { ...question, customerId: who.merchant };

/** Without what is about the whole shop. */
export const ownHistory = (history: LiveHistory, who: Who): LiveHistory =>
  who === null || who.merchant === null ? history : { ...history, activity: [], totals: null };

/** Whether it is well; why not is for whoever has the whole shop. */
export const ownHealth = (
  health: LiveHealth,
  who: Who,
): LiveHealth | Pick<LiveHealth, 'status' | 'server_time'> =>
  who !== null && who.merchant === null ? health : { status: health.status, server_time: health.server_time };
