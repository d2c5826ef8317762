import { expect, spyOn, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Bounds } from "../../src/store/contract/history.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { missedAfter } from "../../src/stream/gaps.ts"
import { Selection } from "../../src/stream/selection.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import type { StreamRequest } from "../../src/stream/stream-request.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { MemoryHistory } from "./memory-history.ts"

/**
 * Streams on a history of two items with ten updates. The odd ones belong to item 1. `read` is called before
 * each read, which waits for it.
 */
function open(
  read: (name: string) => Promise<void> = async () => undefined,
  pausedAt: () => Promise<string | null> = async () => null,
) {
  const history = new MemoryHistory(read, 1000)
  const bus = new LocalBus()
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError, pausedAt })
  const streams = new Streams(history, broadcaster, { maxLag: 100, random: () => 0.5, onError })
  for (let id = 1; id <= 10; id += 1) history.append(id % 2 === 1 ? 1 : 2, "processing")
  return { history, bus, broadcaster, streams, errors, [Symbol.dispose]: () => broadcaster.drain() }
}

/** A frame in short: the event ID of an update, or the content of a control frame. */
function short(frame: Frame): string {
  if (frame.type === "update") return String(frame.update.id)
  if (frame.type !== "control") return frame.type
  const { control } = frame
  if (control.event === "gap") return `gap ${control.reason} ${control.last_event_id}`
  return control.event === "live" ? `live ${control.last_event_id}` : control.event
}

/** Opens a stream. `next` returns the frames of its next chunk. */
async function watching(streams: Streams, asked: Partial<StreamRequest> = {}) {
  const leave = new AbortController()
  const common = { snapshot: false, untilFinished: false, signal: leave.signal }
  const stream = await streams.open({ ...common, ...asked, format: asFrames })
  if (!stream) throw new Error("no stream")
  return {
    leave,
    async next(): Promise<string[]> {
      const { value, done } = await stream.next()
      return done ? ["over"] : value.map(short)
    },
  }
}

test("a stream gets a gap when updates that it has sent are gone, then the current state, and goes on", async () => {
  using opened = open()
  const { history, bus, streams, errors } = opened
  const all = await watching(streams)
  const one = await watching(streams, { queueId: 1 })
  const some = await watching(streams, { selection: new Selection([2]) })
  const own = await watching(streams, { queueId: 1, isBound: true })
  for (const { next } of [all, one, some]) expect((await next()).at(-1)).toBe("live 10")
  expect((await own.next()).at(-1)).toBe("live 9")
  history.rollBack(7, 1000)
  bus.notify()
  expect(await all.next()).toEqual(["gap rolled_back 10", "6", "7", "live 1001"])
  expect(await one.next()).toEqual(["gap rolled_back 10", "7", "live 1001"])
  expect(await some.next()).toEqual(["gap rolled_back 10", "6", "live 1001"])
  // Who may know of one item alone learns nothing of the numbers of others.
  expect(await own.next()).toEqual(["gap rolled_back 9", "7", "live 7"])
  history.append(1, "processing")
  history.append(2, "processing")
  bus.notify()
  expect([await all.next(), await one.next(), await some.next()]).toEqual([
    ["1002", "1003"],
    ["1002"],
    ["1003"],
  ])
  expect(errors).toEqual([])
})

test("a stream that begins again with more items than fit a page says so once", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  for (let item = 3; item <= 302; item += 1) history.append(item, "processing")
  history.append(1, "processing")
  const all = await watching(streams)
  expect((await all.next()).at(-1)).toBe("live 311")
  history.rollBack(310, 1000)
  bus.notify()
  const frames: string[] = []
  while (frames.at(-1) !== "live 1001" && frames.length < 1000) frames.push(...(await all.next()))
  expect(frames.filter((frame) => !/^\d+$/.test(frame))).toEqual(["gap rolled_back 311", "live 1001"])
  expect(frames.length).toBe(302 + 2)
})

