import { backoff } from "../backoff.ts"
import { pause } from "../client/missed-keepalives.ts"

const FIRST_MS = 100
const MOST_MS = 1000
const SPREAD = 0.25

/**
 * Pauses between tries. Each pause is twice as long as the one before, and ends at once when the signal
 * aborts.
 */
export class RetryPauses {
  readonly #mostMs: number
  #failures = 0

  /**
   * `mostMs` is the longest pause, before it is varied by 25 % in either direction; at most 1 s, which is the
   * default.
   */
  constructor(mostMs = MOST_MS) {
    this.#mostMs = Math.min(mostMs, MOST_MS)
  }

  /** Waits before the next try. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = backoff({ firstMs: FIRST_MS, mostMs: this.#mostMs, spread: SPREAD }, this.#failures)
    this.#failures += 1
    await pause(ms, signal)
  }

  /** Makes the next pause short again. Call it after a success. */
  reset(): void {
    this.#failures = 0
  }
}
