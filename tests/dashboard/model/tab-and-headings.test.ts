import { describe, expect, test } from "bun:test"

import { talliesOf } from "../../../src/dashboard/model/counts.ts"
import type { Counts } from "../../../src/dashboard/model/hub-messages.ts"
import { asFarAsKnown, figuresOf } from "../../../src/dashboard/model/list-figures.ts"
import { ALL_KNOWN, type Ends, type ListName } from "../../../src/dashboard/model/lists.ts"
import { EVERYTHING, type Query } from "../../../src/dashboard/model/query.ts"
import { screenPath } from "../../../src/dashboard/model/screen-path.ts"
import { glanceOf, type KnownPage } from "../../../src/dashboard/model/tab-glance.ts"
import { item, time } from "../items.ts"

const period = {
  ...{ since: time(0), completed: 7, failed: 2, cancelled: 16, lost: 3 },
  ...{ shortest_seconds: null, mean_seconds: null, longest_seconds: null },
}
/** 3,000 items run, 3,000 wait, and 3,000 have completed. */
const counts: Counts = {
  status: { queued: 2000, processing: 3000, completed: 3000, failed: 0, retrying: 1000 },
  outcome: { completed: 3000, failed: 0, cancelled: 0, lost: 0 },
  ...{ paused_at: null, last_hour: period, today: period, this_week: period },
}

describe("the heading of a list", () => {
  const cut: Ends = { running: null, waiting: item(), finished: "unread" }
  const said = (
    known: number,
    changes: { list?: ListName; ends?: Ends; counts?: Counts | null; wanted?: Query; apart?: number } = {},
  ) => {
    const { list = "waiting", apart, ...rest } = changes
    return figuresOf(list, known, { ends: cut, counts, wanted: EVERYTHING, ...rest }, apart)
  }

  test("has the number of all items, also if only some are known and others are shown apart", () => {
    expect(said(1200)).toEqual({ count: "3,000", isCut: true, total: 3000 })
    expect(said(0)).toEqual({ count: "3,000", isCut: true, total: 3000 })
    expect(said(1200, { apart: 30 })).toEqual({ count: "3,000", isCut: true, total: 2970 })
  })

  test("has the known items alone if they are all, and no number without any", () => {
    const ends = ALL_KNOWN
    expect(said(1200, { ends, apart: 30 })).toEqual({ count: "1,200", isCut: false, total: undefined })
    expect(said(0, { ends })).toEqual({ count: "", isCut: false, total: undefined })
    expect(said(0, { list: "running" }).count).toBe("")
  })

  test("says that there are more items as long as nobody knows how many", () => {
    expect(said(1200, { counts: null })).toEqual({ count: "1,200+", isCut: true, total: undefined })
    expect([asFarAsKnown(3, null), asFarAsKnown(3, "unread"), asFarAsKnown(3, item())]).toEqual([
      ...["3", "3+", "3+"],
    ])
  })

  test("says of how many items the ones with the words of a search are a part", () => {
    const wanted: Query = { text: "tide", which: "all" }
    expect(said(12, { wanted })).toEqual({ count: "12+ of 3,000", isCut: true, total: undefined })
    expect(said(12, { wanted, ends: ALL_KNOWN }).count).toBe("12 of 3,000")
    expect(said(3000, { wanted, ends: ALL_KNOWN }).count).toBe("3,000")
    expect(said(12, { wanted, counts: null }).count).toBe("12+")
    expect(said(0, { wanted }).count).toBe("")
  })

  test("has the number of a list that could not be read, if the server says it", () => {
    const unread = { list: "finished" } as const
    expect(said(0, unread)).toEqual({ count: "3,000", isCut: false, total: undefined })
    expect(said(0, { ...unread, counts: null }).count).toBe("")
  })
})

