import { describe, expect, test } from "bun:test"

import { listsOf, State } from "../../../src/dashboard/model/apply-updates.ts"
import { talliesOf } from "../../../src/dashboard/model/counts.ts"
import { isCut, totalsOf } from "../../../src/dashboard/model/lists.ts"
import { EVERYTHING, isWanted, queryIn, searchOf, type Which } from "../../../src/dashboard/model/query.ts"
import { item, time, update } from "../items.ts"

const stateOf = (...items: Parameters<State["replace"]>[0]): State => {
  const state = new State()
  state.replace(items)
  return state
}

describe("the state of a tab", () => {
  test("takes the keys that an update has, and keeps the others", () => {
    const state = stateOf(item({ priority: 7, tags: ["gpu"], error_message: "old", worker: "old" }))
    state.apply([update(5, { progress: 40, current_step: "Encoding", worker: "gpu-1", eta_seconds: 30 })])
    expect(state.items.get(1)).toMatchObject({
      status: "processing",
      priority: 7,
      tags: ["gpu"],
      progress: 40,
      current_step: "Encoding",
      worker: "gpu-1",
      eta_seconds: 30,
      error_message: "",
      started_at: time(5),
      completed_at: null,
    })
  })

  test("knows when an item started and ended, through a retry", () => {
    const state = stateOf(item())
    state.apply([
      update(2, { worker: "gpu-1" }),
      update(3, { progress: 50 }),
      update(4, { status: "failed", outcome: "failed" }),
    ])
    expect(state.items.get(1)).toMatchObject({ started_at: time(2), completed_at: time(4) })
    state.apply([update(5, { status: "queued", attempt: 0 })])
    expect(state.items.get(1)).toMatchObject({ status: "queued", completed_at: null, attempt: 0, worker: "" })
    state.apply([update(6, { attempt: 1 })])
    expect(state.items.get(1)).toMatchObject({ started_at: time(6), completed_at: null })
  })

  test("knows when an attempt started, also if it has not seen the end of the one before", () => {
    const state = stateOf(item({ status: "processing", attempt: 1, started_at: time(1) }))
    state.apply([update(5, { attempt: 2 })])
    expect(state.items.get(1)).toMatchObject({ attempt: 2, started_at: time(5) })
  })

  test("leaves out deleted items, whatever else has happened at the same time", () => {
    const state = stateOf(item({ id: 1 }), item({ id: 2 }))
    state.apply([update(5, { queue_id: 1 }), update(6, { queue_id: 2, status: "failed", deleted: true })])
    expect([...state.items.keys()]).toEqual([1])
  })

  test("doubts only items that are new or are not simply being rendered", () => {
    const state = stateOf(item({ id: 1, status: "processing", attempt: 1 }), item({ id: 2 }), item({ id: 3 }))
    const { unsure, ids, lists } = state.apply([
      update(10, { queue_id: 1, progress: 5 }),
      update(11, { queue_id: 2, status: "queued", message: "Priority set" }),
      update(12, { queue_id: 9, status: "queued" }),
      update(13, { queue_id: 3, status: "failed", deleted: true }),
      update(14, { queue_id: 8, status: "queued" }),
      update(15, { queue_id: 8, status: "failed", deleted: true }),
    ])
    expect([...unsure]).toEqual([2, 9])
    expect([...ids]).toEqual([1, 2])
    expect(lists).toBe(true)
    expect([...state.items.keys()]).toEqual([1, 2])
  })

  test("a step forward leaves the lists as they are", () => {
    const state = stateOf(item({ status: "processing", attempt: 1 }))
    expect(state.apply([update(10, { progress: 5 })]).lists).toBe(false)
  })

  test("forgets the oldest of very many finished items, and never one that is not finished", () => {
    const finished = Array.from({ length: 3500 }, (_, i) =>
      item({ id: i + 1, status: "completed", completed_at: time(i) }),
    )
    const state = stateOf(...finished)
    state.put([item({ id: 9000 })], [])
    expect(state.items.size).toBe(1501)
    expect(state.items.has(9000)).toBe(true)
    expect(state.items.has(3500)).toBe(true)
    expect(state.items.has(1)).toBe(false)
    // Older items are read when somebody looks for them.
    expect(state.ends.finished).toMatchObject({ id: 2001 })
  })

  test("keeps up to 3,000 items, so that a longer list of finished ones can be read", () => {
    const finished = Array.from({ length: 2900 }, (_, i) =>
      item({ id: i + 1, status: "completed", completed_at: time(i) }),
    )
    const state = stateOf(...finished)
    state.put([item({ id: 9000 })], [])
    expect([state.items.size, state.ends.finished]).toEqual([2901, null])
  })

  test("takes from a later page only items that it does not know", () => {
    const state = stateOf(item({ title: "newer" }))
    const last = item({ id: 2 })
    state.extend([item({ title: "older" }), last], { running: null, waiting: last, finished: null })
    expect([...state.items.values()].map(({ title }) => title)).toEqual(["newer", ""])
    expect(state.ends.waiting).toBe(last)
  })

  test("lists no waiting item beyond the last one up to which all are known", () => {
    const [first, last, beyond] = [1, 2, 3].map((id) => item({ id }))
    const ends = { running: null, waiting: last ?? null, finished: null }
    const { waiting } = listsOf(
      [beyond, last, first].flatMap((one) => one ?? []),
      { ends },
    )
    expect(waiting.map(({ id }) => id)).toEqual([1, 2])
    expect(isCut(ends, EVERYTHING)).toBe(true)
    // A filter that shows no waiting items misses none of them.
    expect(isCut(ends, { text: "", which: "completed" })).toBe(false)
  })

  test("lists running items by start, waiting ones by turn, finished ones newest first", () => {
    const { running, waiting, finished } = listsOf([
      item({ id: 1, status: "completed", completed_at: time(1) }),
      item({ id: 2, status: "failed", completed_at: time(9) }),
      item({ id: 3, priority: 1 }),
      item({ id: 4, priority: 5, status: "retrying" }),
      item({ id: 5, priority: 5 }),
      item({ id: 6, status: "processing", started_at: time(8) }),
      item({ id: 7, status: "processing", started_at: time(3) }),
    ])
    const ids = (items: readonly { id: number }[]): number[] => items.map(({ id }) => id)
    expect([ids(running), ids(waiting), ids(finished)]).toEqual([
      [7, 6],
      [4, 5, 3],
      [2, 1],
    ])
  })
})

