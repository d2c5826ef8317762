import { afterEach, beforeEach, expect, setSystemTime, test } from "bun:test"

import { CONNECTING, type Counts, type FromHub } from "../../../src/dashboard/model/hub-messages.ts"
import { ALL_KNOWN } from "../../../src/dashboard/model/lists.ts"
import { Model } from "../../../src/dashboard/model/model.ts"
import { readerRights, unknownRights } from "../../../src/dashboard/model/rights.ts"
import { NO_FORECAST } from "../../../src/dashboard/model/start-forecast.ts"
import { type PagePart, type Unread, unreadWords } from "../../../src/dashboard/model/unread.ts"
import { at } from "../../../src/dashboard/model/wording.ts"
import { knownWorkers } from "../../../src/dashboard/model/workers.ts"
import { item, time, update } from "../items.ts"

const NOW = Date.parse(time(100))
const live = { ...CONNECTING, state: "live", confirmedMs: NOW, history: "h" } as const
const state: Extract<FromHub, { type: "state" }> = {
  ...{ type: "state", items: [item()], ends: ALL_KNOWN, connection: live },
  ...{ stats: null, counts: null, loaded: true, unread: [] },
}

let frames: number
let passedOn: number[]
let model: Model
beforeEach(() => {
  setSystemTime(NOW)
  frames = 0
  passedOn = []
  const ears: ConstructorParameters<typeof Model>[0] = {
    changed: () => (frames += 1),
    updates: (updates) => passedOn.push(...updates.map(({ id }) => id)),
    ...{ items: () => undefined, gap: () => undefined, turned: () => undefined, ended: () => undefined },
  }
  model = new Model(ears, unknownRights(false))
  model.hear(state)
  model.take()
  frames = 0
})
afterEach(() => void setSystemTime())

/** What a message changes: items, lists, everything; and how many frames it asks for. */
const changesOf = (message: FromHub) => {
  frames = 0
  model.hear(message)
  const { ids, lists, all } = model.take()
  return [[...ids], lists, all, frames]
}

test("each message of the hub asks for one frame, in which everything is drawn that it may have changed", () => {
  expect(changesOf(state)).toEqual([[], true, true, 1])
  const started = update(5, { status: "processing" })
  expect(changesOf({ type: "updates", updates: [started] })).toEqual([[1], true, false, 1])
  expect(changesOf({ type: "updates", updates: [update(6, { progress: 9 })] })).toEqual([
    [1],
    false,
    false,
    1,
  ])
  expect(passedOn).toEqual([5, 6])
  expect(changesOf({ type: "items", items: [item({ id: 2 })], removed: [1] })).toEqual([[2], true, false, 1])
  expect(changesOf({ type: "more", items: [item({ id: 3 })], ends: ALL_KNOWN })).toEqual([[], true, false, 1])
  const { items, ends } = model.state
  expect([[...items.keys()], ends]).toEqual([[2, 3], ALL_KNOWN])
  const counts = { paused_at: time(1) } as Counts
  expect(changesOf({ type: "counts", counts })).toEqual([[], true, false, 1])
  const unread: Unread[] = [{ part: "workers", reason: "No answer", readMs: undefined }]
  expect(changesOf({ type: "unread", unread })).toEqual([[], true, false, 1])
  expect(changesOf({ type: "connection", connection: { ...live, behind: 3 } })).toEqual([[], false, false, 1])
  expect(changesOf({ type: "gap", gap: { reason: "slow", missed: 1 } })).toEqual([[], false, false, 1])
  const stats = { uptime_seconds: 1 } as never
  expect(changesOf({ type: "stats", stats })).toEqual([[], false, false, 1])
  const { connection, counts: shown, unread: missing } = model
  expect([connection.behind, shown, missing, model.stats]).toEqual([3, counts, unread, stats])
})

