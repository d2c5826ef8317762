import { AppError } from "../errors.ts"
import type { RefusalCounts } from "./request-counts.ts"

/** The wait for a client that is refused because few descriptors are left. */
const FEW_RETRY_MS = 5000
const FEW = "the server has almost no file descriptors left; try again in a few seconds"

/** The refusal of a request while few descriptors are left. It is counted. */
export function fewDescriptors(refused: RefusalCounts): AppError {
  refused.of("descriptors").add()
  return new AppError("unavailable", FEW, { retryAfterMs: FEW_RETRY_MS })
}

/** A body that takes this long, or a multiple of it, is given up if few descriptors are left then. */
const MOST_MS = 2000

/**
 * Limits how long a body may be read while few descriptors are left, however busily it is sent. At any other time
 * Bun ends the connection after a minute.
 * @throws AppError `unavailable`
 */
export type BodyTimeLimit = <T>(reading: Promise<T>) => Promise<T>

/** `areFew` says whether few descriptors are left. `mostMs` is two seconds, except in tests. */
export function bodyTimeLimit(
  areFew: () => boolean,
  refused: RefusalCounts,
  mostMs = MOST_MS,
): BodyTimeLimit {
  return async (reading) => {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      if (areFew()) late.reject(fewDescriptors(refused))
      else timer.refresh()
    }, mostMs)
    try {
      return await Promise.race([reading, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}
