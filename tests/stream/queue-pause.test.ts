import { expect, setDefaultTimeout, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { QueuePause } from "../../src/stream/queue-pause.ts"
import { Seat } from "../../src/stream/seat.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { Reader, type Seen } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { WebSocketReader } from "../websockets.ts"
import { MemoryHistory } from "./memory-history.ts"

setDefaultTimeout(180_000)

const STREAM = "/progress/stream"
const fail = (error: unknown): never => {
  throw error
}

const open = (server: TestServer, path = STREAM, headers: Record<string, string> = {}): Promise<Reader> =>
  Reader.open(`${server.url}/api/v1${path}`, headers)

const names = (seen: readonly Seen[]): string[] => seen.map(({ event }) => event)

async function pause(server: TestServer): Promise<string> {
  const { paused_at }: { paused_at: string } = await (await server.api("POST", "/queue/pause")).json()
  return paused_at
}

/** Waits until this many changes of the queue were sent. Returns for each since when the queue was paused. */
const pauses = async (reader: Reader, count: number): Promise<unknown[]> => {
  const said = (seen: readonly Seen[]): unknown[] =>
    seen.filter(({ event }) => event === "queue").map(({ data }) => data["paused_at"])
  return said(await reader.until((seen) => said(seen).length >= count))
}

test("an open stream of all items says at once that the queue was paused and resumed; an item's stream does not", async () => {
  await using server = await start()
  const id = await server.add()
  const [all, one] = [await open(server), await open(server, `${STREAM}/${id}`)]
  await Promise.all([all.first("live"), one.first("live")])
  const since = await pause(server)
  expect(await pauses(all, 1)).toEqual([since])
  await server.api("POST", "/queue/resume")
  expect(await pauses(all, 2)).toEqual([since, null])
  expect(all.seen.filter(({ event }) => event === "queue").map((seen) => seen.id)).toEqual([
    undefined,
    undefined,
  ])
  await server.put(id, { priority: 3 })
  await one.until((seen) => seen.some(({ data }) => data["queue_id"] === id && seen.length > 2))
  expect(names(one.seen)).toEqual(["message", "live", "message"])
})

test("a viewer that connects or comes back while the queue is paused gets the pause before live; otherwise nothing is sent", async () => {
  await using server = await start()
  await server.add()
  const since = await pause(server)
  const ways: [path: string, headers: Record<string, string>, before: string[]][] = [
    [STREAM, {}, ["message"]],
    [`${STREAM}?snapshot=false`, {}, []],
    [STREAM, { "last-event-id": "0" }, ["message"]],
    [STREAM, { "last-event-id": "1" }, []],
    [STREAM, { "last-event-id": "99" }, ["gap", "message"]],
    [`${STREAM}?ids=7`, {}, []],
    [`${STREAM}?thin=2`, {}, ["message"]],
  ]
  // The second time most of this is known already.
  for (const [path, headers, before] of [...ways, ...ways]) {
    const reader = await open(server, path, headers)
    await reader.first("live")
    expect([path, headers, names(reader.seen)]).toEqual([path, headers, [...before, "queue", "live"]])
    expect(await pauses(reader, 1)).toEqual([since])
    reader.leave()
  }
  const item = await open(server, `${STREAM}/1`)
  await item.first("live")
  expect(names(item.seen)).toEqual(["message", "live"])
  const kept = await open(server)
  await kept.first("live")
  await server.api("POST", "/queue/resume")
  await pauses(kept, 2)
  for (const [path, headers, before] of ways) {
    const reader = await open(server, path, headers)
    await reader.first("live")
    expect([path, headers, names(reader.seen)]).toEqual([path, headers, [...before, "live"]])
    reader.leave()
  }
})

test("a long snapshot and a long replay end with the pause and live, too", async () => {
  await using server = await start()
  await Promise.all(Array.from({ length: 300 }, (_, i) => server.add({ song_id: i + 1 })))
  await pause(server)
  for (const headers of [{}, { "last-event-id": "0" }]) {
    const reader = await open(server, STREAM, headers)
    await reader.first("live")
    expect(names(reader.seen).slice(298)).toEqual(["message", "message", "queue", "live"])
    reader.leave()
  }
})

test("a pause outlives the server, and the other formats say it too", async () => {
  await using server = await start()
  const since = await pause(server)
  await server.end()
  await using again = await start({ database: server.database })
  const text = await fetch(`${again.url}/api/v1${STREAM}?format=text`)
  const first = await text.body?.getReader().read()
  expect(new TextDecoder().decode(first?.value)).toBe(
    "# the queue is paused: workers get no more items\n# live after update 0\n",
  )
  const socket = await WebSocketReader.open(again.url, "/progress/ws")
  await socket.control("live")
  expect(socket.seen[0]).toEqual({ event: "queue", paused_at: since })
  await again.api("POST", "/queue/resume")
  expect(await socket.control("queue", 2)).toEqual({ event: "queue", paused_at: null })
  const page = await fetch(again.url, { headers: { accept: "text/plain", "user-agent": "program" } })
  expect(await page.text()).toBe("Nothing is rendering.\nlive · 0 running · 0 waiting\n")
})

test("a pause is read once for many rings, and a failed read is made again", async () => {
  const bus = new LocalBus()
  let reads = 0
  let paused: string | null = null
  let isBroken = false
  const errors: unknown[] = []
  const pausedAt = async (): Promise<string | null> => {
    reads += 1
    if (isBroken) throw new Error("away")
    return paused
  }
  const broadcaster = new Broadcaster(new MemoryHistory(() => Promise.resolve(), 1024), bus, {
    keepaliveMs: 50_000,
    onError: (error) => void errors.push(error),
    pausedAt,
  })
  bus.notify()
  expect(reads).toBe(0)
  const seat = new Seat("global", undefined)
  await broadcaster.join(seat, new AbortController().signal)
  expect(reads).toBe(1)
  paused = "2026-01-02T03:04:05.000Z"
  isBroken = true
  const woken = seat.wait()
  for (let i = 0; i < 100; i += 1) bus.notify()
  while (errors.length === 0) await Bun.sleep(1)
  // It is made again a second later, and not without a pause.
  await Bun.sleep(50)
  expect(errors).toHaveLength(1)
  isBroken = false
  expect(await woken).toBe("asked")
  expect(broadcaster.pause.at).toBe(paused)
  expect([reads, errors.length]).toEqual([3, 1])
  // It was read a moment ago, so a ring does not make it read again at once.
  bus.notify()
  await Bun.sleep(20)
  expect(reads).toBe(3)
  while (reads < 4) await Bun.sleep(1)
  // A read that is due when the last stream leaves is made neither then nor in place of a later one.
  bus.notify()
  broadcaster.leave(seat)
  const next = new Seat("global", undefined)
  await broadcaster.join(next, new AbortController().signal)
  expect(reads).toBe(5)
  bus.notify()
  while (reads < 6) await Bun.sleep(1)
  broadcaster.leave(next)
})

test("a stream that opens in the same way as one before says whether the queue is paused now", async () => {
  const bus = new LocalBus()
  let paused: string | null = null
  const options = { keepaliveMs: 50_000, onError: fail, pausedAt: async () => paused }
  const history = new MemoryHistory(async () => undefined, 1024)
  const broadcaster = new Broadcaster(history, bus, options)
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  const leave = new AbortController()
  const opened = async (): Promise<string[]> => {
    const common = { untilFinished: false, snapshot: true, format: asFrames, signal: leave.signal }
    const first = await (await streams.open(common))?.next()
    const frames = first?.done === false ? first.value : []
    return frames.map((frame) => (frame.type === "control" ? frame.control.event : frame.type))
  }
  expect(await opened()).toEqual(["hello", "live"])
  for (const [at, before] of [
    ["2026-01-02T03:04:05.000Z", ["queue"]],
    [null, []],
  ] as const) {
    paused = at
    bus.notify()
    while (broadcaster.pause.at !== at) await Bun.sleep(1)
    expect(await opened()).toEqual(["hello", ...before, "live"])
  }
  leave.abort()
})

test("a slow answer never replaces a newer one", async () => {
  const answers: PromiseWithResolvers<string | null>[] = []
  let changes = 0
  const pauses = new QueuePause(
    () => {
      const answer = Promise.withResolvers<string | null>()
      answers.push(answer)
      return answer.promise
    },
    () => {
      changes += 1
    },
    fail,
  )
  const both = [pauses.read(), pauses.read()]
  while (answers.length < 1) await Bun.sleep(1)
  // If the second read has begun already, its answer comes first.
  answers[1]?.resolve(null)
  answers[0]?.resolve("2026-01-02T03:04:05.000Z")
  while (answers.length < 2) await Bun.sleep(1)
  answers[1]?.resolve(null)
  await Promise.all(both)
  expect([pauses.now.at, changes, answers.length]).toEqual([null, 2, 2])
})

test("when the last stream has left, whether the queue is paused is read no more, although the bell rang before that", async () => {
  let reads = 0
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(new MemoryHistory(async () => undefined, 10), bus, {
    ...{ keepaliveMs: 50_000, onError: fail },
    async pausedAt() {
      reads += 1
      return null
    },
  })
  const seat = new Seat("global", undefined)
  await broadcaster.join(seat, new AbortController().signal)
  bus.notify()
  broadcaster.leave(seat)
  // The look that the ring asks for would come before a timer that is set later.
  for (let tick = 0; tick < 5; tick += 1) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(reads).toBe(1)
})
