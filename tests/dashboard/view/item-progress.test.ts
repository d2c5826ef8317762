import { afterEach, beforeEach, expect, setSystemTime, test } from "bun:test"

import { CONNECTING, type Counts } from "../../../src/dashboard/model/hub-messages.ts"
import { ALL_KNOWN } from "../../../src/dashboard/model/lists.ts"
import { Model } from "../../../src/dashboard/model/model.ts"
import { unknownRights } from "../../../src/dashboard/model/rights.ts"
import { aboutTime, at } from "../../../src/dashboard/model/wording.ts"
import { knownWorkers, type WorkerSeen } from "../../../src/dashboard/model/workers.ts"
import { timesOf } from "../../../src/dashboard/view/item-progress.ts"
import type { QueueItem } from "../../../src/item/item.ts"
import { item, time } from "../items.ts"

const NOW = Date.parse(time(100))
const worker: WorkerSeen = {
  ...{ worker: "gpu-1", state: "idle", items: [], idle_since: null, last_heard_at: null },
  ...{ tags: ["hd"], version: "", draining: false },
}

beforeEach(() => void setSystemTime(NOW))
afterEach(() => void setSystemTime())

/** A page that knows these items, and how long the queue is. */
function modelOf(items: readonly QueueItem[], pausedAt: string | null = null): Model {
  const none = (): void => undefined
  const ears = { changed: none, updates: none, items: none, gap: none, turned: none, ended: none }
  const model = new Model(ears, unknownRights(false))
  const counts = { paused_at: pausedAt } as Counts
  const connection = { ...CONNECTING, state: "live", confirmedMs: NOW, history: "h" } as const
  const rest = { stats: null, loaded: true, unread: [], connection, counts }
  model.hear({ type: "state", items, ends: ALL_KNOWN, ...rest })
  return model
}

test("an item that waits says its place, and for how long or until when it waits", () => {
  const [first, second] = [item({ id: 1 }), item({ id: 2, queued_at: time(40), updated_at: time(40) })]
  const model = modelOf([first, second])
  expect(timesOf(second, model)).toEqual(["2 of 2 in the queue", "waiting 1 min"])
  const start = { aboutMs: NOW + 60_000, lowMs: NOW + 60_000, highMs: NOW + 60_000 }
  model.foreseen = { starts: new Map([[2, start]]), doneMs: null }
  expect(timesOf(second, model)[1]).toContain(aboutTime(start.aboutMs, NOW))
  expect(timesOf(second, modelOf([first, second], time(90)))[1]).toBe("The queue is paused")
  // It is not among those that were read.
  expect(timesOf(second, modelOf([first]))).toEqual(["Waiting", "for 1 min"])
})

test("an item that starts later says when, and a retry that is due that it is ready", () => {
  const times = (changes: Partial<QueueItem>) => timesOf(item(changes), modelOf([item(changes)]))
  const due = { available_at: time(160) }
  expect(times(due)).toEqual(["Waiting", `starts at ${at(time(160), NOW)}`])
  expect(times({ ...due, status: "retrying" })).toEqual(["Waiting", `retries at ${at(time(160), NOW)}`])
  const isDue = { available_at: time(100), status: "retrying" } as const
  expect(times(isDue)).toEqual(["1 of 1 in the queue", "ready to retry"])
})

test("an item that no worker takes says why, as far as the workers are known", () => {
  const waits = item({ tags: ["hd"] })
  const said = (workers: readonly WorkerSeen[], others: readonly QueueItem[] = [], one = waits): string => {
    const model = modelOf([waits, ...others])
    model.workers = knownWorkers(workers)
    return timesOf(one, model).join(" · ")
  }
  const where = "1 of 1 in the queue · waiting 1 min"
  expect(said([worker])).toBe(where)
  for (const away of [{ state: "away" }, { draining: true }] as const) {
    expect(said([{ ...worker, tags: null, ...away }])).toBe(`${where}, no worker runs`)
    expect(said([{ ...worker, tags: null, ...away }, worker])).toBe(where)
  }
  expect(said([{ ...worker, draining: true }], [item({ id: 2, status: "processing" })])).toBe(where)
  expect(said([worker], [], item({ tags: ["4k", "hd", "a\nb"] }))).toBe("Waiting · No worker offers 4k, a b")
})

test("a running item says what is left and how long it has been running, and a finished one when it ended", () => {
  const run = { status: "processing", started_at: time(10), updated_at: time(40) } as const
  const times = (changes: Partial<QueueItem>) => timesOf(item({ ...run, ...changes }), modelOf([]))
  expect(times({})).toEqual(["Estimating", "1:30 elapsed"])
  expect(times({ started_at: null })).toEqual(["Estimating", "1:00 elapsed"])
  const left = { eta_seconds: 120, eta_low_seconds: 115, eta_high_seconds: 125 }
  const [rest, elapsed] = times(left)
  expect([rest.slice(0, 9), elapsed]).toEqual(["1:00 left", "0:55 to 1:05 · 1:30 elapsed"])
  expect(times({ stalled: true, stalled_since: time(70) })[0]).toBe("No progress for 30 s")
  const end = { status: "completed", outcome: "completed", completed_at: time(40) } as const
  expect(times(end)).toEqual(["Completed 1 min ago", "after 0:30"])
  expect(times({ ...end, started_at: null })).toEqual(["Completed 1 min ago", ""])
})