test("a stream that begins again says that the queue is no longer paused", async () => {
  let pausedAt: string | null = "2026-01-02T03:04:05.678Z"
  const read = async (name: string): Promise<void> => {
    const { broadcaster } = opened
    // The state is read when the broadcaster knows that the queue goes on.
    while (name === "latest" && broadcaster.pause.at !== pausedAt) await new Promise(setImmediate)
  }
  using opened = open(read, async () => pausedAt)
  const { history, bus, streams } = opened
  const all = await watching(streams)
  expect((await all.next()).slice(-2)).toEqual(["queue", "live 10"])
  history.rollBack(7, 1000)
  pausedAt = null
  bus.notify()
  expect(await all.next()).toEqual(["gap rolled_back 10", "6", "7", "queue", "live 1001"])
})

test("the gap comes before anything new, even if a new update is how the server learns of it", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const all = await watching(streams)
  expect((await all.next()).at(-1)).toBe("live 10")
  history.rollBack(7, 1000)
  history.append(1, "processing")
  bus.notify()
  expect(await all.next()).toEqual(["gap rolled_back 10", "6", "1002", "live 1002"])
  history.append(2, "processing")
  bus.notify()
  expect(await all.next()).toEqual(["1003"])
})

test("a client that comes back with an event ID that is gone gets a gap, and one that has not seen such an ID does not", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const watcher = await watching(streams)
  await watcher.next()
  history.rollBack(7, 1000)
  history.append(1, "processing")
  bus.notify()
  await watcher.next()
  const opening = async (lastEventId: string): Promise<string[]> =>
    (await (await watching(streams, { lastEventId, snapshot: true })).next()).slice(1)
  expect(await opening("9")).toEqual(["gap rolled_back 9", "6", "1002", "live 1002"])
  expect(await opening("7")).toEqual(["1002", "live 1002"])
  expect(await opening("1001")).toEqual(["1002", "live 1002"])
  expect(await opening("1002")).toEqual(["live 1002"])
})

test("a gap because of updates that are no longer kept does not count lost event IDs, which no update has", () => {
  const lost = [
    { after: 7, upTo: 1000, reason: "rolled_back" },
    { after: 1002, upTo: 2002, reason: "rolled_back" },
  ] as const
  const missed = (eventId: number, oldest: number): number =>
    missedAfter(eventId, { oldest, newest: 2005, lost, stored: 0 })
  expect([missed(5, 2005), missed(1002, 2005), missed(5, 1003), missed(5, 8)]).toEqual([4, 1, 3, 2])
})

test("a stream that waits for the end of an item does not take an end that is gone for one", async () => {
  using opened = open()
  const { history, bus, broadcaster, streams } = opened
  for (const status of ["processing", "completed"] as const) history.append(3, status)
  const waiting = await watching(streams, { queueId: 3, snapshot: true, untilFinished: true })
  expect(await waiting.next()).toEqual(["hello", "12", "live 12"])
  history.rollBack(10, 1000)
  bus.notify()
  while (broadcaster.head !== 1001) await new Promise(setImmediate)
  expect(await waiting.next()).toEqual(["gap rolled_back 12", "live 1001"])
  const next = waiting.next()
  history.append(3, "processing")
  bus.notify()
  expect(await next).toEqual(["1002"])
})

test("updates that were sent to nobody may go without a gap", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const all = await watching(streams)
  await all.next()
  history.append(1, "processing")
  history.rollBack(10, 1000)
  history.append(1, "processing")
  bus.notify()
  expect(await all.next()).toEqual(["1002"])
  // Another server of the fleet had sent it.
  const other = await watching(streams, { lastEventId: "11", snapshot: true })
  expect(await other.next()).toEqual(["hello", "gap rolled_back 11", "10", "1002", "live 1002"])
})

test("a client that comes back with an event ID that is kept is sent nothing that is gone", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const watcher = await watching(streams)
  await watcher.next()
  for (const id of ["11", "12"]) {
    history.append(1, "processing")
    bus.notify()
    expect(await watcher.next()).toEqual([id])
  }
  history.rollBack(11, 1000)
  history.append(1, "processing")
  bus.notify()
  await watcher.next()
  const client = await watching(streams, { lastEventId: "10" })
  expect(await client.next()).toEqual(["hello", "11", "1002", "live 1002"])
})

