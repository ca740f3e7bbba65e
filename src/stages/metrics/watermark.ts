// How far event time has got: a window whose end the watermark has passed expects no more events.
import { WATERMARK_DELAY_MS } from '../../contracts/metrics.ts';
import type { TopicPartition } from '../../stores/broker/broker.ts';

/** The most that one look at the clock can add: a suspended machine or a clock set forward must not close windows. */
const STEP_MS_MAX = 5_000;

/** What one source partition tells about time. */
export interface SourceTime {
  /** Newest event time seen there. */
  newest: number;
  /** Records waiting there. A partition without any does not hold time back. */
  lag: number;
}

export interface WatermarkState {
  readonly value: number | null;
  readonly idleMs: number;
}

/**
 * The least of the newest event times of the partitions that still have records waiting, minus the delay. When all
 * are read to their end, the newest of all, and from there it goes on at the pace of the clock. Never moves back.
 */
export class Watermark {
  value = Number.NEGATIVE_INFINITY;
  readonly #sources = new Map<TopicPartition, SourceTime>();
  #newest = Number.NEGATIVE_INFINITY;
  #idleMs = 0;
  #lookedAt: number;

  /** `now`: from when on time passes. What passed while nobody ran does not count. */
  constructor(now: number, state?: WatermarkState) {
    this.#lookedAt = now;
    if (state === undefined) return;
    this.value = state.value ?? Number.NEGATIVE_INFINITY;
    this.#idleMs = state.idleMs;
  }

  get newest(): number {
    return this.#newest;
  }

  source(name: TopicPartition): SourceTime {
    let source = this.#sources.get(name);
    if (source === undefined) {
      source = { newest: Number.NEGATIVE_INFINITY, lag: 0 };
      this.#sources.set(name, source);
    }
    return source;
  }

  /** An event of this time was seen there. */
  observe(source: SourceTime, eventTime: number): void {
    if (eventTime > source.newest) source.newest = eventTime;
    if (eventTime <= this.#newest) return;
    this.#newest = eventTime;
    this.#idleMs = 0;
  }

  /** Newest event time of a partition as a checkpoint had it. */
  restore(name: TopicPartition, newest: number): void {
    this.source(name).newest = newest;
    this.#newest = Math.max(this.#newest, newest);
  }

  /** Looks at the clock. The answer is whether the watermark moved. */
  advance(now: number): boolean {
    let held = Number.POSITIVE_INFINITY;
    for (const { newest, lag } of this.#sources.values()) if (lag > 0 && newest < held) held = newest;
    const caughtUp = held === Number.POSITIVE_INFINITY;
    const stepMs = Math.min(Math.max(now - this.#lookedAt, 0), STEP_MS_MAX);
    this.#lookedAt = now;
    // The step in which the newest event came is not idle time.
    if (caughtUp && this.#arrived === this.#newest) this.#idleMs += stepMs;
    this.#arrived = this.#newest;
    const next = (caughtUp ? this.#newest + this.#idleMs : held) - WATERMARK_DELAY_MS;
    if (!(next > this.value)) return false;
    this.value = next;
    return true;
  }
  #arrived = Number.NEGATIVE_INFINITY;

  export(): WatermarkState {
    return { value: Number.isFinite(this.value) ? this.value : null, idleMs: this.#idleMs };
  }
}
