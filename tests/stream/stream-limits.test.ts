import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Seat } from "../../src/stream/seat.ts"
import { asFrames } from "../../src/stream/sse-and-ndjson.ts"
import { Owner } from "../../src/stream/stream-limits.ts"
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
