import type { QueueItem, Status } from "../../item/item.ts"

/** The items that finished in a time, by outcome, and how long the completed ones took from start to end. */
export interface Finished {
  /** How many completed. */
  readonly completed: number
  /** How many failed. */
  readonly failed: number
  /** How many were cancelled. */
  readonly cancelled: number
  /** How many were lost with their workers. */
  readonly lost: number
  /** The duration of the shortest completed render, in milliseconds; null if none completed. */
  readonly shortestMs: number | null
  /** The duration of the longest completed render, in milliseconds; null if none completed. */
  readonly longestMs: number | null
  /** The mean duration of completed renders, in milliseconds; null if none completed. */
  readonly meanMs: number | null
}

/**
 * How many items there are now: waiting, processing, or ended with an outcome. Deleted items do not count.
 */
export type Standings = Readonly<Record<Status | NonNullable<QueueItem["outcome"]>, number>>

/** Figures of the whole queue. Reading them costs the same however many items there are, except what finished in a time. */
export interface Figures {
  /** How many items wait, are processing, or have ended, by outcome. */
  standing(): Promise<Standings>

  /** How many songs have ever been in the queue. */
  songs(): Promise<number>

  /**
   * When the item was added that has waited longest, of the items that are first of their priority (of at
   * most 64 priorities). RFC 3339 UTC; null if none waits.
   */
  oldestWaiting(): Promise<string | null>

  /** How many leases workers hold. */
  leases(): Promise<number>

  /** What finished at `sinceMs` (epoch milliseconds) or later. */
  finished(sinceMs: number): Promise<Finished>
}

const NOTHING: Standings = {
  queued: 0,
  processing: 0,
  retrying: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  lost: 0,
}

/** All standings with their counts, made from counts without zeros. */
export const standingsOf = (
  counts: readonly { readonly standing: string; readonly items: number }[],
): Standings => ({
  ...NOTHING,
  ...Object.fromEntries(counts.map(({ standing, items }) => [standing, items])),
})

/** Items that ended with one outcome in a part of a time, and how long they took from start to end. */
export interface OutcomeRow {
  /** The outcome. */
  readonly outcome: string
  /** How many items. */
  readonly items: number
  /** The shortest time, in milliseconds; null if there are none. */
  readonly least: number | null
  /** The longest time, in milliseconds; null if there are none. */
  readonly most: number | null
  /** The sum of the times, in milliseconds. */
  readonly sum: number
}

/** The least or the most of some numbers; null if there are none. */
function extreme(of: (...numbers: number[]) => number, numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter((number) => number !== null)
  return known.length === 0 ? null : of(...known)
}

/** The finished items, made from rows of all parts of the time. */
export function finishedOf(rows: readonly OutcomeRow[]): Finished {
  const of = (outcome: string): OutcomeRow[] => rows.filter((row) => row.outcome === outcome)
  const items = (outcome: string): number => of(outcome).reduce((sum, row) => sum + row.items, 0)
  const completed = of("completed")
  const count = items("completed")
  return {
    completed: count,
    failed: items("failed"),
    cancelled: items("cancelled"),
    lost: items("lost"),
    shortestMs: extreme(
      Math.min,
      completed.map(({ least }) => least),
    ),
    longestMs: extreme(
      Math.max,
      completed.map(({ most }) => most),
    ),
    meanMs: count === 0 ? null : completed.reduce((sum, row) => sum + row.sum, 0) / count,
  }
}
