import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { SharedSnapshots } from "../../src/stream/shared-snapshots.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { counting } from "./counting.ts"
import { eventIds, lastEventId, opening } from "./up-to-live.ts"

setDefaultTimeout(180_000)

/** Streams on a new database with 600 waiting items. `reads` is how often updates were read by their event IDs. */
async function open() {
  const folder = temporaryFolder()
  const sqlite = new SqliteStore(join(folder.path, "test.db"))
  const { store, count } = counting(sqlite)
  const bus = new LocalBus()
  const onError = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 50_000, onError })
  const streams = new Streams(store, broadcaster, { maxLag: 0, random: Math.random, onError })
  await Promise.all(Array.from({ length: 600 }, () => added(sqlite)))
  return {
    streams,
    reads: () => count("updates"),
    drain: () => broadcaster.drain(),
    async write(): Promise<void> {
      await put(sqlite, 1, {})
      bus.notify()
    },
    async [Symbol.asyncDispose]() {
      broadcaster.drain()
      await sqlite.close()
      folder[Symbol.dispose]()
    },
  }
}

/** Pages of ten updates. `reads` are the first event IDs of the pages that were read. */
function snapshotsOf() {
  const snapshots = new SharedSnapshots()
  const reads: number[] = []
  const read = async (ids: readonly number[], from: number) => {
    const { frames } = await snapshots.of(ids, from, async () => {
      const page = ids.slice(from, from + 10)
      reads.push(page[0] ?? 0)
      const common = { queue_id: 1, song_id: 1, status: "queued" as const, data: "{}" }
      return { updates: page.map((id) => ({ ...common, id })), more: false }
    })
    return frames
  }
  return { snapshots, read, reads }
}

const IDS = Array.from({ length: 200 }, (_, at) => at + 1)

test("a page of a snapshot is read once and is one list, until all pages are dropped", async () => {
  const { snapshots, read, reads } = snapshotsOf()
  const first = await read(IDS, 0)
  expect(await read(IDS, 0)).toBe(first)
  expect((await read(IDS, 10)).map(({ update }) => update.id)).toEqual(IDS.slice(10, 20))
  snapshots.clear()
  expect(await read(IDS, 0)).not.toBe(first)
  expect(reads).toEqual([1, 11, 1])
})

test("streams that read the same page at once share it, and it is kept once", async () => {
  const { read, reads } = snapshotsOf()
  await read(IDS, 100)
  const pages = await Promise.all(Array.from({ length: 8 }, () => read(IDS, 0)))
  expect(new Set(pages).size).toBe(1)
  await read(IDS, 100)
  expect(reads).toEqual([101, 1, 1, 1, 1, 1, 1, 1, 1])
})

test("pages of another snapshot are others, and only a few pages are kept", async () => {
  const { read, reads } = snapshotsOf()
  await read(IDS, 0)
  await read([...IDS], 0)
  expect(reads).toEqual([1, 1])
  for (let from = 10; from < 100; from += 10) await read(IDS, from)
  await read(IDS, 90)
  await read(IDS, 0)
  expect(reads.slice(11)).toEqual([1])
})

test("streams that open at once read each page of many open items once for all, though something new comes meanwhile", async () => {
  await using opened = await open()
  const { streams, write, reads } = opened
  const client = new AbortController()
  const all = Array.from({ length: 100 }, () => opening(streams, client.signal))
  await write()
  const frames = await Promise.all(all)
  client.abort()
  for (const one of frames) expect(eventIds(one)).toHaveLength(600)
  // Each of the eight that read at the same time may read the first page before it is known.
  expect(reads()).toBeLessThan(30)
})

test("streams that wait for a page of their snapshot when the server stops are not live", async () => {
  await using opened = await open()
  const { streams, drain } = opened
  const client = new AbortController()
  const all = Array.from({ length: 100 }, () => opening(streams, client.signal))
  await all[0]
  drain()
  const frames = await Promise.all(all)
  const isLive = (one: readonly Frame[]): boolean => lastEventId(one) !== undefined
  expect(frames.filter((one) => isLive(one) && eventIds(one).length !== 600)).toEqual([])
  expect(frames.some((one) => !isLive(one))).toBeTrue()
  client.abort()
})
