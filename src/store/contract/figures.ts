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

/** Figures of the whole queue. Reading them costs the same however many items there are. */
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

/** The items that ended with one outcome, and how long they took from start to end, in milliseconds. */
export interface OutcomeRow {
  /** The outcome. */
  readonly outcome: string
  /** How many items. */
  readonly items: number
  /** The shortest time, in milliseconds; null if there are none. */
  readonly least: number | null
  /** The longest time, in milliseconds; null if there are none. */
  readonly most: number | null
  /** The mean time, in milliseconds; null if there are none. */
  readonly mean: number | null
}

/** The finished items, made from one row per outcome. */
export function finishedOf(rows: readonly OutcomeRow[]): Finished {
  const of = (outcome: string): number => rows.find((row) => row.outcome === outcome)?.items ?? 0
  const completed = rows.find((row) => row.outcome === "completed")
  return {
    completed: of("completed"),
    failed: of("failed"),
    cancelled: of("cancelled"),
    lost: of("lost"),
    shortestMs: completed?.least ?? null,
    longestMs: completed?.most ?? null,
    meanMs: completed?.mean ?? null,
  }
}
