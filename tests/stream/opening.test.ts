import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { AppError } from "../../src/errors.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { greetingOf } from "../../src/stream/opening.ts"
import { Selection } from "../../src/stream/selection.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import type { StreamRequest } from "../../src/stream/stream-request.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { counting } from "./counting.ts"
import { eventIds, lastEventId, opening } from "./up-to-live.ts"

setDefaultTimeout(180_000)

/** Streams on a new database with three items and ten updates, and how often the history was read. */
async function open() {
  const folder = temporaryFolder()
  const sqlite = new SqliteStore(join(folder.path, "test.db"))
  const { store, count, fail, hold } = counting(sqlite)
  const bus = new LocalBus()
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 50_000, onError })
  const streams = new Streams(store, broadcaster, { maxLag: 0, random: Math.random, onError })
  const items = [await added(sqlite), await added(sqlite), await added(sqlite)]
  const write = async (id: number): Promise<void> => {
    await put(sqlite, id, {})
    bus.notify()
  }
  for (let updates = 3; updates < 10; updates += 1) await write(1)
  const reads: readonly (keyof Store)[] = ["page", "latest", "latestOfItem", "updates", "bounds", "head"]
  return {
    streams,
    sqlite,
    bus,
    items,
    errors,
    count,
    fail,
    hold,
    write,
    reads: (): number => reads.reduce((sum, name) => sum + count(name), 0),
    async [Symbol.asyncDispose]() {
      broadcaster.drain()
      await sqlite.close()
      folder[Symbol.dispose]()
    },
  }
}

type Asked = Partial<StreamRequest>

/** The first chunk of a stream that is opened in this way. */
async function first(streams: Streams, asked: Asked, signal: AbortSignal): Promise<readonly Frame[]> {
  const common = { snapshot: true, untilFinished: false, signal }
  const stream = await streams.open({ ...common, ...asked, format: asFrames })
  const next = await stream?.next()
  return next && !next.done ? next.value : []
}

const song = { wanted: ({ song_id }: { song_id: number }) => song_id === 1 }
const WAYS: [string, Asked, number[]][] = [
  ["in the usual way", {}, [2, 3, 10]],
  ["without a snapshot", { snapshot: false }, []],
  ["resumed with nothing to replay", { lastEventId: "10" }, []],
  ["resumed with updates to replay", { lastEventId: "4" }, [5, 6, 7, 8, 9, 10]],
  ["filtered", song, [2, 3, 10]],
  ["filtered and resumed", { ...song, lastEventId: "8" }, [9, 10]],
  ["by choice of items", { selection: new Selection([2]) }, [2]],
  ["on one item", { queueId: 1 }, [10]],
  ["on one item, without a snapshot", { queueId: 1, snapshot: false }, []],
  ["on one item, resumed", { queueId: 1, lastEventId: "8" }, [9, 10]],
]

test.each(WAYS)("a thousand streams opened %s read the history as often as one", async (_, asked, ids) => {
  await using opened = await open()
  const { streams, reads } = opened
  const client = new AbortController()
  await first(streams, asked, client.signal)
  const once = reads()
  for (let opening = 1; opening < 1000; opening += 1) {
    const frames = await first(streams, asked, client.signal)
    expect([eventIds(frames), lastEventId(frames)]).toEqual([ids, 10])
  }
  expect(reads()).toBe(once)
  client.abort()
})

test("streams that want the same are sent the same, made once for each reconnection time", async () => {
  await using opened = await open()
  const client = new AbortController()
  const of = async (asked: Asked) => {
    await first(opened.streams, asked, client.signal)
    const all = Array.from({ length: 200 }, () => first(opened.streams, asked, client.signal))
    return new Set(await Promise.all(all))
  }
  const [everything, filtered] = [await of({}), await of(song)]
  expect(everything.size).toBeLessThanOrEqual(16)
  expect(filtered.size).toBeLessThanOrEqual(16)
  expect(everything.intersection(filtered).size).toBe(0)
  for (const frames of filtered) expect(eventIds(frames)).toEqual([2, 3, 10])
  client.abort()
})

test.each([
  [64, 0],
  [65, 1],
])("of %d open items each further stream reads the history %d times", async (count, each) => {
  await using opened = await open()
  const { streams, sqlite, items, reads } = opened
  await Promise.all(Array.from({ length: count - items.length }, () => added(sqlite)))
  const client = new AbortController()
  const frames = await opening(streams, client.signal)
  const once = reads()
  for (let time = 0; time < 5; time += 1)
    expect(eventIds(await opening(streams, client.signal))).toEqual(eventIds(frames))
  expect([eventIds(frames).length, reads() - once]).toEqual([count, 5 * each])
  client.abort()
})

test("what has been written before a stream opens is in its opening", async () => {
  await using opened = await open()
  const { streams, write } = opened
  const client = new AbortController()
  for (let update = 11; update < 60; update += 1) {
    await write(update % 2 === 0 ? 1 : 2)
    const all = await first(streams, {}, client.signal)
    const one = await first(streams, { queueId: 2 }, client.signal)
    const since = await first(streams, { lastEventId: "10" }, client.signal)
    const newest = update % 2 === 0 ? update - 1 : update
    const newestIds = [all, one, since].map((frames) => eventIds(frames).at(-1))
    expect([...newestIds, lastEventId(one)]).toEqual([update, newest, update, update])
  }
  client.abort()
})

