import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"

import { LocalBus } from "../../src/bus/bus.ts"
import { AppError } from "../../src/errors.ts"
import type { Page } from "../../src/store/contract/history.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { salvage } from "../../src/stream/unreadable-updates.ts"
import { Reader } from "../reader.ts"
import { start } from "../server.ts"
import { MemoryHistory } from "./memory-history.ts"

const PAGE_BYTES = 4096

/** Overwrites the pages of a database that contain this text, as a failing disk may. */
function damage(database: string, text: string): void {
  const bytes = readFileSync(database)
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    const from = at - (at % PAGE_BYTES)
    bytes.fill(0xff, from, from + PAGE_BYTES)
  }
  writeFileSync(database, bytes)
}

test("a damaged page in the middle of the history is reported as a gap, and all other updates are sent", async () => {
  await using whole = await start()
  const id = await whole.add()
  for (let update = 2; update <= 200; update += 1) {
    await whole.put(id, { message: `update ${update} ${".".repeat(300)}` })
  }
  await whole.end()
  damage(whole.database, "update 100 ")
  await using server = await start({ database: whole.database })
  for (const path of ["/progress/stream", "/progress/stream/1"]) {
    const reader = await Reader.open(`${server.url}/api/v1${path}?last_event_id=0`)
    await reader.first("live")
    const seen = reader.seen.filter(({ event }) => event !== "live")
    const at = seen.findIndex(({ event }) => event === "gap")
    const { reason, last_event_id, missed } = seen[at]?.data ?? {}
    const before = seen.slice(0, at).map(({ id }) => id)
    const after = seen.slice(at + 1).map(({ id }) => id)
    const lost = 200 - before.length - after.length
    expect([reason, last_event_id]).toEqual(["unreadable", before.at(-1)])
    expect(missed).toBe(path === "/progress/stream" ? lost : null)
    expect(lost).toBeWithin(1, 20)
    expect(before).toEqual(Array.from({ length: before.length }, (_, i) => i + 1))
    expect(after).toEqual(Array.from({ length: after.length }, (_, i) => before.length + lost + i + 1))
    expect(before.length + lost).toBeGreaterThanOrEqual(100)
    expect(before.length).toBeLessThan(100)
  }
  const health: object = await (await fetch(`${server.url}/health`)).json()
  expect(health).toMatchObject({ status: "degraded", reasons: ["history_unreadable"] })
}, 180_000)

test("an open item whose latest update cannot be read is reported as a gap, and every other item is shown", async () => {
  await using whole = await start()
  for (let item = 1; item <= 80; item += 1) {
    await whole.add({ song_id: item, title: `item ${item} ${".".repeat(300)}` })
  }
  await whole.end()
  // The text as it is in an update, and not in the row of the item.
  damage(whole.database, '"title":"item 40 ')
  await using server = await start({ database: whole.database })
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
  await reader.first("live")
  const [gap] = reader.seen.filter(({ event }) => event === "gap")
  expect(gap?.data).toMatchObject({ reason: "unreadable" })
  expect(reader.updates.length).toBeWithin(60, 80)
}, 180_000)

test("where pages cannot be read, a stream of one item still shows that item and no other", async () => {
  let isDamaged = false
  const read = async (name: string): Promise<void> => {
    if (isDamaged && name === "page") throw new Error("the page is damaged")
  }
  const history = new MemoryHistory(read, 1000)
  const fail = (): void => undefined
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError: fail })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
  for (let id = 1; id <= 10; id += 1) history.append(id % 2 === 1 ? 1 : 2, "processing")
  isDamaged = true
  const leave = new AbortController()
  const common = { untilFinished: false, snapshot: true, format: asFrames, signal: leave.signal }
  const stream = await streams.open({ ...common, queueId: 1, lastEventId: "2" })
  const ids: number[] = []
  for await (const frames of stream ?? []) {
    for (const frame of frames) if (frame.type === "update") ids.push(frame.update.id)
    if (frames.some((frame) => frame.type === "control" && frame.control.event === "live")) break
  }
  expect(ids).toEqual([3, 5, 7, 9])
  leave.abort()
  broadcaster.drain()
}, 180_000)

