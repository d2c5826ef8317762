import type { QueueItem } from "../../item/item.ts"
import { shownOf } from "../../text.ts"
import type { Lists } from "./state.ts"

const HOUR_MS = 3_600_000
const BARS = 12

/** What was finished within five minutes. */
export interface Bar {
  /** How many completed. */
  readonly completed: number
  /** How many failed, those that were cancelled aside. */
  readonly failed: number
}

/** Figures of the whole queue. */
export interface Tallies {
  /** How many items are running. */
  readonly running: number
  /** How many wait, retries among them. */
  readonly waiting: number
  /** How many of the running ones make no progress. */
  readonly stalled: number
  /** Within the last hour. */
  readonly completed: number
  /** Within the last hour, those that were cancelled aside. */
  readonly failed: number
  /** The last hour in steps of five minutes, the oldest first. */
  readonly hour: readonly Bar[]
  /** Mean of what is done of the running items, in percent; 0 when nothing runs. */
  readonly done: number
}

/** Counts what is in the lists. `nowMs` is the server's clock. */
export function talliesOf(
  {
    running,
    waiting,
    delayed = [],
    finished,
  }: Omit<Lists, "delayed" | "dueMs"> & Partial<Pick<Lists, "delayed">>,
  nowMs: number,
): Tallies {
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
  const sum = running.reduce((all, item) => all + shownOf(item), 0)
  return {
    running: running.length,
    waiting: waiting.length + delayed.length,
    stalled: running.filter(({ stalled }) => stalled).length,
    ...total,
    hour,
    done: running.length === 0 ? 0 : sum / running.length,
  }
}

/** Whether an item has all the words of a filter in what can be seen of it. */
export function fits(item: QueueItem, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const { id, song_id, title, status, outcome, worker, current_step, tags, error_message, message } = item
  const said = [
    `#${id}`,
    `song ${song_id}`,
    title,
    status,
    outcome ?? "",
    worker,
    current_step,
    message,
    error_message,
  ]
  const all = [...said, ...tags].join("\n").toLowerCase()
  return words.every((word) => all.includes(word))
}