test("workers and rights that were asked for are drawn, and a list that was drawn once stays as it is", () => {
  const drawn = model.lists
  model.workers = knownWorkers([])
  model.rights = readerRights({ role: "viewer", item: null, expires_at: null, may: ["read"] }, NOW)
  expect([frames, model.workers.isKnown, model.rights.all]).toEqual([2, true, "read"])
  expect(model.lists).not.toBe(drawn)
  const again = model.lists
  expect(model.lists).toBe(again)
})

test("a list that was read once is known, also if a hub that takes over has read none yet", () => {
  model.hear({ ...state, loaded: false, unread: [{ part: "running", reason: "No answer", readMs: 1 }] })
  expect([model.loaded, model.unread.length]).toEqual([true, 1])
})

test("time alone asks for a frame only when an item that was delayed is due", () => {
  model.tick()
  // No list was drawn that could be out of date.
  model.hear({ ...state, items: [item({ available_at: time(200) })] })
  frames = 0
  model.tick()
  expect([model.lists.dueMs, frames]).toEqual([Date.parse(time(200)), 0])
  setSystemTime(Date.parse(time(199)))
  model.tick()
  expect(frames).toBe(0)
  setSystemTime(Date.parse(time(200)))
  model.tick()
  expect([frames, model.lists.dueMs]).toEqual([1, Number.POSITIVE_INFINITY])
  model.tick()
  expect(frames).toBe(1)
})

test("times are those of the server's clock, and what was never confirmed is shown as of the opening of the page", () => {
  const shown = item({ updated_at: time(10) })
  model.hear({ type: "connection", connection: { ...live, skewMs: 5000 } })
  expect([model.nowMs(), model.asOfMs(shown)]).toEqual([NOW + 5000, NOW + 5000])
  const lost = { ...live, state: "stale", skewMs: 5000 } as const
  model.hear({ type: "connection", connection: { ...lost, confirmedMs: NOW - 20_000 } })
  expect([model.isLive(), model.asOfMs(shown)]).toEqual([false, NOW - 15_000])
  model.hear({ type: "connection", connection: { ...lost, confirmedMs: null } })
  setSystemTime(NOW + 60_000)
  expect(model.asOfMs(shown)).toBe(NOW + 5000)
})

test("an item starts when the forecast says, and nobody knows when without one", () => {
  expect(model.foreseen).toBe(NO_FORECAST)
  const start = { aboutMs: NOW, lowMs: NOW, highMs: NOW }
  model.foreseen = { starts: new Map([[1, start]]), doneMs: null }
  expect([model.startOf(1), model.startOf(2)]).toEqual([start, undefined])
})

test("the page names what it could not load, all lists in one word, and how old is what it shows of the rest", () => {
  const said = (...parts: (readonly [PagePart, readMs?: number])[]): string =>
    unreadWords(
      parts.map(([part, readMs]) => ({ part, readMs, reason: part === "running" ? "No answer" : "Full" })),
      NOW,
    )
  expect(said()).toBe("")
  expect(said(["running"])).toBe("Can't load the running items: No answer")
  expect(said(["history"], ["running"])).toBe(
    "Can't load the history of this item and the running items: Full",
  )
  expect(said(["running"], ["waiting"], ["finished"])).toBe("Can't load the queue: No answer")
  const all = said(["running"], ["search"], ["waiting"], ["finished"], ["starts"])
  expect(all).toBe("Can't load the queue, the search results and the start times: No answer")
  // Lists are kept up to date by the stream.
  expect(said(["finished", NOW - 1000])).toBe("Can't load the finished items: Full")
  const old = `. Those shown are as of ${at(NOW - 9000, NOW)}`
  expect(said(["figures", NOW - 5000], ["workers", NOW - 9000])).toBe(
    `Can't load the figures and the workers: Full${old}`,
  )
  expect(said(["figures"], ["workers", NOW - 9000])).toEndWith(old)
  expect(said(["figures"], ["workers"])).toBe("Can't load the figures and the workers: Full")
})
