import { AppError } from "../errors.ts"
import { RateLimit } from "./rate-limit.ts"

/** How many bad tokens one address may send: 30 at once, then one per minute. */
const FAILURES = { perSecond: 1 / 60, burst: 30 }

/** Slows down an address that tries bad tokens, so that a token cannot be guessed. */
export class FailedLogins {
  readonly #buckets = new RateLimit(FAILURES)

  /**
   * Notes a bad token or ticket from an address; `steadyMs` is a clock that never goes back.
   * @throws AppError `too_many_requests` after too many
   */
  note(address: string, steadyMs: number): void {
    const waitMs = this.#buckets.take(address, 1, steadyMs)
    if (waitMs === 0) return
    throw new AppError("too_many_requests", "too many bad tokens came from this address; try again later", {
      retryAfterMs: waitMs,
    })
  }
}
