import { expect, spyOn, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Status } from "../../src/item/item.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Owner } from "../../src/stream/stream-limits.ts"
import type { StreamRequest } from "../../src/stream/stream-request.ts"
import { Streams } from "../../src/stream/streams.ts"
import { ThinningBeat } from "../../src/stream/thinning.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { start } from "../server.ts"
import { MemoryHistory } from "./memory-history.ts"

const PER_SECOND = 10

/**
 * `most` is how many updates a page of the history has. Each keepalive lets a stream look for what is new. `read` is
 * called before each read.
 */
function open(most = 1000, keepaliveMs = 20, read = async (_name: string): Promise<void> => undefined) {
  const history = new MemoryHistory(read, most)
  const bus = new LocalBus()
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  const write = (queueId: number, status: Status): void => {
    history.append(queueId, status)
    bus.notify()
  }
  write(1, "processing")
  write(2, "processing")
  return { history, broadcaster, streams, write, [Symbol.dispose]: () => broadcaster.drain() }
}

const idsOf = (frames: readonly Frame[]): number[] =>
  frames.flatMap((frame) => (frame.type === "update" ? [frame.update.id] : []))

/** Reads a stream up to an event ID. Returns the IDs of each chunk that has updates. */
async function readUpTo(streams: Streams, last: number, asked: Partial<StreamRequest>): Promise<number[][]> {
  const leave = new AbortController()
  const common = { snapshot: true, untilFinished: false, thin: PER_SECOND, signal: leave.signal }
  const chunks: number[][] = []
  for await (const frames of (await streams.open({ ...common, ...asked, format: asFrames })) ?? []) {
    const ids = idsOf(frames)
    if (ids.length > 0) chunks.push(ids)
    if (chunks.at(-1)?.at(-1) === last) break
  }
  leave.abort()
  return chunks
}

test("a thinned stream tells of each item so often a second, of what came last, and of every end", async () => {
  using opened = open()
  const { history, streams, write } = opened
  const last = 203
  const beganMs = performance.now()
  const all = readUpTo(streams, last, { thin: 0, lastEventId: "0" })
  const one = readUpTo(streams, last, {})
  const other = readUpTo(streams, last, {})
  for (let update = 3; update <= last; update += 1) {
    if (update % 10 === 0) await Bun.sleep(10)
    // Item 2 ends in the middle, and begins again.
    write(update % 2 === 0 ? 2 : 1, update === 100 ? "completed" : "processing")
  }
  expect((await all).flat()).toEqual(Array.from({ length: last }, (_, i) => i + 1))
  // They wait for the same beats, but one of them may be woken too late for one.
  for (const chunks of [await one, await other]) {
    const beats = ((performance.now() - beganMs) / 1000) * PER_SECOND + 1
    const told = chunks.slice(1)
    expect(told.length).toBeGreaterThan(1)
    expect(told.length).toBeLessThanOrEqual(Math.ceil(beats))
    for (const ids of told) {
      const items = history.all.filter(({ id, status }) => ids.includes(id) && status !== "completed")
      expect(new Set(items.map(({ queue_id }) => queue_id)).size).toBe(items.length)
    }
    const ids = chunks.flat()
    expect(ids).toContain(100)
    expect(ids).toContain(last - 1)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  }
}, 180_000)

test("after a pause the first update comes at once, and no keepalive passes over an update that waits", async () => {
  using opened = open()
  const { streams, write } = opened
  const reading = readUpTo(streams, 5, { thin: 1 })
  await Bun.sleep(1100)
  const beganMs = performance.now()
  write(1, "processing")
  await Bun.sleep(10)
  write(1, "processing")
  write(2, "processing")
  expect(await reading).toEqual([[1, 2], [3], [4, 5]])
  expect(performance.now() - beganMs).toBeGreaterThan(900)
}, 180_000)