test("an item that does not exist is looked for at each opening, and found once it does", async () => {
  await using opened = await open()
  const { streams } = opened
  const { signal } = new AbortController()
  for (let opening = 0; opening < 2; opening += 1) {
    const refusal = await first(streams, { queueId: 77 }, signal).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(AppError)
  }
})

test("an opening that could not be read is read again by the next stream", async () => {
  await using opened = await open()
  const { streams, fail, errors } = opened
  const client = new AbortController()
  const broken = new Error("disk on fire")
  fail("latest", broken)
  expect(await first(streams, {}, client.signal)).toEqual([])
  expect(errors).toEqual([broken])
  expect(eventIds(await first(streams, {}, client.signal))).toEqual([2, 3, 10])
  client.abort()
})

test("streams that resume at hundreds of places each get what they lack", async () => {
  await using opened = await open()
  const { streams, write } = opened
  const client = new AbortController()
  await Promise.all(Array.from({ length: 390 }, () => write(1)))
  for (let from = 340; from < 400; from += 1) {
    const frames = await first(streams, { lastEventId: `${from}` }, client.signal)
    expect(eventIds(frames)).toEqual(Array.from({ length: 400 - from }, (_, i) => from + i + 1))
  }
  for (let from = 0; from < 400; from += 1) {
    const live = await first(streams, { lastEventId: `${from}`, wanted: () => false }, client.signal)
    expect(live[0]).toMatchObject({ type: "hello" })
  }
  client.abort()
})

test("an opening that is remembered for a place grows no longer than 64 updates", async () => {
  await using opened = await open()
  const { streams, write } = opened
  const client = new AbortController()
  const lengths: number[] = []
  for (const count of [40, 24, 20, 20]) {
    await Promise.all(Array.from({ length: count }, () => write(1)))
    lengths.push(eventIds(await first(streams, { lastEventId: "10" }, client.signal)).length)
  }
  expect(lengths).toEqual([40, 64, 64, 64])
  client.abort()
})

test("a stream whose place cannot be found out leaves no one following", async () => {
  await using opened = await open()
  const { streams, fail } = opened
  const { signal } = new AbortController()
  fail("bounds", new Error("disk on fire"))
  await expect(Promise.resolve(first(streams, {}, signal))).rejects.toMatchObject({ code: "unavailable" })
  expect(streams.count).toBe(0)
})

test("what waits for changes of an item and stops leaves no one following", async () => {
  await using opened = await open()
  for await (const _ of opened.streams.changes(1, new AbortController().signal)) break
  expect(opened.streams.count).toBe(0)
})

test("a client that has seen an end of which nobody has rung here yet does not wait for it", async () => {
  await using opened = await open()
  const { streams, sqlite } = opened
  const client = new AbortController()
  const { signal } = client
  await first(streams, { queueId: 1 }, signal)
  for (const status of ["processing", "completed"] as const) await put(sqlite, 1, { status })
  const asked = { queueId: 1, lastEventId: "12", snapshot: true, untilFinished: true, signal }
  expect(await streams.open({ ...asked, format: asFrames })).toBeNull()
  client.abort()
})

/** Reads a stream until its `live`. Returns the event IDs that came, and the event ID of `live`. */
async function untilLive(streams: Streams, asked: Asked, signal: AbortSignal) {
  const stream = await streams.open({
    snapshot: true,
    untilFinished: false,
    signal,
    ...asked,
    format: asFrames,
  })
  const ids: number[] = []
  for (let next = await stream?.next(); next && !next.done; next = await stream?.next()) {
    ids.push(...eventIds(next.value))
    const live = lastEventId(next.value)
    if (live !== undefined) return { ids, live }
  }
  throw new Error("the stream ended before it was live")
}

const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

test("streams that come back while updates go on read nothing of the history: the tail has what they lack", async () => {
  await using opened = await open()
  const { streams, write, reads } = opened
  const client = new AbortController()
  const { signal } = client
  await first(streams, {}, signal)
  for (let update = 0; update < 200; update += 1) await write(1)
  await untilLive(streams, { lastEventId: "210" }, signal)
  // Each write reads the item, and the broadcaster reads what was written.
  const beforeWrite = reads()
  await write(2)
  await untilLive(streams, { lastEventId: "211" }, signal)
  const byWrite = reads() - beforeWrite
  const before = reads()
  for (let back = 0; back < 50; back += 1) {
    await write(2)
    const head = 212 + back
    const some = await untilLive(streams, { lastEventId: `${head - 10}` }, signal)
    expect(some).toEqual({ ids: from(head - 9, head), live: head })
    const many = await untilLive(streams, { lastEventId: "10" }, signal)
    expect(many).toEqual({ ids: from(11, head), live: head })
    const filtered = await untilLive(
      streams,
      { lastEventId: "10", wanted: ({ id }) => id % 100 === 0 },
      signal,
    )
    expect(filtered).toEqual({ ids: [100, 200], live: head })
    expect(await untilLive(streams, { snapshot: false }, signal)).toEqual({ ids: [], live: head })
  }
  expect(reads() - before).toBe(50 * byWrite)
  client.abort()
})