test('the filter "failed" shows lost items but no cancelled ones, and "all" shows both', () => {
  const outcomes = ["completed", "failed", "lost", "cancelled"] as const
  const ended = outcomes.map((outcome) => {
    const status = outcome === "completed" ? "completed" : "failed"
    return item({ status, outcome })
  })
  const wanted = (which: Which) =>
    ended.filter((one) => isWanted(one, { text: "", which })).map(({ outcome }) => outcome)
  expect(wanted("all")).toEqual([...outcomes])
  expect(wanted("completed")).toEqual(["completed"])
  expect(wanted("failed")).toEqual(["failed", "lost"])
  expect(wanted("cancelled")).toEqual(["cancelled"])
  expect(wanted("running")).toEqual([])
})

test("the address of a query leads back to it, and that of everything has no query", () => {
  expect(searchOf(EVERYTHING)).toBe("")
  expect(searchOf({ text: "a & b", which: "failed" })).toBe("?q=a+%26+b&status=failed")
  expect(queryIn("?q=+a+%26+b+&status=failed")).toEqual({ text: "a & b", which: "failed" })
  expect(queryIn("?status=stalled")).toEqual(EVERYTHING)
  // The server takes no longer text.
  expect(queryIn(`?q=${"x".repeat(300)}`).text).toHaveLength(200)
})