test("a stream gets no more than its rate after the current state, nor after it has stood still", async () => {
  using opened = open()
  const { streams, write } = opened
  const shortestMs = 1000 / PER_SECOND
  const tookMs: number[] = []
  const noted: typeof asFrames = {
    ...asFrames,
    shared(frames) {
      if (idsOf(frames).length > 0) tookMs.push(performance.now())
      return asFrames.shared(frames)
    },
    encode(frames) {
      if (idsOf(frames).length > 0) tookMs.push(performance.now())
      return asFrames.encode(frames)
    },
  }
  const writing = setInterval(() => write(1, "processing"), 5)
  const request = { snapshot: true, untilFinished: false, thin: PER_SECOND, format: noted }
  for await (const _ of (await streams.open(request)) ?? []) {
    if (tookMs.length === 3) await Bun.sleep(1.5 * shortestMs)
    if (tookMs.length === 8) break
  }
  clearInterval(writing)
  const betweenMs = tookMs.slice(1).map((ms, i) => ms - (tookMs[i] ?? 0))
  expect(betweenMs.length).toBe(7)
  expect(Math.min(...betweenMs)).toBeGreaterThan(shortestMs - 1)
})

test("an update that comes too early for a stream is sent in time, although nothing else comes", async () => {
  using opened = open(1000, 20_000)
  const { streams, write } = opened
  const chunks: number[][] = []
  const request = { snapshot: true, untilFinished: false, thin: PER_SECOND, format: asFrames }
  for await (const frames of (await streams.open(request)) ?? []) {
    const ids = idsOf(frames)
    if (ids.length === 0) continue
    chunks.push(ids)
    if (ids.includes(4)) break
    write(1, "processing")
  }
  expect(chunks).toEqual([[1, 2], [3], [4]])
})

test("a stream that is behind what is in memory gets each item once, not once for each page", async () => {
  using opened = open(1)
  const { history, broadcaster, streams, write } = opened
  const chunks: number[][] = []
  const request = { snapshot: true, untilFinished: false, thin: PER_SECOND, format: asFrames }
  for await (const frames of (await streams.open(request)) ?? []) {
    const ids = idsOf(frames)
    if (ids.length > 0) chunks.push(ids)
    if (ids.includes(8)) break
    if (broadcaster.head > 2) continue
    for (let id = 3; id <= 8; id += 1) {
      write(1, "processing")
      const last = history.all.pop()
      if (last) history.all.push({ ...last, data: "x".repeat(600_000) })
      while (broadcaster.head < id) await new Promise(setImmediate)
    }
    await Bun.sleep(1000 / PER_SECOND)
  }
  expect(chunks.at(-1)).toEqual([8])
  expect(chunks.flat()).toEqual([1, 2, 8])
})

test("a thinned stream that is left while it reads what is not in memory any more stops at once", async () => {
  const leave = new AbortController()
  const owner = new Owner(false)
  let [isBehind, pages, stints] = [false, 0, 0]
  // Without this a stream that goes on would never end, nor let a timer run.
  const counted = (): boolean => {
    if (stints++ > 50) throw new Error("it goes on")
    return false
  }
  Object.defineProperty(owner, "isLimited", { get: counted })
  using opened = open(1, 20, async (name) => {
    if (isBehind && name === "page" && ++pages === 2) leave.abort()
  })
  const { history, broadcaster, streams, write } = opened
  const common = { snapshot: true, untilFinished: false, thin: PER_SECOND, format: asFrames }
  for await (const _frames of (await streams.open({ ...common, owner, signal: leave.signal })) ?? []) {
    if (broadcaster.head > 2) continue
    for (let id = 3; id <= 8; id += 1) {
      write(1, "processing")
      const last = history.all.pop()
      if (last) history.all.push({ ...last, data: "x".repeat(600_000) })
      while (broadcaster.head < id) await new Promise(setImmediate)
    }
    isBehind = true
    await Bun.sleep(1000 / PER_SECOND)
  }
  expect(pages).toBe(2)
})

