import type { Outage } from "../item/estimate/follow-attempt.ts"

/**
 * If an outage begins this soon after another one, it belongs to that one: on a disk that is nearly full some
 * commits succeed.
 */
const SAME_MS = 5000

/**
 * A commit or an answer that takes longer than this is an outage: workers that report meanwhile are heard after it, and
 * only then.
 */
export const SLOW_MS = 2000

/** How many outages are known; the oldest are forgotten first. */
const MOST_KNOWN = 100

/**
 * The account of outages: times in which nothing could be stored, or in which no server ran. They shorten no
 * lease: in the first transaction after an outage, before anything else, a store extends every lease by the
 * length of the outage. All times are milliseconds of the steady clock.
 */
export class Outages {
  #sinceMs: number | undefined
  /** When the outage under way was over, if that is known: then only the account of it is still to be stored. */
  #overMs: number | undefined
  #endedMs = 0
  #last: Outage | undefined
  readonly #known: Outage[] = []

  /**
   * Notes that an outage has been under way since `sinceMs`, or that the last one goes on. No time is counted
   * twice.
   */
  begin(sinceMs: number): void {
    const isSame = this.#endedMs > 0 && sinceMs < this.#endedMs + SAME_MS
    const uncountedMs = isSame ? this.#endedMs : sinceMs
    this.#sinceMs = Math.min(this.#sinceMs ?? uncountedMs, uncountedMs)
    this.#overMs = undefined
  }

  /**
   * Notes an answer that was slow, from `sinceMs` until `overMs`: an outage that is over, unless another one is under way.
   */
  noteSlow(sinceMs: number, overMs: number): void {
    const isOpen = this.#sinceMs !== undefined && this.#overMs === undefined
    this.#sinceMs = Math.min(this.#sinceMs ?? sinceMs, sinceMs)
    this.#overMs = isOpen ? undefined : overMs
  }

  /** Notes that the steady clock has gone back, as that of a PostgreSQL can: what was noted would lie in the future. */
  goBack(): void {
    this.#sinceMs = undefined
    this.#overMs = undefined
    this.#endedMs = 0
    this.#last = undefined
    this.#known.length = 0
  }

  /**
   * The outage that ends if a transaction that begins at `nowMs` is committed; undefined if none is under
   * way.
   */
  endingAt(nowMs: number): Outage | undefined {
    if (this.#sinceMs === undefined || this.#sinceMs >= nowMs) return undefined
    this.#last = { sinceMs: this.#sinceMs, endedMs: Math.min(this.#overMs ?? nowMs, nowMs) }
    this.#know(this.#last)
    return this.#last
  }

  /** Adds an outage to those that are known: one that is the same, or follows at once, makes the latest one longer. */
  #know({ sinceMs, endedMs }: Outage): void {
    const latest = this.#known.at(-1)
    const isSame = latest !== undefined && sinceMs <= latest.endedMs
    if (isSame) this.#known.pop()
    const known = isSame ? latest : { sinceMs, endedMs }
    this.#known.push({
      sinceMs: Math.min(known.sinceMs, sinceMs),
      endedMs: Math.max(known.endedMs, endedMs),
    })
    if (this.#known.length > MOST_KNOWN) this.#known.shift()
  }

  /** Forgets which outages there were, if the only one was none, because another instance was alive meanwhile. */
  forgetKnown(): void {
    this.#known.length = 0
  }

  /** Adds outages that other instances have counted. */
  learn(counted: readonly Outage[]): void {
    const all = [...this.#known, ...counted].toSorted((one, other) => one.sinceMs - other.sinceMs)
    this.#known.length = 0
    for (const outage of all) this.#know(outage)
  }

  /** Notes that a transaction that began at `nowMs` was committed, at `committedMs` (default: at once). */
  end(nowMs: number, committedMs = nowMs): void {
    if (this.#sinceMs !== undefined) this.#endedMs = nowMs
    const isSlow = committedMs - nowMs > SLOW_MS
    // Between two slow commits workers are heard. That time counts, or on a slow disk no dead worker would lose its lease.
    this.#sinceMs = isSlow ? nowMs : undefined
    this.#overMs = isSlow ? committedMs : undefined
  }

  /** By how much the next transaction extends leases, if it begins at `nowMs`; 0 while that is not known. */
  uncountedMs(nowMs: number): number {
    if (this.#sinceMs === undefined || this.#overMs === undefined) return 0
    return Math.max(0, Math.min(this.#overMs, nowMs) - this.#sinceMs)
  }

  /** Whether an outage is under way. */
  get isUnderWay(): boolean {
    return this.#sinceMs !== undefined
  }

  /** Whether an outage is over, and is only still to be counted by the next transaction. */
  get isOver(): boolean {
    return this.#overMs !== undefined
  }

  /**
   * The latest outages that have ended, or are ending with the transaction under way, also those that were learned; the
   * oldest first. Those that follow each other at once are one.
   */
  get known(): readonly Outage[] {
    return this.#known
  }

  /** How long the last outage took that has ended or is ending; 0 if there was none. */
  get lastMs(): number {
    return this.#last ? this.#last.endedMs - this.#last.sinceMs : 0
  }

  /** When the last outage ended; 0 if there was none. */
  get endedMs(): number {
    return this.#endedMs
  }
}
