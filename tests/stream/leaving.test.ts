import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { AppError } from "../../src/errors.ts"
import type { PageQuery } from "../../src/store/contract/history.ts"
import { Batch } from "../../src/stream/batch.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Seat } from "../../src/stream/seat.ts"
import { Seats } from "../../src/stream/seats.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { start } from "../server.ts"
import { MemoryHistory } from "./memory-history.ts"

/** Streams on a history whose reads are counted, and held up from `hold` until `go`. */
function onHeldHistory() {
  const reading = Promise.withResolvers<void>()
  const reads = { count: 0, held: Promise.resolve() }
  const history = new MemoryHistory(async () => {
    reads.count += 1
    await reads.held
  }, 1000)
  const onError = (error: unknown): never => {
    throw error
  }
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const hold = (): void => {
    reads.held = reading.promise
    reads.count = 0
  }
  return { history, broadcaster, bus, streams, reads, hold, go: reading.resolve }
}

test("a stream that is left gives up its seat at once, whatever it does, and ends", async () => {
  const { history, broadcaster, streams, reads, hold, go } = onHeldHistory()
  history.append(1, "processing")
  const opened = async (lastEventId?: string) => {
    const common = { snapshot: true, untilFinished: false, format: asFrames }
    const stream = await streams.open({ ...common, lastEventId })
    if (!stream) throw new Error("the stream is missing")
    return stream
  }
  const isLeft = () => expect(broadcaster.streams).toEqual({ global: 0, item: 0 })

  const unread = await opened()
  expect(broadcaster.streams).toEqual({ global: 1, item: 0 })
  const isOver = unread.return()
  isLeft()
  expect(await isOver).toEqual({ done: true, value: "left" })

  const waiting = await opened()
  for (let isLive = false; !isLive;) {
    const { value } = await waiting.next()
    isLive =
      Array.isArray(value) && value.some((one) => one.type === "control" && one.control.event === "live")
  }
  const news = waiting.next()
  void waiting.return()
  isLeft()
  expect((await news).done).toBe(true)

  const reader = await opened("0")
  hold()
  const first = reader.next()
  while (reads.count === 0) await Promise.resolve()
  void reader.return()
  isLeft()
  go()
  expect((await first).done).toBe(true)
})

test("what waits for changes of an item ends when the server drains, and nothing waits afterwards", async () => {
  const { history, broadcaster, streams } = onHeldHistory()
  history.append(1, "processing")
  const { signal } = new AbortController()
  const changes = streams.changes(1, signal)
  expect((await changes.next()).done).toBe(false)
  const next = changes.next()
  broadcaster.drain()
  expect((await next).done).toBe(true)
  expect(streams.count).toBe(0)
  expect((await streams.changes(1, signal).next()).done).toBe(true)
})

test("a change that comes while what waits for changes is busy with the last one is not missed", async () => {
  const { history, broadcaster, bus, streams } = onHeldHistory()
  history.append(1, "processing")
  const changes = streams.changes(1, new AbortController().signal)
  await changes.next()
  history.append(1, "processing")
  bus.notify()
  while (broadcaster.head < 2) await new Promise(setImmediate)
  let isHeard = false
  void changes.next().then(() => (isHeard = true))
  for (let tick = 0; tick < 20; tick += 1) await new Promise(setImmediate)
  expect(isHeard).toBe(true)
  broadcaster.drain()
})

test("a list of streams has no more than were asked for, those that were opened first", async () => {
  const { streams } = onHeldHistory()
  const common = { snapshot: true, untilFinished: false, format: asFrames }
  for (const client of ["curl", "browser", "python"]) await streams.open({ ...common, client })
  expect(streams.list(2).map(({ client }) => client)).toEqual(["curl", "browser"])
  expect(streams.list(3)).toHaveLength(3)
})

test("once the streams of single items have left, no batch is searched by item", () => {
  const seats = new Seats(() => undefined)
  const [all, one, other] = [new Seat("global", undefined), new Seat("item", 1), new Seat("item", 1)]
  for (const seat of [all, one, other]) seats.put(seat)
  let searches = 0
  class Searched extends Batch {
    override get byItem() {
      searches += 1
      return super.byItem
    }
  }
  const batch = new Searched(0, 0, [])
  seats.remove(one)
  expect([...seats.concerned(batch)]).toEqual([all])
  expect(searches).toBe(1)
  seats.remove(other)
  expect([...seats.concerned(batch)]).toEqual([all])
  expect(searches).toBe(1)
})

