import { BoundedMap } from "../bounded-map.ts"
import { isRefusal } from "../errors.ts"
import type { Leased, Workers } from "./workers.ts"

/** How many claims are remembered. */
const MOST_CLAIMS = 10_000

/**
 * How often a claim is answered again. Each time its lease is renewed, and no other worker may have the item: a client
 * that no answer ever reaches must not keep it.
 */
const MOST_REPETITIONS = 5

/** What tells a lease from others. */
interface Held {
  /** The ID of its item. */
  readonly id: number
  /** Its token. */
  readonly token: string
}

/** A claim that may be repeated. */
interface Earlier {
  /** The lease that it got, as soon as that is known; null if it got none. */
  readonly held: Promise<Held | null>
  /** Ends its wait for an item. */
  readonly end: AbortController
  /** How often it was answered again. */
  repetitions: number
}

/**
 * Answers a claim that is repeated, because the network lost its answer, with the item of the first time. Without this,
 * that item would belong to a worker that does not know of it until its lease runs out. It is known of the newest claims
 * of this process.
 */
export class RepeatedClaims {
  readonly #workers: Pick<Workers, "again">
  readonly #claims = new BoundedMap<string, Earlier>(MOST_CLAIMS)

  constructor(workers: Pick<Workers, "again">) {
    this.#workers = workers
  }

  /**
   * The item of the earlier claim with this key while its lease is held, and otherwise that of `claim`. An earlier claim
   * that still waits for an item ends: its client has gone.
   * @throws what `claim` throws, AppError `unavailable`
   */
  async once(
    key: string,
    claim: (isRepeated: AbortSignal) => Promise<Leased | null>,
  ): Promise<Leased | null> {
    let seen: Earlier | undefined
    // While one repetition waits, another one may have begun a new claim.
    for (let earlier = this.#claims.get(key); earlier && earlier !== seen; earlier = this.#claims.get(key)) {
      const leased = await this.#repeated(earlier)
      if (leased) return leased
      seen = earlier
    }
    const end = new AbortController()
    const claimed = claim(end.signal)
    const got = claimed.then(
      (now) => now && { id: now.item.id, token: now.lease.token },
      () => null,
    )
    this.#claims.set(key, { held: got, end, repetitions: 0 })
    return claimed
  }

  /** Null if the lease is no longer held, or was shown often enough. */
  async #repeated(earlier: Earlier): Promise<Leased | null> {
    earlier.end.abort()
    const held = await earlier.held
    if (!held || earlier.repetitions === MOST_REPETITIONS) return null
    earlier.repetitions += 1
    try {
      return await this.#workers.again(held.id, held.token)
    } catch (error) {
      if (isRefusal(error, "lease_lost") || isRefusal(error, "gone") || isRefusal(error, "not_found"))
        return null
      throw error
    }
  }
}
