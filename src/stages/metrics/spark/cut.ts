// Which batches of the query are read whole. A state of whole batches, and of nothing after them, is a cut: there the
// windows, and what was read in all, belong together, and only there they may be saved.
//
// Batches are written one after the other. So a partition in which a row of a later batch was read has no more rows of
// those before it; neither does one that was read up to the end it had after such a row was seen anywhere, or after
// the query was at rest.
import type { SparkRow } from './row.ts';

/** Rows kept back for a cut; when there are more, this cut is given up. */
const KEPT_BACK_MAX = 20_000;

export interface Look {
  /** By partition: the place after its newest record. */
  readonly ends: readonly number[];
  /** Batches up to this one were done before the ends were looked at. */
  readonly through: number;
}

export class Cut {
  /** By partition: the place after what was read. */
  readonly #next: number[];
  /** By partition: batches up to this one are read whole. */
  readonly #whole: number[];
  #newest: number;
  #aim: number | null = null;
  #keptBack: SparkRow[] = [];
  readonly #keptFrom = new Map<number, number>();
  #look: Look | null = null;

  /** `next`: where each partition is read from. `batch`: up to where it was read whole before that. */
  constructor(next: readonly number[], batch: number) {
    this.#next = [...next];
    this.#whole = next.map(() => batch);
    this.#newest = batch;
  }

  /** Time of the newest batch of which a row was read. */
  get newest(): number {
    return this.#newest;
  }

  /** Batches up to this one are read whole. */
  get whole(): number {
    return Math.min(...this.#whole);
  }

  /** A record was read that is no row of ours. */
  pass(partition: number, offset: number): void {
    this.#next[partition] = offset + 1;
  }

  /** A row was read. false: it is kept back until `release`. */
  offer(partition: number, offset: number, row: SparkRow): boolean {
    const { batchMs } = row;
    this.#next[partition] = offset + 1;
    if (batchMs > this.#newest) this.#newest = batchMs;
    if (batchMs > this.#whole[partition]!) this.#whole[partition] = batchMs - 1;
    if (this.#aim === null || batchMs <= this.#aim) return true;
    if (!this.#keptFrom.has(partition)) this.#keptFrom.set(partition, offset);
    this.#keptBack.push(row);
    return false;
  }

  /** Whether another look may be of use. */
  get isLookWanted(): boolean {
    return this.#look === null && this.whole < this.#newest;
  }

  look(look: Look): void {
    this.#look = look;
    this.settle();
  }

  /** Draws conclusions; to be called after reading on. */
  settle(): void {
    const look = this.#look;
    if (look === null || look.ends.some((end, partition) => this.#next[partition]! < end)) return;
    this.#look = null;
    for (let i = 0; i < this.#whole.length; i++) this.#whole[i] = Math.max(this.#whole[i]!, look.through);
  }

  /** From now on what is later than all that was read so far is kept back. */
  aim(): void {
    this.#aim ??= this.#newest;
  }

  get isAimed(): boolean {
    return this.#aim !== null;
  }

  /** Whether all up to the aim is read: with what is kept back left out, this is a cut. */
  get isReached(): boolean {
    return this.#aim !== null && this.whole >= this.#aim;
  }

  get isOverfull(): boolean {
    return this.#keptBack.length > KEPT_BACK_MAX;
  }

  /** Where each partition must be read on from, and which batch is the last one, when a state is saved at the aim. */
  get place(): { readonly next: readonly number[]; readonly batch: number } {
    const next = this.#next.map((offset, partition) => this.#keptFrom.get(partition) ?? offset);
    return { next, batch: this.#aim ?? this.#newest };
  }

  /** Ends the aim. The answer is what was kept back, as it was read. */
  release(): readonly SparkRow[] {
    const rows = this.#keptBack;
    this.#aim = null;
    this.#keptBack = [];
    this.#keptFrom.clear();
    return rows;
  }
}
