import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"

/** The reported lag is the largest one of this many rounds, so that `/health` does not miss a short one. */
const ROUNDS = 17
/** With this lag, the server is degraded. */
const LAG_MS = 5000
/**
 * If the two clocks differ by this much, the clock has jumped. A smaller difference is a normal adjustment.
 */
const JUMP_MS = 10_000
/** How long a jump stays a reason for `degraded`. */
const TOLD_MS = 10 * 60_000

/** The clocks of the machine, and the callback for a jump. */
export interface EventLoopOptions {
  /** The machine's time, in epoch milliseconds. It can jump. */
  readonly nowMs: () => number
  /** Milliseconds of a clock that cannot jump. */
  readonly steadyMs: () => number
  /**
   * Called when the machine's time has jumped, with the number of milliseconds: positive if it jumped
   * forward, negative if it jumped back.
   */
  readonly onJump: (ms: number) => void
  /** Receives errors. */
  readonly onError: (error: unknown) => void
}

/** Checks every second how late the event loop is, and whether the machine's clock has jumped. */
export class EventLoop extends Repeating {
  readonly #reasons: Reasons
  readonly #options: EventLoopOptions
  #lags: number[] = []
  #latestMs: number
  #aheadMs: number
  #jumpedMs = Number.NEGATIVE_INFINITY

  constructor(reasons: Reasons, options: EventLoopOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
    this.#latestMs = options.steadyMs()
    this.#aheadMs = options.nowMs() - this.#latestMs
  }

  /** The longest time that the event loop delayed a timer within about the last 15 s, in milliseconds. */
  get lagMs(): number {
    return Math.max(0, ...this.#lags)
  }

  /** How many milliseconds ago the last timer ran; at most about a second if all is well. */
  stoodMs(): number {
    return this.#options.steadyMs() - this.#latestMs
  }

  /** Checks once; the timer was late by `lateMs` milliseconds. */
  round(lateMs: number): void {
    const { nowMs, steadyMs, onJump } = this.#options
    this.#latestMs = steadyMs()
    this.#lags = [...this.#lags.slice(1 - ROUNDS), lateMs]
    this.#reasons.set("event_loop_lag", this.lagMs >= LAG_MS, `${Math.round(this.lagMs)} ms`)
    const aheadMs = nowMs() - this.#latestMs
    const jumpMs = aheadMs - this.#aheadMs
    this.#aheadMs = aheadMs
    if (Math.abs(jumpMs) >= JUMP_MS) {
      this.#jumpedMs = this.#latestMs
      this.#reasons.set("clock_jumped", true, `${Math.round(jumpMs / 1000)} s`)
      onJump(jumpMs)
    }
    if (this.#latestMs - this.#jumpedMs > TOLD_MS) this.#reasons.set("clock_jumped", false)
  }
}
