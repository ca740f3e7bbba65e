/** Beyond this the longest untold is forgotten. */
const TOLD_MAX = 200_000;

/** What listeners were told last, so that they are never told it again or something older. */
export class ToldVersions {
  readonly #told = new Map<string, { readonly version: number; readonly at: number }>();
  readonly #ttlMs: number;

  /** What was told longer ago than `ttlMs` is forgotten: the store has let it go as well. */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Whether this version is newer than the one told, if any; it counts as told then. */
  isNews(key: string, version: number, now: number): boolean {
    for (const [oldest, { at }] of this.#told) {
      if (now - at < this.#ttlMs && this.#told.size < TOLD_MAX) break;
      this.#told.delete(oldest);
    }
    const told = this.#told.get(key);
    if (told !== undefined && told.version >= version) return false;
    this.#told.delete(key);
    this.#told.set(key, { version, at: now });
    return true;
  }
}
