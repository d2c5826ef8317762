import { setTimeout as sleep } from "node:timers/promises"

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 1000

/** Waits longer each time, and lets go at once when the signal aborts. */
export class Patience {
  readonly #maxMs: number
  #ms = FIRST_RETRY_MS

  /** Never longer than `maxMs`, nor than about 2 s. */
  constructor(maxMs = MAX_RETRY_MS) {
    this.#maxMs = Math.min(maxMs, MAX_RETRY_MS)
  }

  /** Waits before the next try. */
  async wait(signal: AbortSignal): Promise<void> {
    // Spread, or all workers would be back in the same moment.
    const ms = this.#ms * (0.75 + Math.random() / 2)
    this.#ms = Math.min(this.#ms * 2, this.#maxMs)
    await pause(ms, signal)
  }

  /** It went well: the next wait is short again. */
  reset(): void {
    this.#ms = FIRST_RETRY_MS
  }
}

/** Waits, or less where the signal aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)