test("a state that was read before updates were lost is not given to the next stream", async () => {
  const gates = { bounds: Promise.withResolvers<void>(), head: Promise.withResolvers<void>() }
  using opened = open(async (name) => {
    if (name === "bounds" || name === "head") await gates[name].promise
  })
  const { history, bus, broadcaster, streams } = opened
  const asked = { queueId: 1, snapshot: true }
  const first = watching(streams, asked)
  while (broadcaster.seats === 0) await new Promise(setImmediate)
  bus.notify()
  // It reads the state after the ring, and no ring announces the loss.
  const second = watching(streams, asked)
  while (broadcaster.seats === 1) await new Promise(setImmediate)
  gates.bounds.resolve()
  for (const { next } of [await first, await second]) expect(await next()).toEqual(["hello", "9", "live 10"])
  history.rollBack(7, 1000)
  gates.head.resolve()
  expect(await (await first).next()).toEqual(["gap rolled_back 10", "7", "live 1001"])
  expect(await (await watching(streams, asked)).next()).toEqual(["hello", "7", "live 1001"])
})

test("a state that was read before the first stream follows is shown as gone if it was lost meanwhile", async () => {
  const bounds = Promise.withResolvers<void>()
  using opened = open(async (name) => {
    if (name === "bounds") await bounds.promise
  })
  const { history, broadcaster, streams } = opened
  const opening = watching(streams, { queueId: 1, snapshot: true })
  while (broadcaster.seats === 0) await new Promise(setImmediate)
  history.rollBack(7, 1000)
  bounds.resolve()
  const stream = await opening
  expect(await stream.next()).toEqual(["hello", "9", "live 10"])
  expect(await stream.next()).toEqual(["gap rolled_back 10", "7", "live 1001"])
})

test("a stream that opens while it is read for streams that have left whether updates are gone misses nothing", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const first = await watching(streams)
  expect((await first.next()).at(-1)).toBe("live 10")
  history.rollBack(10, 1000)
  history.append(1, "processing")
  const [asked, known] = [Promise.withResolvers<void>(), Promise.withResolvers<Bounds>()]
  const before = await history.bounds()
  using _bounds = spyOn(history, "bounds").mockImplementationOnce(() => {
    asked.resolve()
    return known.promise
  })
  bus.notify()
  await asked.promise
  first.leave.abort()
  history.append(2, "processing")
  const next = await watching(streams)
  known.resolve(before)
  // With an older place it would miss the update until another one is stored.
  expect((await next.next()).at(-1)).toBe("live 1003")
})

test("a held answer looks again when updates are gone", async () => {
  using opened = open()
  const { history, bus, streams } = opened
  const leave = new AbortController()
  const changes = streams.changes(1, leave.signal)
  await changes.next()
  const looked = changes.next()
  history.rollBack(7, 1000)
  bus.notify()
  expect(await looked).toEqual({ value: undefined, done: false })
  leave.abort()
})

test("a stream that loses updates before it is live says live once", async () => {
  using opened = open()
  const { history, bus, broadcaster, streams } = opened
  const reads = async (head: number): Promise<void> => {
    while (broadcaster.head !== head) await new Promise(setImmediate)
  }
  const watcher = await watching(streams)
  await watcher.next()
  // More than an opening holds: live follows later.
  for (let update = 0; update < 70; update += 1) history.append(1, "processing")
  bus.notify()
  await reads(80)
  const stream = await watching(streams, { lastEventId: "10" })
  expect(await stream.next()).toEqual(["hello"])
  history.rollBack(7, 1000)
  bus.notify()
  await reads(1001)
  expect(await stream.next()).toEqual(["gap rolled_back 10", "6", "7", "live 1001"])
  history.append(2, "processing")
  bus.notify()
  expect(await stream.next()).toEqual(["1002"])
})
