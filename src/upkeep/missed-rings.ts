import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"

const ROUND_MS = 6 * FAST_ROUND_MS
/** If the history takes longer than this to answer, the streams wait for the same database, and their bell is not to blame. */
const SLOW_MS = 1000
/** If the event loop was later than this, the streams had no time to read, and their bell is not to blame. */
const LATE_MS = 1000

/** The newest event of the history, and the newest one that was read for the streams. */
export interface MissedRingsOptions {
  /** The newest event ID of the history. */
  readonly head: () => Promise<number>
  /** The newest event ID that was read for the streams; undefined while no stream is open. */
  readonly heard: () => number | undefined
  /** A clock that never jumps, in milliseconds. */
  readonly steadyMs: () => number
  /** The longest time that the event loop kept a timer waiting lately, in milliseconds. */
  readonly lagMs: () => number
  /** Rings the bell again. */
  readonly ring: () => void
  /** Called when the history cannot be read; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Checks about every 5 s whether the streams get what is stored. A lost notification would delay updates until the
 * next one. If this happens, `/health` reports it, and the bell is rung again.
 */
export class MissedRings extends Repeating {
  readonly #reasons: Reasons
  readonly #options: MissedRingsOptions
  /** What was read for the streams at the last check at which they lacked updates. */
  #behindAt: number | undefined

  constructor(reasons: Reasons, options: MissedRingsOptions) {
    super(ROUND_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
  }

  /** Checks once. */
  async round(): Promise<void> {
    const behindAt = this.#behindAt
    this.#behindAt = undefined
    const heard = await this.#heardTooLittle()
    const isStill = heard !== undefined && heard === behindAt
    this.#reasons.set("bell_deaf", isStill && this.#options.lagMs() <= LATE_MS)
    this.#behindAt = heard
    // A ring too many does no harm, and a server that is always late may have missed one.
    if (isStill) this.#options.ring()
  }

  /** What was read for the streams, if more is stored; undefined if that is all, or the database is slow. */
  async #heardTooLittle(): Promise<number | undefined> {
    const { head: headOf, heard: heardOf, steadyMs } = this.#options
    const heard = heardOf()
    // While no stream is open, nothing is read.
    if (heard === undefined) return undefined
    const askedMs = steadyMs()
    const head = await headOf()
    const isSlow = steadyMs() - askedMs > SLOW_MS
    return head > heard && !isSlow ? heard : undefined
  }
}