describe("the figures", () => {
  test("count items that failed or lost their worker as failed, and cancelled items as cancelled", () => {
    const since = { since: time(0), completed: 0, failed: 0, cancelled: 0, lost: 0 }
    const times = { shortest_seconds: null, mean_seconds: null, longest_seconds: null }
    const period = { ...since, ...times }
    const counts = {
      status: { queued: 1, processing: 2, completed: 4, failed: 56, retrying: 10 },
      outcome: { completed: 4, failed: 8, cancelled: 16, lost: 32 },
      ...{ paused_at: null, last_hour: period, today: period, this_week: period },
    }
    const finished = (which: Which): number => totalsOf(counts, { text: "", which }).finished
    expect([finished("completed"), finished("failed"), finished("cancelled"), finished("all")]).toEqual([
      4, 40, 16, 60,
    ])
    expect(totalsOf(counts, EVERYTHING)).toMatchObject({ running: 2, waiting: 11 })
  })

  const nowMs = Date.parse(time(0)) + 3_600_000
  const ended = (minutesAgo: number, outcome: "completed" | "failed" | "cancelled") =>
    item({
      status: outcome === "completed" ? "completed" : "failed",
      outcome,
      completed_at: new Date(nowMs - minutesAgo * 60_000).toISOString(),
    })

  test("count the last hour in steps of five minutes, cancelled items aside", () => {
    const finished = [
      ended(1, "completed"),
      ended(2, "failed"),
      ended(7, "completed"),
      ended(8, "cancelled"),
      ended(59, "completed"),
      ended(61, "completed"),
    ]
    const { completed, failed, hour } = talliesOf({ running: [], waiting: [], finished }, nowMs)
    expect([completed, failed, hour.length]).toEqual([3, 1, 12])
    expect(hour.at(-1)).toEqual({ completed: 1, failed: 1 })
    expect(hour.at(-2)).toEqual({ completed: 1, failed: 0 })
    expect(hour[0]).toEqual({ completed: 1, failed: 0 })
  })

  test("a part of a list is never counted as the whole: its figure is unknown until the server has said it", () => {
    const finished = [ended(1, "completed"), ended(2, "failed")]
    const ends = { running: null, waiting: item({ id: 9 }), finished: ended(2, "failed") }
    const lists = { running: [item()], waiting: [item(), item()], finished }
    const unknown = { running: 1, waiting: null, completed: null, failed: null, hour: [] }
    expect(talliesOf(lists, nowMs, { ends })).toMatchObject(unknown)
    expect(talliesOf(lists, nowMs)).toMatchObject({ running: 1, waiting: 2, completed: 1, failed: 1 })
    const all = { ...lists, delayed: [item()] }
    expect(talliesOf(all, nowMs).waiting).toBe(3)
    // A part that reaches back for more than an hour has all of that hour.
    const anHour = { ends: { ...ends, finished: ended(61, "failed") } }
    expect(talliesOf(lists, nowMs, anHour)).toMatchObject({ completed: 1, failed: 1 })
    expect(talliesOf(lists, nowMs, anHour).hour).toHaveLength(12)
  })

  test("the mean progress is that of the running items alone", () => {
    const running = [
      item({ status: "processing", progress: 20 }),
      item({ status: "processing", progress: 60 }),
    ]
    expect(talliesOf({ running, waiting: [item(), item()], finished: [] }, nowMs).done).toBe(40)
    expect(talliesOf({ running: [], waiting: [item()], finished: [] }, nowMs).done).toBe(0)
  })

  test("a clock that is ahead of ours does not lose what has just ended", () => {
    const { hour } = talliesOf({ running: [], waiting: [], finished: [ended(-1, "completed")] }, nowMs)
    expect(hour.at(-1)).toEqual({ completed: 1, failed: 0 })
  })
})
