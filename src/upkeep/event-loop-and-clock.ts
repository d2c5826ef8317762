import type { Reasons } from "../health.ts"
import { Repeating } from "../service.ts"

const TURN_MS = 1000
/** The lag that counts is the largest of this many turns, so that no look misses a short one. */
const TURNS = 15
/** A lag that is a reason to be degraded. */
const LAG_MS = 5000
/** A difference between the two clocks that is a jump, and no adjustment. */
const JUMP_MS = 10_000
/** How long a jump stays a reason. */
const TOLD_MS = 10 * 60_000

/** The clocks of the machine, and what is called when they jump. */
export interface EventLoopOptions {
  /** The machine's time, in epoch milliseconds. It can jump. */
  readonly nowMs: () => number
  /** Milliseconds that only pass. */
  readonly steadyMs: () => number
  /** Called when the machine's time has jumped, with the milliseconds that it went forward, or back if negative. */
  readonly onJump: (ms: number) => void
  /** Receives errors. */
  readonly onError: (error: unknown) => void
}

/** Checks every second how late the event loop is, and whether the machine's clock has jumped. */
export class EventLoop extends Repeating {
  readonly #reasons: Reasons
  readonly #options: EventLoopOptions
  #lags: number[] = []
  #turnedMs: number
  #aheadMs: number
  #jumpedMs = Number.NEGATIVE_INFINITY

  constructor(reasons: Reasons, options: EventLoopOptions) {
    super(TURN_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
    this.#turnedMs = options.steadyMs()
    this.#aheadMs = options.nowMs() - this.#turnedMs
  }

  /** The longest that the event loop kept a timer waiting within the last 15 s, in milliseconds. */
  get lagMs(): number {
    return Math.max(0, ...this.#lags)
  }

  /** For how many milliseconds no timer has had its turn; about a second at most while all is well. */
  stoodMs(): number {
    return this.#options.steadyMs() - this.#turnedMs
  }

  /** Checks once; the timer was late by `lateMs` milliseconds. */
  turn(lateMs: number): void {
    const { nowMs, steadyMs, onJump } = this.#options
    this.#turnedMs = steadyMs()
    this.#lags = [...this.#lags.slice(1 - TURNS), lateMs]
    this.#reasons.set("event_loop_lag", this.lagMs >= LAG_MS, `${Math.round(this.lagMs)} ms`)
    const aheadMs = nowMs() - this.#turnedMs
    const jumpMs = aheadMs - this.#aheadMs
    this.#aheadMs = aheadMs
    if (Math.abs(jumpMs) >= JUMP_MS) {
      this.#jumpedMs = this.#turnedMs
      this.#reasons.set("clock_jumped", true, `${Math.round(jumpMs / 1000)} s`)
      onJump(jumpMs)
    }
    if (this.#turnedMs - this.#jumpedMs > TOLD_MS) this.#reasons.set("clock_jumped", false)
  }
}