test("streams of an item that come back read it once for each of its updates, however many others there are", async () => {
  await using opened = await open()
  const { streams, write, count } = opened
  const client = new AbortController()
  const { signal } = client
  await first(streams, { queueId: 2 }, signal)
  const before = count("latestOfItem") + count("bounds") + count("latest")
  for (let update = 11; update < 61; update += 1) {
    await write(1)
    const back = await untilLive(streams, { queueId: 2, lastEventId: "10" }, signal)
    expect(back).toEqual({ ids: [], live: update })
    expect(await untilLive(streams, { queueId: 2 }, signal)).toEqual({ ids: [2], live: update })
  }
  expect(count("latestOfItem") + count("bounds") + count("latest")).toBe(before)
  await write(2)
  for (let back = 0; back < 3; back += 1) {
    expect(await untilLive(streams, { queueId: 2, lastEventId: "10" }, signal)).toEqual({
      ids: [61],
      live: 61,
    })
  }
  expect(count("latestOfItem") + count("bounds") + count("latest")).toBe(before + 1)
  client.abort()
})

test("a client that has seen more than this server has heard of resumes without a gap, and gets nothing twice", async () => {
  await using opened = await open()
  const { streams, sqlite, bus } = opened
  const client = new AbortController()
  const { signal } = client
  await first(streams, { lastEventId: "3" }, signal)
  // Another instance writes, and its bell has not been heard yet.
  for (let update = 0; update < 5; update += 1) await put(sqlite, 1, {})
  const stream = await streams.open({
    snapshot: true,
    untilFinished: false,
    signal,
    lastEventId: "13",
    format: asFrames,
  })
  const opening = await stream?.next()
  const said = opening && !opening.done ? opening.value : []
  expect(said.map(({ type }) => type)).toEqual(["hello", "update", "update", "control"])
  expect([eventIds(said), lastEventId(said)]).toEqual([[14, 15], 15])
  await put(sqlite, 1, {})
  bus.notify()
  const next = await stream?.next()
  expect(next && !next.done ? eventIds(next.value) : []).toEqual([16])
  client.abort()
})

test("a stream opens with what is at hand while the history does not answer", async () => {
  await using opened = await open()
  const { streams, write, hold } = opened
  const client = new AbortController()
  const { signal } = client
  await first(streams, {}, signal)
  await write(1)
  await untilLive(streams, { lastEventId: "10" }, signal)
  const answer = hold("page")
  await write(1)
  expect(await untilLive(streams, { lastEventId: "10" }, signal)).toEqual({ ids: [11], live: 11 })
  answer()
  client.abort()
}, 180_000)

test("a database that is away is asked once for the item of a stream, which is then refused", async () => {
  await using opened = await open()
  const { streams, count, fail } = opened
  const away = new AppError("unavailable", "the database cannot be reached now")
  fail("latestOfItem", away)
  const { signal } = new AbortController()
  const opening = first(streams, { queueId: 1 }, signal)
  await expect(opening).rejects.toBe(away)
  expect([count("latestOfItem"), count("latest")]).toEqual([1, 0])
})

test("a client that resumes from before a time without viewers gets what was stored in that time", async () => {
  await using opened = await open()
  const { streams, write } = opened
  const since = async (signal: AbortSignal): Promise<number[]> =>
    eventIds(await first(streams, { lastEventId: "10" }, signal))
  const early = new AbortController()
  await first(streams, { snapshot: false }, early.signal)
  await write(1)
  expect(await since(early.signal)).toEqual([11])
  early.abort()
  await write(2)
  await write(3)
  const late = new AbortController()
  await first(streams, { snapshot: false }, late.signal)
  await write(1)
  expect(await since(late.signal)).toEqual([11, 12, 13, 14])
  late.abort()
})

test("a history that cannot be read while a stream opens after a ring leaves no unhandled error", async () => {
  await using opened = await open()
  const { streams, bus, fail } = opened
  const leave = new AbortController()
  await first(streams, { snapshot: false }, leave.signal)
  const untaken: unknown[] = []
  const take = (error: unknown): void => void untaken.push(error)
  process.on("unhandledRejection", take)
  try {
    fail("latest", new Error("away"))
    bus.notify()
    expect(await first(streams, {}, leave.signal)).toEqual([])
    await Bun.sleep(0)
    expect(untaken).toEqual([])
  } finally {
    process.off("unhandledRejection", take)
    leave.abort()
  }
})

test("clients come back at sixteen different times, from three to five quarters of two seconds later", () => {
  const times = Array.from({ length: 64 }, (_, i) => greetingOf(i / 64).retryMs)
  expect(new Set(times).size).toBe(16)
  expect([Math.min(...times), Math.max(...times)]).toEqual([1500, 2438])
})
