import { BoundedMap } from "../bounded-map.ts"
import type { Rate } from "./rate-limit.ts"

/** How long units may be used that were taken in advance. */
const KEPT_MS = 1000
/** How long the shared buckets are left alone after they could not be reached. */
const AWAY_MS = 1000
/** How many clients are remembered; the units of other clients are given up. */
const MOST = 10_000

/** The result of taking units from a shared bucket. */
export interface Grant {
  /** How many units were taken from the client's bucket; 0 if it has none. */
  readonly units: number
  /** After how many milliseconds the bucket has a unit. */
  readonly waitMs: number
}

/** The buckets of clients, where all servers of a fleet can reach them. */
export interface SharedBuckets {
  /**
   * Takes up to `wanted` units from the bucket of a client, or more while the bucket is far from empty, which
   * saves requests later. Rejects if the bucket cannot be reached.
   */
  take(client: string, wanted: number, rate: Rate): Promise<Grant>
  /**
   * Takes units for something that was done already, however many. Rejects if the bucket cannot be reached.
   */
  charge(client: string, units: number, rate: Rate): Promise<unknown>
}

/** What one server knows of a client's units. */
interface Allowance {
  units: number
  untilMs: number
  /** How long a client that got nothing has to wait; 0 if it got something. */
  waitMs: number
  /** Requests that wait for units. */
  waiting: number
  asking: Promise<void> | undefined
}

/**
 * Limits the requests that clients send to all servers together. A request passes only with a unit from the
 * one bucket of its client. If a client is far below its limit, a server takes several units in advance; near
 * the limit it takes one for each request. While the buckets cannot be reached, everything passes, and each
 * server applies its own limits.
 */
export class FleetRateLimit {
  readonly #buckets: SharedBuckets
  readonly #steadyMs: () => number
  readonly #onError: (error: unknown) => void
  readonly #known = new BoundedMap<string, Allowance>(MOST)
  #awayUntilMs = Number.NEGATIVE_INFINITY

  /**
   * `steadyMs` returns milliseconds of a clock that never goes back. `onError` is called with the reason why
   * the buckets cannot be reached, at most once per second.
   */
  constructor(buckets: SharedBuckets, steadyMs: () => number, onError: (error: unknown) => void) {
    this.#buckets = buckets
    this.#steadyMs = steadyMs
    this.#onError = onError
  }

  /**
   * Takes a unit for a client and resolves with 0. If there is none, it takes nothing and resolves with the
   * milliseconds until there is one.
   */
  async take(client: string, rate: Rate): Promise<number> {
    if (rate.perSecond === 0) return 0
    const own = this.#of(client)
    own.waiting += 1
    try {
      while (!this.#isAway) {
        if (own.untilMs <= this.#steadyMs()) own.units = 0
        if (own.units > 0) {
          own.units -= 1
          return 0
        }
        await (own.asking ??= this.#ask(client, own, rate))
        if (own.units === 0 && own.waitMs > 0) return own.waitMs
      }
      return 0
    } finally {
      own.waiting -= 1
    }
  }

  /** Takes units for work that was done already, so the client waits longer for its next request. */
  charge(client: string, units: number, rate: Rate): void {
    if (rate.perSecond === 0 || this.#isAway) return
    this.#buckets.charge(client, units, rate).catch((error: unknown) => this.#lose(error))
  }

  get #isAway(): boolean {
    return this.#steadyMs() < this.#awayUntilMs
  }

  #lose(error: unknown): void {
    if (!this.#isAway) this.#onError(error)
    this.#awayUntilMs = this.#steadyMs() + AWAY_MS
  }

  async #ask(client: string, own: Allowance, rate: Rate): Promise<void> {
    try {
      const { units, waitMs } = await this.#buckets.take(client, own.waiting, rate)
      own.units = units
      own.untilMs = this.#steadyMs() + KEPT_MS
      own.waitMs = units > 0 ? 0 : Math.max(1, waitMs)
    } catch (error) {
      this.#lose(error)
      own.waitMs = 0
    } finally {
      own.asking = undefined
    }
  }

  #of(client: string): Allowance {
    const unused: Allowance = { units: 0, untilMs: 0, waitMs: 0, waiting: 0, asking: undefined }
    const known = this.#known.get(client) ?? unused
    this.#known.set(client, known)
    return known
  }
}
