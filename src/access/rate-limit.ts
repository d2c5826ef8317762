/**
 * How fast a client may send requests: on average `perSecond` units per second, and `burst` units at once.
 */
export interface Rate {
  /** How many units come back per second; 0 for no limit. */
  readonly perSecond: number
  /** How many units a client may use at once if it sent nothing before. */
  readonly burst: number
}

/** Rounding makes a sum of fractions differ from a whole number by less than this. */
const ROUNDING = 1e-6

interface Bucket {
  units: number
  atMs: number
}

/**
 * Token buckets, one for each client. The name of a client is any text.
 *
 * A client that was never seen has a full bucket, so full buckets need not be remembered. At most `most`
 * buckets are remembered; the one that was not used for longest is forgotten first.
 */
export class RateLimit {
  readonly #rate: Rate
  readonly #most: number
  readonly #levels = new Map<string, Bucket>()

  /** `most` is how many clients are remembered. */
  constructor(rate: Rate, most = 10_000) {
    this.#rate = rate
    this.#most = most
  }

  /**
   * Takes `cost` units for a client and returns 0. If there are not enough, it takes nothing and returns the
   * milliseconds until there are. `nowMs` is a clock that never goes back. A cost above the burst waits for a
   * full bucket.
   */
  take(client: string, cost: number, nowMs: number): number {
    const { perSecond, burst } = this.#rate
    if (perSecond === 0) return 0
    const level = this.#levelOf(client, nowMs)
    const asked = Math.min(cost, burst)
    const missing = asked - level.units
    if (missing > ROUNDING) return Math.max(1, Math.ceil((missing * 1000) / perSecond - ROUNDING))
    level.units -= asked
    return 0
  }

  /**
   * Takes units for work that was already done and whose cost is known only at its end, however many they are. The
   * client then waits longer for its next request.
   */
  charge(client: string, cost: number, nowMs: number): void {
    if (this.#rate.perSecond > 0) this.#levelOf(client, nowMs).units -= cost
  }

  /**
   * Takes one unit, even if the bucket is empty, and returns the milliseconds until the bucket is no longer
   * in debt; at most `mostMs`, above which the debt does not grow.
   */
  owe(client: string, mostMs: number, nowMs: number): number {
    const { perSecond } = this.#rate
    if (perSecond === 0) return 0
    const level = this.#levelOf(client, nowMs)
    level.units = Math.max(level.units - 1, (-mostMs * perSecond) / 1000)
    return Math.max(0, (-level.units * 1000) / perSecond)
  }

  #levelOf(client: string, nowMs: number): Bucket {
    const { perSecond, burst } = this.#rate
    const known = this.#levels.get(client)
    const level = known ?? { units: burst, atMs: nowMs }
    level.units = Math.min(burst, level.units + ((nowMs - level.atMs) * perSecond) / 1000)
    level.atMs = nowMs
    // The order of use is kept only when it may matter, because keeping it is half of the cost of a request
    // here.
    if (known && this.#levels.size < this.#most / 2) return known
    this.#levels.delete(client)
    this.#levels.set(client, level)
    if (this.#levels.size > this.#most) {
      const [oldest] = this.#levels.keys()
      if (oldest !== undefined) this.#levels.delete(oldest)
    }
    return level
  }
}
