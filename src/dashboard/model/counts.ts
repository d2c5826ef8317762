import { shownOf } from "../../item/progress-words.ts"
import type { Counts } from "../../wire/answers.ts"
import type { Lists } from "./apply-updates.ts"
import { ALL_KNOWN, type Ends, totalsOf } from "./lists.ts"
import { EVERYTHING } from "./query.ts"

const HOUR_MS = 3_600_000
const BARS = 12

/** What was finished within five minutes. */
export interface Bar {
  /** How many completed. */
  readonly completed: number
  /** How many failed, without those that were cancelled. */
  readonly failed: number
}

/** Figures of the whole queue; null for one that is not known yet, because only a part of its list is. */
export interface Tallies {
  /** How many items are running. */
  readonly running: number | null
  /** How many wait, including retries. */
  readonly waiting: number | null
  /** How many of the running ones make no progress. */
  readonly stalled: number
  /** How many completed within the last hour. */
  readonly completed: number | null
  /** How many failed within the last hour, without those that were cancelled. */
  readonly failed: number | null
  /** The last hour in steps of five minutes, the oldest first; empty if that is not known. */
  readonly hour: readonly Bar[]
  /** The mean progress of the running items, in percent; 0 when nothing runs. */
  readonly done: number
}

/** What is known in addition to the lists. */
export interface Known {
  /** How far the lists are known; default to their ends. */
  readonly ends?: Ends
  /** The server's figures; null if there are none. */
  readonly counts?: Counts | null
}

/** The last hour of what is finished, in steps of five minutes. */
function lastHour(finished: Lists["finished"], nowMs: number) {
  const hour = Array.from({ length: BARS }, () => ({ completed: 0, failed: 0 }))
  const total = { completed: 0, failed: 0 }
  for (const { completed_at, outcome } of finished) {
    const ageMs = nowMs - Date.parse(completed_at ?? "")
    if (ageMs >= HOUR_MS) break
    const bar = hour[BARS - 1 - Math.max(0, Math.floor((ageMs / HOUR_MS) * BARS))]
    if (!bar || outcome === "cancelled") continue
    const key = outcome === "completed" ? "completed" : "failed"
    bar[key] += 1
    total[key] += 1
  }
  return { ...total, hour }
}

/** What finished within the last hour, as the server says. */
const hourOf = ({ last_hour }: Counts) => ({
  completed: last_hour.completed,
  failed: last_hour.failed + last_hour.lost,
})

/**
 * Counts the items of the lists, which follow each update. If the end of a list is not known, the server's
 * figures are used: a part is never shown as the whole. `nowMs` is the server's clock.
 */
export function talliesOf(
  { running, waiting, delayed = [], finished }: Omit<Lists, "delayed" | "dueMs"> & Partial<Lists>,
  nowMs: number,
  { ends = ALL_KNOWN, counts = null }: Known = {},
): Tallies {
  const sum = running.reduce((all, item) => all + shownOf(item), 0)
  const total = counts && totalsOf(counts, EVERYTHING)
  const { finished: last } = ends
  const isHourKnown =
    last !== null && last !== "unread" && nowMs - Date.parse(last.completed_at ?? "") >= HOUR_MS
  const hour = lastHour(finished, nowMs)
  const isWhole = ends.finished === null || isHourKnown
  const said = counts ? hourOf(counts) : { completed: null, failed: null }
  return {
    running: ends.running === null ? running.length : (total?.running ?? null),
    waiting: ends.waiting === null ? waiting.length + delayed.length : (total?.waiting ?? null),
    stalled: running.filter(({ stalled }) => stalled).length,
    ...(isWhole ? hour : { ...said, hour: [] }),
    done: running.length === 0 ? 0 : sum / running.length,
  }
}
