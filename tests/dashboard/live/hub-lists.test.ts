import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"

import { ServerError } from "../../../src/client/client.ts"
import { Hub } from "../../../src/dashboard/live/hub.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { StreamTrust } from "../../../src/dashboard/live/stream-trust.ts"
import { State } from "../../../src/dashboard/model/apply-updates.ts"
import type { Counts } from "../../../src/dashboard/model/hub-messages.ts"
import type { Status } from "../../../src/item/item.ts"
import { isFinished } from "../../../src/item/moves.ts"
import { item, time } from "../items.ts"
import { Far, settled } from "./far-server.ts"

let far: Far
let hub: Hub
let shown: State
/** The parts of the page that cannot be loaded. */
let unread: string[]
/** The figures of the last whole state. */
let counts: Counts | null
/** What the hub has sent of updates, as long as somebody keeps it. */
let sent: WeakRef<object>[]

/** All requests are answered, and everything that has happened has arrived. */
async function calm(): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    await far.arrive(100)
    for (const question of [...far.questions]) question.next(false)
    jest.advanceTimersByTime(500)
    await settled()
  }
}

beforeEach(async () => {
  jest.useFakeTimers()
  far = new Far()
  for (let id = 1; id <= 20; id += 1) {
    far.items.set(id, id <= 2 ? item({ id }) : item({ id, status: "completed", completed_at: time(id) }))
  }
  spyOn(server, "watch").mockImplementation((options = {}) => far.watch(options))
  // A token for one item may not see them.
  spyOn(server, "stats").mockRejectedValue(new ServerError(403, "not for you", { code: "forbidden" }))
  spyOn(server, "counts").mockRejectedValue(new Error("not asked for here"))
  spyOn(server, "get").mockImplementation((id) => far.ask(() => far.get(id)))
  spyOn(server, "list").mockImplementation(({ status, after }) =>
    far.ask(() => far.page(status as Status, after)),
  )
  shown = new State()
  unread = []
  sent = []
  hub = new Hub((message) => {
    if (message.type === "unread") unread = message.unread.map(({ part }) => part)
    if (message.type === "updates") sent.push(...message.updates.map((update) => new WeakRef(update)))
    if (message.type === "state") counts = message.counts
    if (message.type === "state") shown.replace(message.items, message.ends)
    if (message.type === "updates") shown.apply(message.updates)
    if (message.type === "items") shown.put(message.items, message.removed)
    if (message.type === "more") shown.extend(message.items, message.ends)
  })
  hub.receive("tab", { type: "hello", visible: true })
  far.connect(true)
  await calm()
})
afterEach(async () => {
  hub.close()
  await settled()
  jest.useRealTimers()
  jest.restoreAllMocks()
})

test("an item that the server no longer has when it is read is not shown any more, and not read again", async () => {
  expect(shown.items.has(1)).toBe(true)
  far.change(1, { title: "another" })
  far.items.delete(1)
  const { calls } = spyOn(server, "get").mock
  await calm()
  expect(shown.items.has(1)).toBe(false)
  expect(calls.map(([id]) => id)).toEqual([1])
})

test("what could not be read while there was no stream is read as soon as there is one again", async () => {
  const { calls } = spyOn(server, "get").mock
  far.change(1, { title: "another" })
  await far.arrive(1)
  await far.cut()
  for (const question of [...far.questions]) question.next(true)
  await settled()
  jest.advanceTimersByTime(1000)
  await settled()
  expect(calls.map(([id]) => id)).toEqual([1])
  far.connect(false)
  await calm()
  expect(calls.map(([id]) => id)).toEqual([1, 1])
  expect(shown.items.get(1)?.title).toBe("another")
})

test("each request for more of a list reads more of it, until all is known", async () => {
  const finished = (): number => [...shown.items.values()].filter(({ status }) => isFinished(status)).length
  const seen = [finished()]
  for (let request = 0; request < 3; request += 1) {
    hub.receive("tab", { type: "more", list: "finished" })
    await calm()
    seen.push(finished())
  }
  expect(seen).toEqual([3, 6, 9, 12])
})

test("a tab that is seen again and again checks the time once a second all the same", async () => {
  for (let time = 0; time < 3; time += 1) hub.wake()
  const { calls } = spyOn(StreamTrust.prototype, "tick").mock
  jest.advanceTimersByTime(5000)
  expect(calls.length).toBe(5)
})

