import { expect, spyOn, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Metrics } from "../../src/metrics/metrics.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { sse } from "../../src/stream/sse-ndjson-text.ts"
import { Owner, type StreamLimits } from "../../src/stream/stream-limits.ts"
import { StreamMetrics } from "../../src/stream/stream-metrics.ts"
import type { Chunks, Sink } from "../../src/stream/stream-request.ts"
import { Streams } from "../../src/stream/streams.ts"
import { parsed, valueOf } from "../metrics/exposition.ts"
import { MemoryHistory } from "./memory-history.ts"

/** Streams over a history in memory, and their metrics. */
function open(limits: StreamLimits = {}, random = (): number => 0) {
  const history = new MemoryHistory(async () => undefined, 1024)
  const bus = new LocalBus()
  const metrics = new Metrics()
  const broadcaster = new Broadcaster(history, bus, {
    keepaliveMs: 15_000,
    onError: () => undefined,
    metrics: new StreamMetrics(metrics),
  })
  const streams = new Streams(history, broadcaster, {
    ...limits,
    maxLag: 0,
    random,
    onError: () => undefined,
  })
  const over = new AbortController()
  return {
    broadcaster,
    streams,
    over,
    say(status: "processing" | "completed") {
      history.append(1, status)
      bus.notify()
    },
    async watch(untilFinished = false, owner?: Owner, thin = 0): Promise<Chunks<Uint8Array>> {
      const watch = {
        queueId: 1,
        snapshot: true,
        untilFinished,
        format: sse,
        owner,
        thin,
        signal: over.signal,
      }
      const stream = await streams.open({ ...watch, awaitsItem: true })
      if (!stream) throw new Error("nothing follows")
      return stream
    },
    async count(sample: string): Promise<number> {
      const text = await metrics.text((error) => {
        throw error
      })
      return valueOf(parsed(text), `track_studio_${sample}`) ?? 0
    },
  }
}

const closed = (reason: string): string => `streams_closed_total{reason="${reason}"}`

/** Reads a stream to its end, like an answer that accepts everything at once. */
async function read(stream: Chunks<Uint8Array>, written: Uint8Array[] = []): Promise<void> {
  const sink: Sink<Uint8Array> = { write: (chunk) => written.push(chunk) }
  for (let next = await stream.next(); !next.done; next = await stream.next(sink)) written.push(next.value)
}

test("a stream that ends with its item is counted as finished, with all that it sent", async () => {
  const server = open()
  server.say("processing")
  const written: Uint8Array[] = []
  const ended = read(await server.watch(true), written)
  // Both updates come at once, and the last one ends the item.
  server.say("processing")
  server.say("completed")
  await ended
  expect(await server.count(closed("finished"))).toBe(1)
  expect(await server.count("streams_opened_total")).toBe(1)
  expect(await server.count("sent_bytes_total")).toBe(written.reduce((sum, one) => sum + one.byteLength, 0))
  // The hello, the state, live, two updates and the end.
  expect(await server.count("sent_frames_total")).toBe(6)
})

test("the time to a stream that wants few updates is not counted, as it waits on purpose", async () => {
  const server = open()
  const thin = read(await server.watch(true, undefined, 1))
  server.say("completed")
  await thin
  expect(await server.count("delivery_seconds_count")).toBe(0)
  const other = read(await server.watch())
  server.say("processing")
  while ((await server.count("delivery_seconds_count")) === 0) await Bun.sleep(1)
  server.over.abort()
  await other
})

test("a stream whose client leaves counts as client, and one whose token has ended as revoked", async () => {
  const server = open()
  server.say("processing")
  const owner = new Owner()
  const ended = read(await server.watch(false, owner))
  server.streams.dismiss(owner)
  await ended
  const left = read(await server.watch())
  server.over.abort()
  await left
  expect([await server.count(closed("revoked")), await server.count(closed("client"))]).toEqual([1, 1])
})

test.each([
  [0, 500],
  [0.5, 1250],
])(
  "a stream that a drain ends is counted as such, and its client comes back at its own time (%d: %d ms)",
  async (random, ms) => {
    const server = open({}, () => random)
    server.say("processing")
    const written: Uint8Array[] = []
    const ended = read(await server.watch(), written)
    await Bun.sleep(0)
    server.broadcaster.drain()
    await ended
    expect(await server.count(closed("drain"))).toBe(1)
    expect(Buffer.concat(written).toString()).toContain(`event: shutdown\nretry: ${ms}\n`)
  },
)

test("a client that was cut because it did not read for a minute is slow", async () => {
  const server = open()
  server.say("processing")
  const stream = await server.watch()
  await stream.next()
  // The answer accepts nothing more.
  const full: Sink<Uint8Array> = { write: () => new Promise(() => undefined) }
  void stream.next(full)
  server.say("processing")
  while ((await server.count("sent_frames_total")) < 4) await Bun.sleep(1)
  const realMs = performance.now()
  using clock = spyOn(performance, "now").mockReturnValue(realMs + 56_000)
  server.over.abort()
  clock.mockRestore()
  expect([await server.count(closed("slow")), await server.count(closed("client"))]).toEqual([1, 0])
})

test("a client that leaves a stream on which nothing has happened for a minute is not slow", async () => {
  const server = open()
  server.say("processing")
  const left = read(await server.watch())
  while ((await server.count("sent_frames_total")) < 3) await Bun.sleep(1)
  await Bun.sleep(0)
  const realMs = performance.now()
  using clock = spyOn(performance, "now").mockReturnValue(realMs + 56_000)
  server.over.abort()
  clock.mockRestore()
  await left
  expect([await server.count(closed("slow")), await server.count(closed("client"))]).toEqual([0, 1])
})

test("the time until an update is delivered counts from the first of several notifications", async () => {
  const server = open()
  server.say("processing")
  void read(await server.watch())
  await Bun.sleep(0)
  let laterMs = 0
  const now = performance.now.bind(performance)
  using _clock = spyOn(performance, "now").mockImplementation(() => now() + laterMs)
  server.say("processing")
  laterMs = 5000
  server.say("processing")
  while ((await server.count("delivery_seconds_count")) < 1) await Bun.sleep(1)
  expect(await server.count("delivery_seconds_sum")).toBeWithin(5, 30)
  server.over.abort()
})

test("a stream that is refused for lack of room is counted", async () => {
  const server = open({ mostOfOwner: 1 })
  const owner = new Owner()
  const opened = await server.watch(false, owner)
  void opened.next()
  await expect(server.watch(false, owner)).rejects.toThrow("1 streams open")
  expect(await server.count(`refused_total{reason="streams"}`)).toBe(1)
  server.over.abort()
})

test("held answers are no streams, and are not counted", async () => {
  const server = open()
  server.say("processing")
  const waited = server.streams.finished(1, new AbortController().signal)
  while (server.streams.count === 0) await new Promise(setImmediate)
  expect(server.streams.list(10)).toEqual([])
  server.say("completed")
  await waited
  for (const name of ["streams_opened_total", "sent_frames_total", "sent_bytes_total", closed("finished")]) {
    expect([name, await server.count(name)]).toEqual([name, 0])
  }
})

test("streams of all items and of one item are counted also while there are none of them", () => {
  expect(open().streams.byFormat()).toEqual([
    { kind: "global", format: "sse", count: 0 },
    { kind: "item", format: "sse", count: 0 },
  ])
})
