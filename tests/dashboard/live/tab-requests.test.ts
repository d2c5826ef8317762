import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"

import { ServerError } from "../../../src/client/client.ts"
import { ItemHistory } from "../../../src/dashboard/live/item-history.ts"
import { OutputReading } from "../../../src/dashboard/live/output-reading.ts"
import { askRights, askStarts, askWorkers } from "../../../src/dashboard/live/periodic-questions.ts"
import { Search } from "../../../src/dashboard/live/search.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { unreadHere, UnreadParts } from "../../../src/dashboard/live/unread-parts.ts"
import type { ReaderRights } from "../../../src/dashboard/model/rights.ts"
import type { ListedWorkers } from "../../../src/dashboard/model/workers.ts"
import { settled } from "./far-server.ts"

const LOST = new ServerError(0, "no answer", { code: "unreachable" })
const REASON = "Can't reach the server"

let tab: EventTarget & { hidden: boolean }
beforeEach(() => {
  jest.useFakeTimers()
  tab = Object.assign(new EventTarget(), { hidden: false })
  Object.defineProperty(globalThis, "document", { value: tab, configurable: true })
})
afterEach(() => {
  for (const { part } of unreadHere.parts) unreadHere.read(part)
  jest.useRealTimers()
  jest.restoreAllMocks()
  Reflect.deleteProperty(globalThis, "document")
})

/** Lets this much time pass, a second at a time, and everything happen that is due then. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    jest.advanceTimersByTime(1000)
    await settled()
  }
}

const unread = (): string[] => unreadHere.parts.map(({ part, reason }) => `${part}: ${reason}`)

test("a history and a search that cannot be read are named from the second failure on, until they can", async () => {
  const [history, list] = [spyOn(server, "history"), spyOn(server, "list")]
  for (const asked of [history, list]) asked.mockRejectedValue(LOST)
  const past = new ItemHistory(
    1,
    () => undefined,
    () => true,
  )
  await past.read()
  const search = new Search({ text: "tide", which: "waiting" }, () => undefined)
  await settled()
  expect([unread(), past.isKnown, search.isLoaded]).toEqual([[], false, false])
  await pass(2)
  expect(unread().sort()).toEqual([`history: ${REASON}`, `search: ${REASON}`])
  history.mockResolvedValue({ updates: [], next: null })
  await pass(1)
  expect([unread(), past.isKnown]).toEqual([[`search: ${REASON}`], true])
  // The reader wants to see something else.
  search.end()
  expect(unread()).toEqual([])
  const { length } = list.mock.calls
  await pass(10)
  expect([list.mock.calls.length, unread()]).toEqual([length, []])
})

test("a search that is made while its answer is on its way waits for that, and shows nothing once it has ended", async () => {
  const { promise, resolve } = Promise.withResolvers<{ queue: []; next: null }>()
  const list = spyOn(server, "list").mockReturnValue(promise)
  let shown = 0
  const search = new Search({ text: "tide", which: "completed" }, () => (shown += 1))
  search.refresh()
  await pass(3)
  expect(list).toHaveBeenCalledTimes(1)
  search.end()
  resolve({ queue: [], next: null })
  await pass(3)
  expect(shown).toBe(0)
})

test("workers and start times are asked for at their intervals, and named as missing from the second failure on", async () => {
  const [workers, forecast, me] = [
    spyOn(server, "workers").mockRejectedValue(LOST),
    spyOn(server, "forecast").mockRejectedValue(LOST),
    spyOn(server, "me").mockRejectedValue(LOST),
  ]
  const listed: ListedWorkers[] = []
  const rights: ReaderRights[] = []
  askWorkers((known) => listed.push(known))
  askStarts(
    () => 0,
    () => undefined,
  )
  askRights(
    () => 0,
    (known) => rights.push(known),
  )
  await pass(1)
  expect(unread()).toEqual([])
  await pass(12)
  expect(unread()).toEqual([`workers: ${REASON}`, `starts: ${REASON}`])
  workers.mockResolvedValue([])
  await pass(5)
  expect([unread(), listed.length, listed[0]?.isKnown]).toEqual([[`starts: ${REASON}`], 1, true])
  me.mockResolvedValue({ role: "viewer", item: null, expires_at: null, may: ["read"] })
  await pass(45)
  const calls = [workers, forecast, me].map(({ mock }) => mock.calls.length)
  // In 63 seconds: every five, ten and thirty seconds.
  expect(calls).toEqual([13, 7, 3])
  expect(rights.map(({ all }) => all)).toEqual(["read", "read"])
  tab.hidden = true
  await pass(60)
  expect(workers).toHaveBeenCalledTimes(13)
})

test("what a reader may not see, or does not exist, is no failure, and ends earlier ones", () => {
  const parts = new UnreadParts()
  let changes = 0
  parts.changed = () => (changes += 1)
  const fail = (status: number): void => parts.failed("item", new ServerError(status, "no", { code: "x" }))
  for (const status of [401, 403, 404]) {
    fail(500)
    fail(500)
    expect(parts.parts).toEqual([{ part: "item", reason: "No", readMs: undefined }])
    fail(status)
    expect(parts.parts).toEqual([])
  }
  expect(changes).toBe(6)
  // One that is not shown changes nothing.
  fail(500)
  parts.read("item")
  fail(500)
  expect([parts.parts, changes]).toEqual([[], 6])
})

test("a new connection forgets failures, except of what is owed, and each part says when it was loaded last", async () => {
  const parts = new UnreadParts()
  jest.setSystemTime(5000)
  expect(await parts.note("figures", Promise.resolve("answer"))).toBe("answer")
  jest.setSystemTime(9000)
  for (const part of ["figures", "waiting"] as const)
    for (let time = 0; time < 2; time += 1)
      await expect(parts.note(part, Promise.reject(LOST))).rejects.toBe(LOST)
  expect(parts.parts.map(({ part, readMs }) => [part, readMs])).toEqual([
    ["figures", 5000],
    ["waiting", undefined],
  ])
  parts.forget((part) => part === "waiting")
  expect(parts.parts.map(({ part }) => part)).toEqual(["waiting"])
  parts.forget()
  expect(parts.parts).toEqual([])
})

test("an output is followed with no more than one connection, which ends when nobody wants it any more", async () => {
  const signals: (AbortSignal | undefined)[] = []
  spyOn(server, "output").mockImplementation(async function* (_id, { signal } = {}) {
    signals.push(signal)
    yield { type: "live" } as never
    await new Promise((_, reject) => signal?.addEventListener("abort", reject))
  })
  let [isWanted, ends, texts] = [true, 0, 0]
  new OutputReading(7, 1, true, {
    text: () => (texts += 1),
    begunAgain: () => undefined,
    ended: () => (ends += 1),
    isWanted: () => isWanted,
  })
  await pass(3)
  expect([signals.length, signals[0]?.aborted]).toEqual([1, false])
  isWanted = false
  await pass(3)
  expect([signals.length, signals[0]?.aborted, ends, texts]).toEqual([1, true, 0, 0])
})

test("an output that the server refuses is over, and not asked for again", async () => {
  const output = spyOn(server, "output").mockImplementation(() => {
    throw new ServerError(404, "gone", { code: "not_found" })
  })
  let ends = 0
  new OutputReading(7, 1, true, {
    ...{ text: () => undefined, begunAgain: () => undefined, isWanted: () => true },
    ended: () => (ends += 1),
  })
  await pass(3)
  expect([output.mock.calls.length, ends]).toEqual([1, 1])
})
