import type { Clock } from "../../item/moment.ts"

/** A sample older than this is replaced by any newer one. */
const SAMPLE_MS = 60_000
/** A larger difference is no measuring error: the server's clock has jumped. */
const JUMP_MS = 1000

/** An instance whose clock is further off has not noticed yet that the server's clock has jumped. */
const STALE_MS = 20_000

/** In SQL: whether a parameter is the time of an instance that knows the server's clock. */
export const isOfNow = (parameter: string): string =>
  `abs(extract(epoch FROM clock_timestamp()) * 1000 - ${parameter}::float8) < ${STALE_MS}`

/**
 * The clock of the database, which all instances use, as this instance knows it: the sample with the shortest
 * round trip in the last minute, continued by this machine's steady clock. It goes back only if the server's
 * clock has jumped.
 */
export class DatabaseClock implements Clock {
  readonly #onJump: (sinceMs: number, isBack: boolean) => void
  #offsetMs = 0
  #tripMs = Number.POSITIVE_INFINITY
  #sampledMs = Number.NEGATIVE_INFINITY
  #lastMs = 0

  /**
   * `onJump` is called when the server's clock has jumped, with the last time at which it had not yet, in epoch
   * milliseconds: by the former clock if it went forward, so that what it left out is counted; and whether it
   * has gone back.
   */
  constructor(onJump: (sinceMs: number, isBack: boolean) => void) {
    this.#onJump = onJump
  }

  /** Epoch milliseconds of the database. */
  readonly now = (): number => {
    this.#lastMs = Math.max(this.#lastMs, Math.round(performance.now() + this.#offsetMs))
    return this.#lastMs
  }

  /** The steady clock is the database's, too: all instances must agree on when a lease runs out. */
  readonly steadyMs = this.now

  /** Takes the server's time, in epoch milliseconds, from an answer to what was sent at `askedMs`. */
  sample(serverMs: number, askedMs: number): void {
    const gotMs = performance.now()
    const tripMs = gotMs - askedMs
    const offsetMs = serverMs - (askedMs + gotMs) / 2
    const isFirst = this.#sampledMs === Number.NEGATIVE_INFINITY
    const hasJumped = !isFirst && Math.abs(offsetMs - this.#offsetMs) > JUMP_MS + tripMs / 2
    if (!hasJumped && tripMs > this.#tripMs && gotMs - this.#sampledMs < SAMPLE_MS) return
    const sinceMs = this.#sampledMs + Math.min(offsetMs, this.#offsetMs)
    const isBack = offsetMs < this.#offsetMs
    this.#offsetMs = offsetMs
    this.#tripMs = tripMs
    this.#sampledMs = gotMs
    if (!hasJumped) return
    this.#lastMs = 0
    this.#onJump(Math.floor(sinceMs), isBack)
  }
}
