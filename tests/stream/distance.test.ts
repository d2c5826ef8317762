import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { MemoryHistory } from "./memory-history.ts"

const fail = (error: unknown): void => expect(error).toBeUndefined()

/** A frame in short: the event ID of an update, or the name of a control frame. */
const nameOf = (frame: Frame): number | string =>
  frame.type === "update" ? frame.update.id : frame.type === "control" ? frame.control.event : frame.type

/**
 * What the stream of an item sends after `own` updates of the item and five of another one, if at most two
 * may be read at once.
 */
async function after(own: number): Promise<(number | string)[]> {
  const history = new MemoryHistory(async () => undefined, 100)
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 2, random: () => 0.5, onError: fail })
  history.append(1, "processing")
  const leave = new AbortController()
  const watch = { queueId: 1, snapshot: true, untilFinished: false, format: asFrames, signal: leave.signal }
  const stream = await streams.open(watch)
  await stream?.next()
  for (let update = 0; update < own; update += 1) history.append(1, "processing")
  for (let update = 0; update < 5; update += 1) history.append(2, "processing")
  bus.notify()
  while (broadcaster.head < history.all.length) await new Promise((tick) => void setImmediate(tick))
  const next = await stream?.next()
  leave.abort()
  return next?.done === false ? next.value.map(nameOf) : []
}

test("the stream of one item skips only when more of the item's own updates wait than it may lag", async () => {
  expect(await after(2)).toEqual([2, 3])
  expect((await after(3))[0]).toBe("gap")
})

test("the latest updates of many items, which are read in pieces, are sent once each", async () => {
  // At most two updates are read at once.
  const history = new MemoryHistory(async () => undefined, 2)
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 2, random: () => 0.5, onError: fail })
  for (let item = 1; item <= 7; item += 1) history.append(item, "processing")
  const leave = new AbortController()
  const stream = await streams.open({
    ...{ snapshot: true, untilFinished: false, format: asFrames, signal: leave.signal },
  })
  const sent: (number | string)[] = []
  while (sent.at(-1) !== "live") {
    const next = await stream?.next()
    if (next?.done === false) sent.push(...next.value.map(nameOf))
    expect(sent.length).toBeLessThan(20)
  }
  leave.abort()
  expect(sent.filter((name) => typeof name === "number")).toEqual([1, 2, 3, 4, 5, 6, 7])
})
