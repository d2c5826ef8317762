import type { Reasons } from "../health.ts"
import { every, type Repetition, type Service } from "../service.ts"

const TURN_MS = 1000
const SAY_MS = 60_000

/** What is known of file descriptors, and who hears of it. */
export interface DescriptorsOptions {
  /** Whether the process can open hardly any more files. */
  readonly areScarce: () => boolean
  /** Closes connections on which nothing is under way; returns how many. */
  readonly closeIdle: () => number
  /** Milliseconds that only pass. */
  readonly nowMs: () => number
  /** Called when they are scarce, at most once a minute, with the number of connections that were closed since. */
  readonly onScarce: (closed: number) => void
  /** Called when they cannot be looked at. */
  readonly onError: (error: unknown) => void
}

/**
 * Looks each second whether the process runs out of file descriptors. Then connections that only wait for a next request
 * are closed, so that new ones are answered.
 */
export class Descriptors implements Service {
  readonly #reasons: Reasons
  readonly #options: DescriptorsOptions
  #turns: Repetition | undefined
  #saidMs = Number.NEGATIVE_INFINITY
  #closed = 0

  constructor(reasons: Reasons, options: DescriptorsOptions) {
    this.#reasons = reasons
    this.#options = options
  }

  /** Begins to look. */
  async start(): Promise<void> {
    this.#turns = every(TURN_MS, () => this.turn(), this.#options.onError)
  }

  /** Looks no more. */
  async stop(): Promise<void> {
    await this.#turns?.stop()
  }

  /** One look. */
  turn(): void {
    const { areScarce, closeIdle, nowMs, onScarce } = this.#options
    const isScarce = areScarce()
    this.#reasons.set("descriptors_exhausted", isScarce)
    if (!isScarce) return
    this.#closed += closeIdle()
    if (nowMs() - this.#saidMs < SAY_MS) return
    this.#saidMs = nowMs()
    onScarce(this.#closed)
    this.#closed = 0
  }
}