test("a hub that nobody sees rests until it is seen again", () => {
  const { calls } = spyOn(StreamTrust.prototype, "tick").mock
  hub.pause()
  jest.advanceTimersByTime(5000)
  expect(calls.length).toBe(0)
  hub.wake()
  jest.advanceTimersByTime(1000)
  expect(calls.length).toBe(1)
})

/** The requests under way fail, and it is time for the next ones. */
async function failAll(): Promise<void> {
  for (const question of [...far.questions]) question.next(true)
  await settled()
  jest.advanceTimersByTime(10_000)
  await settled()
}

test("a list that could not be loaded is named as such while a new stream is live and the list is read again", async () => {
  hub.receive("tab", { type: "more", list: "finished" })
  for (let time = 0; time < 3; time += 1) await failAll()
  expect(unread).toContain("finished")
  await far.cut()
  far.connect(false)
  await far.arrive(10)
  // The figures were not there either, but nobody knows whether that is still so.
  expect(unread).toEqual(["finished"])
  await calm()
  expect(unread).not.toContain("finished")
})

test("the lists are read as soon as another server's stream is live, though the server that was lost never answers", async () => {
  far.items.set(1, item({ title: "read from the other server" }))
  await far.cut()
  far.connect(true)
  await far.arrive(10)
  const { length } = far.questions
  expect(length).toBeGreaterThan(2)
  await far.cut()
  far.connect(false)
  await far.arrive(10)
  for (let step = 0; step < 2; step += 1) {
    for (const question of far.questions.slice(length)) question.next(false)
    await settled()
  }
  expect(shown.items.get(1)?.title).toBe("read from the other server")
})

test("a hub that was closed while an item was read asks for it no more", async () => {
  const { calls } = spyOn(server, "get").mock
  far.change(1, { title: "another" })
  await far.arrive(1)
  expect(calls.length).toBe(1)
  hub.close()
  for (let time = 0; time < 3; time += 1) await failAll()
  expect(calls.length).toBe(1)
})

test("a list that could not be read on is read on once, and no further", async () => {
  const { calls } = spyOn(server, "list").mock
  hub.receive("tab", { type: "more", list: "finished" })
  await failAll()
  const asked = calls.length
  await calm()
  const pages = calls.slice(asked).length
  await calm()
  expect(calls.slice(asked)).toHaveLength(pages)
  expect([...shown.items.values()].filter(({ status }) => isFinished(status))).toHaveLength(6)
})

test("the figures of one queue are not those of another one", async () => {
  spyOn(server, "counts").mockResolvedValueOnce({ paused_at: null } as Counts)
  hub.receive("tab", { type: "count" })
  await calm()
  hub.receive("other", { type: "hello", visible: true })
  expect(counts).toEqual({ paused_at: null } as Counts)
  await far.cut()
  far.history = "another"
  far.connect(true)
  await far.arrive(1000)
  expect(counts).toBeNull()
})

test("a hub that was closed while a list was read does not read it again, even if it failed", async () => {
  const { calls } = spyOn(server, "list").mock
  hub.receive("tab", { type: "more", list: "finished" })
  hub.close()
  const asked = calls.length
  for (let time = 0; time < 3; time += 1) await failAll()
  expect(calls.length).toBe(asked)
})

test("a list that could not be read on is not read on once everything was read again from the beginning", async () => {
  hub.receive("tab", { type: "more", list: "finished" })
  await failAll()
  await far.cut()
  far.connect(true)
  await calm()
  // One page, as at first.
  expect([...shown.items.values()].filter(({ status }) => isFinished(status))).toHaveLength(3)
})

test("who has everything tried again gets the figures within a second, too, and not at their next time", async () => {
  const { calls } = spyOn(server, "counts").mock
  for (const { length } = calls; calls.length === length; await settled()) jest.advanceTimersByTime(100)
  const before = calls.length
  hub.receive("tab", { type: "retry" })
  jest.advanceTimersByTime(1000)
  expect(calls.length).toBe(before + 1)
})

test("updates that were applied are not kept", async () => {
  far.change(1, { status: "processing", attempt: 1 })
  await calm()
  sent = []
  for (let progress = 1; progress <= 100; progress += 1) far.change(1, { progress })
  await calm()
  expect([sent.length, shown.items.get(1)?.progress]).toEqual([100, 100])
  Bun.gc(true)
  expect(sent.filter((update) => update.deref() !== undefined).length).toBeLessThan(10)
})
