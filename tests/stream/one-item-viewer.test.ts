import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Status } from "../../src/item/item.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { MemoryHistory } from "./memory-history.ts"

test("whatever a stream of one item says, it names no event ID but those of that item", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 3, random: () => 0.5, onError: fail })
  const write = (...all: readonly (readonly [queueId: number, status: Status])[]): void => {
    for (const [queueId, status] of all) history.append(queueId, status)
    bus.notify()
  }
  write([1, "processing"], [2, "processing"], [2, "processing"])
  const leave = new AbortController()
  const stream = await streams.open({
    ...{ queueId: 1, isBound: true, untilFinished: true, snapshot: true },
    ...{ format: asFrames, signal: leave.signal },
  })
  const said: (string | number)[] = []
  const next = async (): Promise<boolean> => {
    const { value, done } = (await stream?.next()) ?? { value: undefined, done: true }
    if (done || typeof value !== "object") return false
    for (const frame of value) {
      if (frame.type === "update") said.push(frame.update.id)
      if (frame.type === "control" && "last_event_id" in frame.control)
        said.push(`${frame.control.event} ${frame.control.last_event_id}`)
    }
    return true
  }
  await next()
  // Other items go on, by more than the stream may lag, and also after its end.
  write([2, "processing"], [1, "processing"], [2, "processing"])
  await next()
  // The item itself goes on by more than that.
  write(...Array.from({ length: 5 }, () => [1, "processing"] as const))
  await next()
  write([2, "processing"], [1, "completed"], [2, "processing"], [2, "processing"])
  while (await next());
  expect(said).toEqual([1, "live 1", 5, "gap 5", 11, 13, "end 13"])
  leave.abort()
  broadcaster.drain()
})

test("a returning client of one item is sent what it lacks, and a gap with its own event ID if it is too late", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  for (const queueId of [1, 2, 1, 2, 1]) history.append(queueId, "processing")
  history.oldest = 5
  const leave = new AbortController()
  const first = async (lastEventId: string) => {
    const stream = await streams.open({
      ...{ queueId: 1, isBound: true, untilFinished: false, snapshot: true, lastEventId },
      ...{ format: asFrames, signal: leave.signal },
    })
    return (await stream?.next())?.value
  }
  const live = { control: { event: "live", last_event_id: 5 } }
  expect(await first("5")).toMatchObject([{ type: "hello" }, live])
  expect(await first("4")).toMatchObject([{ type: "hello" }, { update: { id: 5 } }, live])
  expect(await first("3")).toMatchObject([
    { type: "hello" },
    { control: { event: "gap", reason: "expired", last_event_id: 3, missed: null } },
    { update: { id: 5 } },
    live,
  ])
  leave.abort()
  broadcaster.drain()
})

test("a stream of one item that lost updates names the event ID that its item has now, and not one that is gone", async () => {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  for (const queueId of [1, 2, 1]) history.append(queueId, "processing")
  const leave = new AbortController()
  const stream = await streams.open({
    ...{ queueId: 1, isBound: true, untilFinished: false, snapshot: true },
    ...{ format: asFrames, signal: leave.signal },
  })
  const said: unknown[] = []
  const live = async (): Promise<void> => {
    for (let isLive = false; !isLive;) {
      const { value } = (await stream?.next()) ?? {}
      if (typeof value !== "object") throw new Error("the stream has ended")
      for (const frame of value) {
        if (frame.type === "update") said.push(frame.update.id)
        if (frame.type !== "control" || !("last_event_id" in frame.control)) continue
        said.push(`${frame.control.event} ${frame.control.last_event_id}`)
        isLive = frame.control.event === "live"
      }
    }
  }
  await live()
  history.rollBack(1, 10)
  bus.notify()
  await live()
  expect(said).toEqual([3, "live 3", "gap 3", 1, "live 1"])
  leave.abort()
  broadcaster.drain()
})
