import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Options } from './options.ts';
import {
  type EmbeddedPostgres,
  findEmbeddedPostgres,
  startEmbeddedPostgres,
} from './profiles/embedded-postgres.ts';

/** Connection strings of the three databases. Secrets: never printed, never in the arguments of a child. */
export interface Urls {
  readonly shop: string;
  readonly crm: string;
  readonly dwh: string;
}

/** Whether the options leave a database to the embedded PostgreSQL. */
export const needsEmbedded = ({ profile, shopUrl, dwhUrl }: Options): boolean =>
  profile === 'embedded' && (shopUrl === null || dwhUrl === null);

export interface Connected {
  readonly urls: Urls;
  /** The embedded PostgreSQL, null where everything is elsewhere. */
  readonly postgres: EmbeddedPostgres | null;
}

/** Where the databases are: named by the options, else in the embedded PostgreSQL, started here or found running. */
export async function connect(
  options: Options,
  how: { readonly start: boolean; readonly clock: Clock; readonly log: Log },
): Promise<Connected> {
  const { dataDir, postgresPort: port } = options;
  const { clock, log } = how;
  const postgres = !needsEmbedded(options)
    ? null
    : how.start
      ? await startEmbeddedPostgres({ dataDir, port, clock, log: log.child('postgres') })
      : await findEmbeddedPostgres(dataDir);
  return {
    postgres,
    urls: {
      shop: options.shopUrl ?? postgres!.url('instashop'),
      crm: crmUrl(options) ?? postgres!.url('crm_db'),
      dwh: options.dwhUrl ?? postgres!.url('dwh_db'),
    },
  };
}

/** crm_db lies beside the shop unless it is named. */
export function crmUrl({ shopUrl, crmUrl: named }: Options): string | null {
  if (named !== null || shopUrl === null) return named;
  const url = new URL(shopUrl);
  url.pathname = '/crm_db';
  return url.href;
}

/** The connection string with a user and password. */
export function withUser(url: string, user: string, password: string): string {
  const named = new URL(url);
  named.username = user;
  named.password = encodeURIComponent(password);
  return named.href;
}

/** A connection string as it may be shown. */
export function masked(url: string): string {
  const shown = new URL(url);
  if (shown.password) shown.password = '***';
  shown.search = '';
  return shown.href;
}
