import { setTimeout as sleep } from "node:timers/promises"

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 1000

/** Pauses between tries: each is twice as long as the one before, and ends at once when the signal aborts. */
export class Patience {
  readonly #maxMs: number
  #ms = FIRST_RETRY_MS

  /** `maxMs` is the longest pause before the spread of 25 % either way; default and most 1 s. */
  constructor(maxMs = MAX_RETRY_MS) {
    this.#maxMs = Math.min(maxMs, MAX_RETRY_MS)
  }

  /** Waits before the next try. */
  async wait(signal: AbortSignal): Promise<void> {
    // The spread keeps many workers from returning in the same moment.
    const ms = this.#ms * (0.75 + Math.random() / 2)
    this.#ms = Math.min(this.#ms * 2, this.#maxMs)
    await pause(ms, signal)
  }

  /** Makes the next pause short again. Call it after a success. */
  reset(): void {
    this.#ms = FIRST_RETRY_MS
  }
}

/** Waits for `ms`, or until the signal aborts; never rejects. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)