test("clients that go away while their streams are being opened leave no stream behind", async () => {
  await using server = await start()
  const id = await server.add()
  const { port } = new URL(server.url)
  for (const path of ["", "?last_event_id=0", `/${id}`, `/${id}?until=finished`, "/77"]) {
    for (let number = 0; number < 40; number += 1) {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port: Number(port), socket: { data() {} } })
      socket.write(`GET /api/v1/progress/stream${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
      socket.flush()
      if (number % 2 === 0) socket.terminate()
      else socket.end()
    }
  }
  await server.connectedClients(0)
  // Later requests were read after those before them.
  expect(await (await server.api("GET", "/progress/stats")).json()).toMatchObject({ connected_clients: 0 })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  const figure = (name: string): number =>
    metrics
      .split("\n")
      .filter((line) => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
  expect(figure("track_studio_streams_opened_total")).toBeGreaterThan(0)
  expect(figure("track_studio_streams_opened_total")).toBe(figure("track_studio_streams_closed_total"))
})

test("replays that are left while they wait for their turn read nothing", async () => {
  const { history, streams, reads, hold, go } = onHeldHistory()
  for (let update = 0; update < 100; update += 1) history.append(1, "processing")
  const replay = { lastEventId: "0", snapshot: true, untilFinished: false, format: asFrames }
  const replays = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const stream = await streams.open(replay)
      await stream?.next()
      return stream
    }),
  )
  hold()
  const pages = replays.map((stream) => stream?.next())
  while (reads.count < 8) await new Promise((resolve) => void setImmediate(resolve))
  for (const stream of replays) void stream?.return()
  go()
  expect((await Promise.all(pages)).map((page) => page?.done)).toEqual(replays.map(() => true))
  expect(reads.count).toBe(8)
})

test("a keepalive that cannot be written while the history is read ends its stream alone, once it was read", async () => {
  const held = Promise.withResolvers<void>()
  let reading: Promise<void> | undefined
  const history = new MemoryHistory(async () => reading, 1000)
  // More than one page.
  for (let update = 0; update < 600; update += 1) history.append(1, "processing")
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 10, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const common = { snapshot: true, untilFinished: false, format: asFrames }
  const stream = await streams.open({ ...common, lastEventId: "0" })
  await stream?.next()
  reading = held.promise
  const gone = new Error("no such socket")
  const written = Promise.withResolvers<void>()
  const ended = stream?.next({
    write() {
      written.resolve()
      return Promise.reject(gone)
    },
  })
  await written.promise
  // A rejection that nobody expects would end the process in this tick.
  await new Promise(setImmediate)
  held.resolve()
  expect(await ended).toEqual({ done: true, value: "failed" })
  expect(errors).toEqual([gone])
  broadcaster.drain()
})

test("a stream gets keepalives also after one that its client took late, while more of the history is read", async () => {
  let reading: Promise<void> | undefined
  const history = new MemoryHistory(async () => reading, 1000)
  // More than two pages.
  for (let update = 0; update < 600; update += 1) history.append(1, "processing")
  const onError = (): void => undefined
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 10, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const common = { snapshot: true, untilFinished: false, format: asFrames }
  const stream = await streams.open({ ...common, lastEventId: "0" })
  await stream?.next()
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  reading = first.promise
  let pages = 0
  const another = Promise.withResolvers<void>()
  void stream?.next({
    async write(chunk) {
      if (chunk.some(({ type }) => type === "update")) pages += 1
      // It waits for the page after the first one from then on.
      else if (pages === 0) {
        reading = second.promise
        first.resolve()
      } else another.resolve()
    },
  })
  await another.promise
  expect(pages).toBe(1)
  void stream?.return()
  second.resolve()
  broadcaster.drain()
}, 15_000)

test("a stream that is left while the database is away does not ask it again", async () => {
  const away = Promise.withResolvers<void>()
  let [reads, reading] = [0, Promise.resolve()]
  const history = new MemoryHistory(async () => {
    reads += 1
    await reading
  }, 1000)
  for (let update = 0; update < 600; update += 1) history.append(1, "processing")
  const onError = (): void => undefined
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const common = { snapshot: true, untilFinished: false, format: asFrames }
  const stream = await streams.open({ ...common, lastEventId: "0" })
  await stream?.next()
  reading = away.promise
  reads = 0
  const next = stream?.next()
  while (reads === 0) await new Promise(setImmediate)
  void stream?.return()
  away.reject(new AppError("unavailable", "the database cannot be reached now"))
  expect([(await next)?.done, reads]).toEqual([true, 1])
})

test("what was read for streams that have left is not kept for the next ones, which would miss what came after it", async () => {
  const [asked, page, bounds] = [1, 2, 3].map(() => Promise.withResolvers<void>())
  class Held extends MemoryHistory {
    override async page(query: PageQuery) {
      const read = await super.page(query)
      asked?.resolve()
      await page?.promise
      return read
    }
  }
  let isHeld = false
  const history = new Held(async (name) => {
    if (isHeld && name === "bounds") await bounds?.promise
  }, 1000)
  const [bus, onError] = [new LocalBus(), (error: unknown) => Promise.reject(error)]
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError })
  const [first, second, third] = [1, 2, 3].map(() => new Seat("global", undefined))
  if (!first || !second || !third) throw new Error("a seat is missing")
  const { signal } = new AbortController()
  history.append(1, "processing")
  await broadcaster.join(first, signal)
  history.append(1, "processing")
  bus.notify()
  await asked?.promise
  broadcaster.leave(first)
  history.append(1, "processing")
  isHeld = true
  const joined = broadcaster.join(second, signal)
  page?.resolve()
  for (let tick = 0; tick < 20; tick += 1) await new Promise(setImmediate)
  bounds?.resolve()
  await joined
  second.cursor = broadcaster.head
  const woken = second.wait()
  history.append(1, "processing")
  bus.notify()
  await woken
  third.cursor = 1
  expect([second.cursor, broadcaster.tail.take(third)]).toEqual([3, null])
})
