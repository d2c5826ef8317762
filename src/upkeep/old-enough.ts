import type { Ended, Upkeep } from "../store/contract/upkeep.ts"

/** A day in milliseconds. */
export const DAY_MS = 24 * 60 * 60_000
const HOUR_MS = DAY_MS / 24
/** A clock that shows a time before this program was written is wrong. */
const WRITTEN_MS = Date.UTC(2026, 0, 1)
/** The latest time that a date can have. */
const LAST_MS = 8.64e15

/**
 * The event ID of the newest update that is old enough: since it was stored, servers have run for `ms`
 * milliseconds, counted in whole hours. For less than an hour any update counts.
 */
export const newestBefore = (upkeep: Pick<Upkeep, "newestAgo">, ms: number): Promise<number> =>
  ms < HOUR_MS ? Promise.resolve(Number.MAX_SAFE_INTEGER) : upkeep.newestAgo(Math.floor(ms / HOUR_MS))

/**
 * What ended `ms` milliseconds ago or earlier, as times for a database. The machine's clock may have been wrong
 * for a while, for example until it reached its time server. Such a clock must not make young items old, and
 * must not keep any item for ever. So an item that was changed within the last day of service does not count.
 * If the time of an end cannot be right (in the future, or before this program was written), the hours of
 * service since then decide.
 */
export async function endedBefore(
  upkeep: Pick<Upkeep, "newestAgo">,
  nowMs: number,
  ms: number,
): Promise<readonly Ended[]> {
  const [day, all] = [await newestBefore(upkeep, Math.min(ms, DAY_MS)), await newestBefore(upkeep, ms)]
  return [
    { fromMs: WRITTEN_MS, toMs: nowMs - ms, upTo: day },
    { fromMs: -LAST_MS, toMs: WRITTEN_MS - 1, upTo: all },
    // If a clock is set back a little, no end becomes wrong.
    { fromMs: nowMs + DAY_MS, toMs: LAST_MS, upTo: all },
  ]
}