test("a beat that is overdue is struck once, however much comes in the meantime", async () => {
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  let strikes = 0
  const beat = new ThinningBeat(100, () => void (strikes += 1))
  for (let batch = 0; batch < 3; batch += 1) {
    beat.batch()
    nowMs += batch * 1000
  }
  expect(strikes).toBe(1)
  await Bun.sleep(30)
  expect(strikes).toBe(2)
})

test("a beat that was stopped is not called any more", async () => {
  let strikes = 0
  const beat = new ThinningBeat(100, () => void (strikes += 1))
  for (let batch = 0; batch < 3; batch += 1) beat.batch()
  beat.stop()
  await Bun.sleep(30)
  expect(strikes).toBe(1)
})

test("a replay is thinned too, and a filter chooses before", async () => {
  using opened = open()
  const { streams, write } = opened
  for (let update = 3; update <= 250; update += 1) write(update % 3 === 0 ? 1 : 2, "processing")
  const told = await readUpTo(streams, 250, { lastEventId: "0" })
  expect(told.flat()).toEqual([249, 250])
  const filtered = await readUpTo(streams, 249, { lastEventId: "0", wanted: ({ id }) => id % 2 === 1 })
  expect(filtered.flat()).toEqual([247, 249])
})

test("thinned streams of all items, of some and of one that read the same updates each get their own", async () => {
  using opened = open()
  const { streams, write } = opened
  const ofTwo = ({ queue_id }: { readonly queue_id: number }): boolean => queue_id === 2
  const reading = [
    readUpTo(streams, 4, { lastEventId: "2" }),
    readUpTo(streams, 3, { lastEventId: "2", wanted: ofTwo }),
    readUpTo(streams, 4, { lastEventId: "2", queueId: 1 }),
    readUpTo(streams, 4, { lastEventId: "2" }),
  ]
  await new Promise(setImmediate)
  write(2, "processing")
  write(1, "processing")
  expect((await Promise.all(reading)).map((chunks) => chunks.flat())).toEqual([[3, 4], [3], [4], [3, 4]])
})

test("thin is a whole number from 1 to 10, and streams and sockets of everything take it", async () => {
  await using server = await start()
  await server.add()
  for (const thin of ["0", "11", "2.5", "x"]) {
    expect((await server.api("GET", `/progress/stream?thin=${thin}`)).status).toBe(422)
  }
  expect((await server.api("GET", "/progress/stream/1?thin=2")).status).toBe(422)
  const leave = new AbortController()
  const stream = await fetch(`${server.url}/api/v1/progress/stream?thin=2&last_event_id=0`, {
    signal: leave.signal,
  })
  const { value } = (await stream.body?.getReader().read()) ?? {}
  expect(new TextDecoder().decode(value)).toMatch(/id: 1\ndata: .*\n\nevent: live\nid: 1\n/)
  leave.abort()
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/progress/ws?thin=2`)
  const first = await new Promise<string>((resolve) => {
    socket.onmessage = ({ data }) => resolve(String(data))
  })
  expect(JSON.parse(first)).toMatchObject({ id: 1, status: "queued" })
  socket.close()
  for (const title of ["one", "two", "three"]) await server.put(1, { title })
  const again = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/progress/ws?thin=2&last_event_id=1`)
  const ids: unknown[] = []
  await new Promise<void>((resolve) => {
    again.onmessage = ({ data }) => {
      const { id, event }: { id?: number; event?: string } = JSON.parse(String(data))
      ids.push(id ?? event)
      if (event === "live") resolve()
    }
  })
  expect(ids).toEqual([4, "live"])
  again.close()
}, 180_000)

test("a thinned stream that is silent shows that it lives", async () => {
  using opened = open()
  const leave = new AbortController()
  const common = { snapshot: true, untilFinished: false, thin: PER_SECOND, signal: leave.signal }
  const stream = await opened.streams.open({ ...common, format: asFrames })
  await stream?.next()
  // If no keepalive comes, the test runs out of time.
  const next = await stream?.next()
  expect(next?.done === false && next.value.map(({ type }) => type)).toEqual(["keepalive"])
  leave.abort()
})
