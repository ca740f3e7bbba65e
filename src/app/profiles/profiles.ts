import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Options } from '../options.ts';
import type { Platform } from '../platform.ts';
import type { EmbeddedPostgres } from './embedded-postgres.ts';

export interface ProfileParts {
  readonly options: Options;
  /** Start what the profile brings along; false: find it running. */
  readonly start: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface OpenProfile {
  readonly platform: Platform;
  /** The PostgreSQL that came along, null where all servers are elsewhere. */
  readonly postgres: EmbeddedPostgres | null;
  /** Connection strings that can read the shop, secrets included. */
  readonly shopUrls: { readonly shop: string; readonly crm: string };
  /** The options that lead a child process to the same stores. */
  readonly childOptions: Options;
  /** Name of this process among several of a stage, null where there is one of each. */
  readonly instance: string | null;
  /** Closes the stores, then stops what came along. */
  close(): Promise<void>;
}

/** Loaded on demand: one profile never loads the clients of the other. */
const PROFILES = {
  embedded: async (parts) => (await import('./embedded.ts')).openEmbedded(parts),
  cluster: async (parts) => (await import('./cluster.ts')).openCluster(parts),
} satisfies Record<Options['profile'], (parts: ProfileParts) => Promise<OpenProfile>>;

/** Opens the stores of the profile that the options name. Close it in the end. */
export const openProfile = (parts: ProfileParts): Promise<OpenProfile> =>
  PROFILES[parts.options.profile](parts);
