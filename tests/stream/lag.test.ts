import { expect, test } from "bun:test"

import { historyOf } from "../proof.ts"
import type { Seen } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"

const STREAM = "/progress/stream"
/** More than a socket and the kernel hold for a reader that has stopped. */
const MESSAGE = "x".repeat(16_000)
const MANY = 1200

/** Changes the items in turn, so often that a reader that has stopped is far behind. */
async function write(server: TestServer, items: readonly number[], count: number): Promise<void> {
  let sent = 0
  const writer = async (): Promise<void> => {
    while (sent < count) {
      const item = items[sent % items.length] ?? 0
      sent += 1
      await server.put(item, { message: MESSAGE })
    }
  }
  await Promise.all(Array.from({ length: 8 }, writer))
}

/**
 * Opens a stream, stops reading, writes, and reads on until `last` has come. Returns the updates and the gap.
 */
async function behind(server: TestServer, path: string, items: readonly number[]) {
  const reader = await SocketReader.open(server.url, path)
  await reader.first("live")
  reader.pause()
  await write(server, items, MANY)
  return reader
}

/** The latest update of each item by event ID, among those after `after`. */
async function latest(server: TestServer, items: readonly number[], after: number): Promise<number[]> {
  const histories = await Promise.all(items.map((item) => historyOf(server, item)))
  const ids = histories.map((kept) => kept.at(-1)?.id ?? 0)
  return ids.filter((id) => id > after).sort((a, b) => a - b)
}

const isGap = ({ event }: Seen): boolean => event === "gap"
const ascending = (ids: readonly (number | undefined)[]): boolean =>
  ids.every((id, i) => i === 0 || Number(id) > Number(ids[i - 1]))

test("a reader too far behind learns how many updates it loses, and gets the latest of each item", async () => {
  await using server = await start({ args: ["--max-lag", "100"] })
  const items = [await server.add(), await server.add(), await server.add()]
  const quiet = await server.add()
  const reader = await behind(server, STREAM, items)
  // A finished state among the skipped updates must not be lost.
  await server.put(items[0] ?? 0, { status: "failed", error_message: "out of disk" })
  const head = 4 + MANY + 1
  reader.resume()
  await reader.until(({ seen }) => seen.some(isGap) && seen.at(-1)?.id === head)
  const gaps = reader.seen.filter(isGap)
  expect(gaps).toHaveLength(1)
  const at = reader.seen.findIndex(isGap)
  const last = reader.seen[at - 1]?.id ?? 0
  const after = reader.seen.slice(at + 1).map(({ id }) => id)
  expect(gaps[0]?.data).toEqual({
    reason: "slow",
    last_event_id: last,
    missed: head - last - after.length,
  })
  expect(after).toEqual(await latest(server, items, last))
  expect(reader.updates.find(({ data }) => data["error_message"] === "out of disk")?.id).toBe(head)
  expect(reader.updates.filter(({ data }) => data["queue_id"] === quiet)).toHaveLength(1)
  // It has lost nothing after the gap.
  await server.put(quiet, { message: "on we go" })
  await reader.until(({ seen }) => seen.at(-1)?.id === head + 1)
  expect(ascending(reader.updates.map(({ id }) => id))).toBe(true)
  reader.leave()
}, 180_000)

test("an item stream counts its own updates alone: others' do not make it lag", async () => {
  await using server = await start({ args: ["--max-lag", "100"] })
  const [mine, other] = [await server.add(), await server.add()]
  const reader = await behind(server, `${STREAM}/${mine}`, [other])
  await write(server, [mine], 50)
  reader.resume()
  await reader.until(({ updates }) => updates.length === 51)
  expect(reader.seen.some(isGap)).toBe(false)
  reader.leave()
}, 180_000)

test("an item stream too far behind gets its item's latest update", async () => {
  await using server = await start({ args: ["--max-lag", "100"] })
  const [mine, other] = [await server.add(), await server.add()]
  const reader = await behind(server, `${STREAM}/${mine}`, [mine])
  await server.put(other, { message: "not told" })
  await server.put(mine, { status: "failed" })
  reader.resume()
  await reader.until(({ seen }) => seen.at(-1)?.data["status"] === "failed")
  const at = reader.seen.findIndex(isGap)
  const { last_event_id, missed } = reader.seen[at]?.data ?? {}
  expect(reader.seen.slice(at + 1)).toHaveLength(1)
  expect(reader.updates.every(({ data }) => data["queue_id"] === mine)).toBe(true)
  // All updates of the item were sent or counted: its snapshot, those of the writer, and the last one.
  expect(reader.updates.length + Number(missed)).toBe(1 + MANY + 1)
  expect(Number(last_event_id)).toBeGreaterThanOrEqual(Number(reader.seen[at - 1]?.id))
  reader.leave()
}, 180_000)

test("a filtered stream cannot know how many of its updates it lost, and says so", async () => {
  await using server = await start({ args: ["--max-lag", "100"] })
  const [mine, other] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
  const reader = await behind(server, `${STREAM}?song_id=1`, [mine, other])
  reader.resume()
  await reader.until(({ seen }) => seen.some(isGap) && seen.at(-1)?.event === "message")
  expect(reader.seen.find(isGap)?.data).toMatchObject({ reason: "slow", missed: null })
  expect(reader.updates.every(({ data }) => data["song_id"] === 1)).toBe(true)
  reader.leave()
}, 180_000)

test("with --max-lag 0 nothing is ever skipped", async () => {
  await using server = await start({ args: ["--max-lag", "0"] })
  const id = await server.add()
  const reader = await behind(server, STREAM, [id])
  reader.resume()
  await reader.until(({ seen }) => seen.at(-1)?.id === 1 + MANY)
  expect(reader.seen.some(isGap)).toBe(false)
  expect(reader.updates.map(({ id }) => id)).toEqual(Array.from({ length: 1 + MANY }, (_, i) => i + 1))
  reader.leave()
}, 180_000)

test("a replay is never cut, however long: only a stream that has been live can lag", async () => {
  await using server = await start({ args: ["--max-lag", "10"] })
  const id = await server.add()
  await write(server, [id], 300)
  const reader = await SocketReader.open(server.url, STREAM, { headers: { "last-event-id": "0" } })
  await reader.first("live")
  expect(reader.updates).toHaveLength(301)
  expect(reader.seen.some(isGap)).toBe(false)
  reader.leave()
})

test("a reader that stops slows neither the writers nor the other readers", async () => {
  await using server = await start()
  const id = await server.add()
  const stopped = await SocketReader.open(server.url, STREAM)
  await stopped.first("live")
  stopped.pause()
  const healthy = await SocketReader.open(server.url, STREAM)
  await healthy.first("live")
  await write(server, [id], MANY)
  await healthy.until(({ seen }) => seen.at(-1)?.id === 1 + MANY)
  expect(healthy.updates.map(({ id }) => id)).toEqual(Array.from({ length: 1 + MANY }, (_, i) => i + 1))
  expect(stopped.seen.at(-1)?.id).toBeLessThan(1 + MANY)
  stopped.leave()
  healthy.leave()
}, 180_000)