test("what ended within the last hour is counted by the server unless the page knows all of it", () => {
  const nowMs = Date.parse(time(0)) + 3_600_000
  const ended = (agoMs: number) => ({
    ...item({ status: "completed", outcome: "completed" }),
    completed_at: new Date(nowMs - agoMs).toISOString(),
  })
  const seen = (finished: Ends["finished"]) => {
    const lists = { running: [], waiting: [], finished: [ended(0), ended(3_599_999), ended(3_600_000)] }
    return talliesOf(lists, nowMs, { ends: { ...ALL_KNOWN, finished }, counts })
  }
  // A lost item has failed, too.
  for (const end of ["unread", ended(3_599_999)] as const)
    expect(seen(end)).toMatchObject({ completed: 7, failed: 5, hour: [] })
  for (const end of [null, ended(3_600_000)]) expect(seen(end)).toMatchObject({ completed: 2, failed: 0 })
  expect(seen(null).hour.map(({ completed }) => completed)).toEqual([1, ...Array(10).fill(0), 1])
})

test("figures of lists that are not known to their ends are those of the server", () => {
  const ends: Ends = { running: "unread", waiting: item(), finished: null }
  const lists = { running: [item({ stalled: true }), item()], waiting: [item()], finished: [] }
  const known = { ends, counts }
  expect(talliesOf(lists, 0, known)).toMatchObject({ running: 3000, waiting: 3000, stalled: 1 })
  expect(talliesOf(lists, 0, { ends })).toMatchObject({ running: null, waiting: null })
})

describe("a tab", () => {
  const lane = item({ status: "processing", title: "Tidelines", progress: 22 })
  const page: KnownPage = {
    ...{ own: "", lanes: [lane], tallies: { running: 1, done: 22 }, isLive: true, isLoaded: true },
    ...{ hasFailed: false, nowMs: Date.parse(time(0)) },
  }
  const title = (changes: Partial<KnownPage> = {}): string => glanceOf({ ...page, ...changes }).title

  test("names the item that is running, how far several are, or the page alone", () => {
    expect(title()).toBe("22% Tidelines · Track Studio")
    expect(title({ tallies: { running: 3, done: 47.6 } })).toBe("48% of 3 · Track Studio")
    expect(title({ lanes: [], tallies: { running: 0, done: 0 } })).toBe("Track Studio")
    // As long as the running items could not be read.
    expect(title({ lanes: [], tallies: { running: null, done: 0 } })).toBe("Track Studio")
    expect(title({ lanes: [], tallies: { running: 1, done: 0 } })).toBe("Track Studio")
    expect(title({ own: "Completed: Tidelines" })).toBe("Completed: Tidelines · Track Studio")
  })

  test("says first that something has failed, and that what is shown may be old", () => {
    expect(title({ hasFailed: true })).toBe("Failed! · 22% Tidelines · Track Studio")
    expect(title({ hasFailed: true, isLive: false })).toStartWith("Failed! · Not live · 22% ")
    // Nothing is shown that could be old.
    expect(title({ isLive: false, isLoaded: false })).toBe("22% Tidelines · Track Studio")
  })

  test("shows how far the running items are while any is running", () => {
    const { title: _title, ...icon } = glanceOf({ ...page, hasFailed: true, isLive: false })
    expect(icon).toEqual({ isRunning: true, done: 22, isLive: false, hasFailed: true })
    expect(glanceOf({ ...page, lanes: [] }).isRunning).toBe(false)
  })
})

test("a path leads to the queue, to an item, or to nothing, below any path of a proxy", () => {
  for (const base of ["/", "/studio/"]) {
    expect(screenPath(base, base)).toBeNull()
    expect(screenPath(`${base}items/12`, base)).toBe(12)
    expect(screenPath(`${base}items/${Number.MAX_SAFE_INTEGER}`, base)).toBe(Number.MAX_SAFE_INTEGER)
    const wrong = ["items/0", "items/012", "items/1/", "items/", "items/x", "item/1", "docs", "xitems/1"]
    for (const path of [...wrong, `items/${Number.MAX_SAFE_INTEGER + 1}`, `items/${"9".repeat(17)}`])
      expect([path, screenPath(base + path, base)]).toEqual([path, undefined])
  }
  expect(screenPath("/others/items/1", "/studio/")).toBeUndefined()
  expect(screenPath("/items/1", "/studio/")).toBeUndefined()
})
