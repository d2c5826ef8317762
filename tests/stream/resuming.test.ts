import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { MemoryHistory } from "./memory-history.ts"
import { eventIds, lastEventId } from "./up-to-live.ts"

test("a stream that resumes gets every update, and then a pause, before its live, however far behind it is by then", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const pausedAt = async (): Promise<string> => "2026-01-02T03:04:05.678Z"
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail, pausedAt })
  const streams = new Streams(history, broadcaster, { maxLag: 50, random: () => 0.5, onError: fail })
  const leave = new AbortController()
  const common = { untilFinished: false, snapshot: false, format: asFrames, signal: leave.signal }
  const write = async (count: number, length = 0): Promise<void> => {
    for (let update = 0; update < count; update += 1) {
      history.append(1, "processing")
      Object.assign(history.all.at(-1) ?? {}, { data: JSON.stringify("x".repeat(length)) })
    }
    bus.notify()
    const head = await history.head()
    while (broadcaster.head !== head) await new Promise(setImmediate)
  }
  const other = await streams.open(common)
  await other?.next()
  await write(200)
  // The updates that it lacks are in memory when it opens, and then the newest updates take their place.
  const stream = await streams.open({ ...common, lastEventId: "0" })
  await stream?.next()
  await write(4, 1024 * 1024)
  const said: (string | number)[] = []
  while (said.at(-1) !== "live") {
    const { value, done } = (await stream?.next()) ?? { value: undefined, done: true }
    if (done || typeof value !== "object") break
    for (const frame of value) {
      if (frame.type === "update") said.push(frame.update.id)
      if (frame.type === "control") said.push(frame.control.event)
    }
  }
  expect(said).toEqual([...Array.from({ length: 204 }, (_, i) => i + 1), "queue", "live"])
  leave.abort()
  broadcaster.drain()
}, 180_000)

test("a stream that resumes does not end by an update that is still to come", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  const leave = new AbortController()
  const common = { snapshot: false, format: asFrames, signal: leave.signal }
  history.append(1, "processing")
  const other = await streams.open({ ...common, untilFinished: false })
  await other?.next()
  // The bell has not rung yet for the end of the item, as it may be for an end that another instance stored.
  history.append(1, "completed")
  const stream = await streams.open({ ...common, untilFinished: true, queueId: 1, lastEventId: "1" })
  expect((await stream?.next())?.value).toMatchObject([{ type: "hello" }, { control: { event: "live" } }])
  const next = stream?.next()
  bus.notify()
  expect((await next)?.value).toMatchObject([{ update: { id: 2 } }])
  expect((await stream?.next())?.value).toMatchObject([{ control: { event: "end", status: "completed" } }])
  leave.abort()
  broadcaster.drain()
})

test("a stream that waits for the end of an item does not end by one after which the item has gone on", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  const leave = new AbortController()
  const common = { snapshot: true, format: asFrames, signal: leave.signal }
  history.append(1, "completed")
  const other = await streams.open({ ...common, untilFinished: false })
  await other?.next()
  const stream = await streams.open({ ...common, untilFinished: true, queueId: 1 })
  // Somebody retries the item before the client reads.
  history.append(1, "queued")
  bus.notify()
  while (broadcaster.head !== 2) await new Promise(setImmediate)
  expect((await stream?.next())?.value).toMatchObject([
    {},
    { update: { id: 1 } },
    { control: { event: "live" } },
  ])
  expect((await stream?.next())?.value).toMatchObject([{ update: { id: 2, status: "queued" } }])
  leave.abort()
  broadcaster.drain()
})

test("an update that comes while a stream that resumes reads what it lacks is sent once", async () => {
  let isNew = false
  const history: MemoryHistory = new MemoryHistory(async (name) => {
    if (!isNew || name !== "page") return
    isNew = false
    history.append(1, "processing")
  }, 1000)
  for (let id = 1; id <= 3; id += 1) history.append(1, "processing")
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  isNew = true
  const { signal } = new AbortController()
  const common = { snapshot: true, untilFinished: false, format: asFrames, signal }
  const stream = await streams.open({ ...common, lastEventId: "1" })
  const frames = (await stream?.next())?.value
  if (typeof frames !== "object") throw new Error("the stream said nothing")
  // Whatever comes after the last event ID is sent next.
  expect([eventIds(frames), lastEventId(frames)]).toEqual([[2, 3, 4], 4])
  broadcaster.drain()
})
