import { LateError } from "./faults.ts"

/** A limit that ends later than this after its time ends because the whole process stood still. */
const LATE_MS = 1000

/**
 * A time limit for an answer. Time in which this process stood still does not count: the answer may have come
 * meanwhile, and is read after the limit has ended.
 */
export class Deadline {
  /** Rejects with `LateError` when the time is over. */
  readonly passed: Promise<never>
  /** Whether it was noticed that the process stood still meanwhile. */
  hasStood = false
  readonly #limitMs: number
  readonly #reject: (error: LateError) => void
  #dueMs = 0
  #timer: Timer | undefined

  constructor(limitMs: number) {
    const { promise, reject } = Promise.withResolvers<never>()
    this.passed = promise
    this.#limitMs = limitMs
    this.#reject = reject
    this.#begin()
  }

  /** Ends it: nothing waits any more. */
  end(): void {
    clearTimeout(this.#timer)
    // An answer may be read before the timer that is due as well.
    this.#hasJustStood()
  }

  #begin(): void {
    this.#dueMs = performance.now() + this.#limitMs
    this.#timer = setTimeout(() => {
      if (this.#hasJustStood()) this.#begin()
      else this.#reject(new LateError())
    }, this.#limitMs)
  }

  #hasJustStood(): boolean {
    const isLate = performance.now() - this.#dueMs > LATE_MS
    this.hasStood ||= isLate
    return isLate
  }
}
