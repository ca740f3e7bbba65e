// What each number is made of.
export const define = {
  revenue:
    'What completed sales brought, counted when a sale became completed. Refunds and cancellations are taken off ' +
    'in the line below, at the time they happened.',
  itemRevenue: 'Charged price × quantity of the items in completed sales of this category, before refunds.',
  sales: 'Sales that became completed in this time.',
  items: 'Lines of completed sales in this category; a line may be several pieces.',
  perMinute: 'The newest closed 30 s window, times two: the open one is not whole yet.',
  average: 'Revenue divided by the number of completed sales, of the same time.',
  averageItem: 'Revenue of the category divided by its lines sold, of the same time.',
  conversion:
    'Completed sales per 100 website visits of the same time. A visit is an event, not a person, so this is a ' +
    'rate of the whole shop and may pass 100 %.',
  buyers: 'Different buyers of completed sales in the newest window only: they cannot be added over windows.',
  eventRate: 'Visits, searches, cart steps and sales placed, in the newest closed window, per second.',
  notRevenue:
    'Sales that became pending, failed or refunded in this time, with their amounts. Never in the revenue.',
  today: 'Since midnight of your time zone, from the warehouse’s hours. The running hour is in it.',
  categories: 'Charged price × quantity of completed sales by category, with pieces. Press a name to filter.',
  payments: 'Revenue of completed sales by payment method. Press a name to filter.',
  products:
    'Charged price × quantity and pieces of completed sales: the first by revenue and the first by pieces. ' +
    'Views are events of somebody looking at the product, from the warehouse, as of the time said under ' +
    'People.',
  carts:
    'Cart events as the shop wrote them, and the sum of the carts’ values after each. Events, not carts or ' +
    'people: one cart may be counted at each step. Abandoned is what the shop says of a cart it gave up.',
  activeSessions:
    'Different sessions (session_id) whose first event is before the end and whose last is not before the start. ' +
    'One that was seen again more than a day later is no longer found.',
  differentBuyers: 'Different buyers (buyer_id) whose sales became completed, each counted once.',
  newBuyers:
    'Buyers whose first completed sale ever, of this merchant where one is chosen, is in this time; the ' +
    'others had bought before. “Ever” is since the warehouse was first loaded.',
  abandonedCarts:
    'Carts whose session did nothing for 30 minutes, counted when these were over: not empty, not checked ' +
    'out, and no sale after them. One that is taken up again later no longer counts. Beside it, the shop’s ' +
    'own events.',
  funnel:
    'Active sessions, each once, that had done the step by the end of the time. A sale belongs to the session ' +
    'that it names (session_id of both tables), not to the buyer. Money: the carts as last left, the ' +
    'checkouts, and the completed sales before refunds, as now known. Sessions are of all currencies, money ' +
    'of the chosen one.',
  behavior: 'Interactions by type, each counted once.',
  searches:
    'Searches by term. Without result are those whose result count is 0; the share is of all searches.',
  hourRevenue: 'Entries into “completed” by the hour in which they happened, from the warehouse’s rollups.',
  hourOrders: 'Sales that became completed, by the hour in which they did.',
  feed:
    'The newest sales that became completed, as the warehouse has them, read every 2 s. Of the buyer only the end of ' +
    'the number is told.',
  reconciliation:
    'Rows, money and contents of the shop’s databases, the log, the warehouse and the windows, compared at ' +
    'one exact cut while everything runs: the same as `instashop status --verify`. Money of all currencies ' +
    'together.',
  heat:
    'Mean revenue of one hour, by weekday and hour of your time zone, over the last four weeks. Hours without a ' +
    'sale count as zero, hours before the first event do not count.',
  totals: 'Everything the warehouse holds, of all merchants and currencies, whatever is chosen above.',
};
