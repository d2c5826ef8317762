import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Seat } from "../../src/stream/seat.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { checkRoom, Owner } from "../../src/stream/stream-limits.ts"
import { StreamMetrics } from "../../src/stream/stream-metrics.ts"
import { Streams } from "../../src/stream/streams.ts"
import { MemoryHistory } from "./memory-history.ts"

const fail = (error: unknown): void => expect(error).toBeUndefined()

/** Streams with a limit of one per owner. */
function oneEach(): Streams {
  const history = new MemoryHistory(async () => undefined, 100)
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError: fail })
  return new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail, mostOfOwner: 1 })
}

test("a stream whose owner may watch no more ends at once", async () => {
  const streams = oneEach()
  const owner = new Owner()
  const { signal } = new AbortController()
  const stream = await streams.open({ snapshot: true, untilFinished: false, format: asFrames, owner, signal })
  await stream?.next()
  const ended = stream?.next()
  streams.dismiss(owner)
  expect((await ended)?.done).toBe(true)
})

test("a stream that has ended makes room for another one of its owner", async () => {
  const streams = oneEach()
  const owner = new Owner()
  for (let time = 0; time < 3; time += 1) {
    const leave = new AbortController()
    const { signal } = leave
    const watch = { snapshot: true, untilFinished: false, format: asFrames, owner, signal }
    const stream = await streams.open(watch)
    await stream?.next()
    // From 5 s to 10 s, so that clients that were refused together do not come back together.
    const refusal = { retryAfterMs: 7500, message: expect.stringContaining("has 1 streams open") }
    expect(() => streams.open(watch)).toThrow(expect.objectContaining(refusal))
    leave.abort()
    await stream?.next()
  }
})

test("the refusal of a server that is full names the flag that allows more streams", () => {
  const open = { seats: 2, metrics: new StreamMetrics(), random: () => 0.5 }
  expect(() => checkRoom({ most: 2 }, undefined, open)).toThrow("raise --max-streams")
})

test("an owner to whom no limit applies has as many streams as it opens", async () => {
  const streams = oneEach()
  const leave = new AbortController()
  const owner = new Owner(false)
  const watch = { snapshot: true, untilFinished: false, format: asFrames, owner, signal: leave.signal }
  for (let time = 0; time < 3; time += 1) await (await streams.open(watch))?.next()
  expect(owner.streams).toBe(3)
  leave.abort()
})

test("a stream that stays silent is sent a keepalive once in its time, and not at every look", async () => {
  const keepaliveMs = 200
  const broadcaster = new Broadcaster(new MemoryHistory(async () => undefined, 100), new LocalBus(), {
    keepaliveMs,
    onError: fail,
  })
  let keepalives = 0
  class Busy extends Seat {
    override get isIdle(): boolean {
      return true
    }
    override wake(why: string): void {
      if (why === "keepalive") keepalives += 1
    }
  }
  const seat = new Busy("global", undefined)
  const startedMs = performance.now()
  await broadcaster.join(seat, new AbortController().signal)
  await Bun.sleep(3.5 * keepaliveMs)
  broadcaster.leave(seat)
  expect(keepalives).toBeGreaterThan(0)
  expect(keepalives).toBeLessThanOrEqual((performance.now() - startedMs) / keepaliveMs)
})

test("a client that does not read gets one keepalive while its history is read, and not a second one", async () => {
  let isStuck = false
  const history = new MemoryHistory(() => (isStuck ? new Promise(() => undefined) : Promise.resolve()), 100)
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 30, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 1, random: () => 0.5, onError: fail })
  const leave = new AbortController()
  const watch = { snapshot: false, untilFinished: false, format: asFrames, signal: leave.signal }
  const stream = await streams.open(watch)
  await stream?.next()
  for (let update = 0; update < 5; update += 1) history.append(1, "processing")
  bus.notify()
  while (broadcaster.head < 5) await new Promise(setImmediate)
  isStuck = true
  const written = Promise.withResolvers<unknown>()
  const sink = {
    write(chunk: unknown): Promise<unknown> {
      written.resolve(chunk)
      return new Promise(() => undefined)
    },
  }
  void stream?.next(sink)
  expect(await written.promise).toEqual([{ type: "keepalive" }])
  expect([...broadcaster.all()].map(({ isIdle }) => isIdle)).toEqual([false])
  leave.abort()
  broadcaster.drain()
})
