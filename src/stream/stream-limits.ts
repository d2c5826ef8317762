import { AppError } from "../errors.ts"
import type { StreamMetrics } from "./stream-metrics.ts"

/**
 * A client that was refused because there is no room comes back after this time, or after up to twice as
 * long.
 */
const BUSY_RETRY_MS = 5000

/** The owner of streams: one for all streams of a client. */
export class Owner {
  /** How many streams are open. */
  streams = 0
  /** Whether the client may no longer watch, so that its streams end. */
  hasEnded = false
  /** Whether limits of one owner apply to it. */
  readonly isLimited: boolean

  constructor(isLimited = true) {
    this.isLimited = isLimited
  }
}

/** How many streams may be open at once. */
export interface StreamLimits {
  /** How many streams and held answers may be open; 0 (the default) for no limit. */
  readonly most?: number
  /** How many streams of one owner may be open; 0 (the default) for no limit. */
  readonly mostOfOwner?: number
}

/** The present figures to compare with the limits, and the counter of refusals. */
interface OpenNow {
  readonly seats: number
  readonly metrics: StreamMetrics
  readonly random: () => number
}

/**
 * Checks that one more stream may be opened.
 * @throws AppError `too_many_requests` if the owner has as many streams as allowed, `unavailable` if the
 * server has
 */
export function checkRoom(
  { most = 0, mostOfOwner = 0 }: StreamLimits,
  owner: Owner | undefined,
  { seats, metrics, random }: OpenNow,
): void {
  const isOwnerFull = owner?.isLimited === true && mostOfOwner > 0 && owner.streams >= mostOfOwner
  const isFull = most > 0 && seats >= most
  if (!isOwnerFull && !isFull) return
  metrics.refused.of("streams").add()
  const retryAfterMs = BUSY_RETRY_MS * (1 + random())
  if (isOwnerFull) {
    throw new AppError(
      "too_many_requests",
      `this client has ${mostOfOwner} streams open, which is the limit; close one, or raise --streams-per-client`,
      { retryAfterMs },
    )
  }
  throw new AppError(
    "unavailable",
    `the server has ${most} streams open, which is the limit; close one, or raise --max-streams, which allows at most 80 % of the files that the server may open`,
    { retryAfterMs },
  )
}