test("what a database that is away cannot give is not reported as damaged: the stream waits for it", async () => {
  let pages = 0
  let snapshots = 0
  let unreadable = 0
  const read = async (name: string): Promise<void> => {
    if (name === "page") pages += 1
    if (name === "latest") snapshots += 1
    const isAway = name === "latest" ? snapshots === 1 : ["page", "updates"].includes(name) && pages <= 3
    if (!isAway) return
    throw new AppError("unavailable", "the database cannot be reached now")
  }
  const history = new MemoryHistory(read, 1000)
  const fail = (): void => undefined
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError: fail })
  const onUnreadable = (): void => void (unreadable += 1)
  const options = { maxLag: 0, random: () => 0.5, onError: fail, onUnreadable }
  const streams = new Streams(history, broadcaster, options)
  for (let id = 1; id <= 100; id += 1) history.append(id, "processing")
  const leave = new AbortController()
  const common = { untilFinished: false, snapshot: true, format: asFrames, signal: leave.signal }
  const all = [...Array.from({ length: 100 }, (_, i) => `${i + 1}`), "live"]
  // One stream that resumes, and one that begins with the current state.
  for (const lastEventId of ["0", undefined]) {
    const stream = await streams.open({ ...common, queueId: undefined, lastEventId })
    const said: string[] = []
    for await (const frames of stream ?? []) {
      for (const frame of frames) {
        if (frame.type === "update") said.push(`${frame.update.id}`)
        if (frame.type === "control") said.push(frame.control.event)
      }
      if (said.includes("live")) break
    }
    expect(said).toEqual(all)
  }
  expect(unreadable).toBe(0)
  leave.abort()
  broadcaster.drain()
}, 180_000)

test("what cannot be read for a moment is read again, and is no gap", async () => {
  let pages = 0
  // The first page is the one that streams would share.
  const history = new MemoryHistory(async (name) => {
    if (name === "page") pages += 1
    if (["page", "updates"].includes(name) && pages <= 2) throw new Error("the page is damaged")
  }, 1000)
  const [errors, holes]: unknown[][] = [[], []]
  const onError = (error: unknown): void => void errors?.push(error)
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError })
  const onUnreadable = (): void => void holes?.push("unreadable")
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError, onUnreadable })
  for (let id = 1; id <= 3; id += 1) history.append(id, "processing")
  const leave = new AbortController()
  const common = { untilFinished: false, snapshot: true, format: asFrames, signal: leave.signal }
  const stream = await streams.open({ ...common, lastEventId: "0" })
  const frames = (await Array.fromAsync({ length: 2 }, () => stream?.next())).flatMap((next) =>
    next?.done === false ? next.value : [],
  )
  expect(frames.flatMap((frame) => (frame.type === "update" ? [frame.update.id] : []))).toEqual([1, 2, 3])
  expect([errors?.length, holes]).toEqual([1, []])
  leave.abort()
})

test("a database that is away is asked nothing more for a client that has left", async () => {
  const leave = new AbortController()
  let reads = 0
  const history = new MemoryHistory(async (name) => {
    if (name !== "latest") return
    reads += 1
    leave.abort()
    throw new AppError("unavailable", "the database cannot be reached now")
  }, 1000)
  const onError = (): void => undefined
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs: 50_000, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const common = { untilFinished: false, snapshot: true, format: asFrames, signal: leave.signal }
  for await (const _ of (await streams.open(common)) ?? []);
  expect(reads).toBe(1)
})

test("if the rest of what was read together cannot be read, each update of it is read by itself", async () => {
  const history = new MemoryHistory(async () => undefined, 1)
  for (let id = 1; id <= 3; id += 1) history.append(1, "processing")
  const read = async (ids: readonly number[]): Promise<Page> => {
    if (ids[0] === 2) throw new Error("the page is damaged")
    return history.updates(ids)
  }
  const found = await salvage(read, [1, 2, 3])
  expect(found).toMatchObject([
    { update: { id: 1 } },
    { type: "hole", after: 1, count: 1 },
    { update: { id: 3 } },
  ])
})

test("if the database goes away while updates are read one by one, none of them is called unreadable", async () => {
  const read = (ids: readonly number[]): Promise<Page> =>
    Promise.reject(ids.length > 1 ? new Error("the page is damaged") : new AppError("unavailable", "away"))
  expect(salvage(read, [1, 2, 3])).rejects.toMatchObject({ code: "unavailable" })
})
