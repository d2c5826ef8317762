import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { Reader, type Seen } from "../reader.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"

const STREAM = "/progress/stream"

const open = (server: TestServer, path = STREAM, headers: Record<string, string> = {}): Promise<Reader> =>
  Reader.open(`${server.url}/api/v1${path}`, headers)

const ids = (seen: readonly Seen[]): (number | undefined)[] => seen.map(({ id }) => id)
const names = (seen: readonly Seen[]): string[] => seen.map(({ event }) => event)

/** Everything up to `live`. */
async function opening(reader: Reader): Promise<readonly Seen[]> {
  await reader.first("live")
  return reader.seen.slice(0, names(reader.seen).indexOf("live") + 1)
}

/** Two items and ten updates: the odd event IDs belong to the first item, the even ones to the second. */
async function tenUpdates(server: TestServer): Promise<[number, number]> {
  const both: [number, number] = [await server.add(), await server.add()]
  for (let i = 2; i < 10; i += 1) await server.put(both[i % 2 === 0 ? 0 : 1], { message: `update ${i + 1}` })
  return both
}

test("a last event ID in the header brings every update after it, then live", async () => {
  await using server = await start()
  await tenUpdates(server)
  const seen = await opening(await open(server, STREAM, { "last-event-id": "7" }))
  expect(ids(seen)).toEqual([8, 9, 10, 10])
  expect(seen.at(0)?.data["message"]).toBe("update 8")
})

test("a last event ID in the query does the same, for clients that cannot send headers", async () => {
  await using server = await start()
  await tenUpdates(server)
  expect(ids(await opening(await open(server, `${STREAM}?last_event_id=7`)))).toEqual([8, 9, 10, 10])
})

test("the header wins over the query: a reconnecting EventSource keeps its first URL", async () => {
  await using server = await start()
  await tenUpdates(server)
  const reader = await open(server, `${STREAM}?last_event_id=2`, { "last-event-id": "9" })
  expect(ids(await opening(reader))).toEqual([10, 10])
})

test("the last event ID 0 brings the whole history", async () => {
  await using server = await start()
  await tenUpdates(server)
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  expect(ids(await opening(await open(server, `${STREAM}?last_event_id=0`)))).toEqual([...all, 10])
})

test("an empty last event ID counts as none", async () => {
  await using server = await start()
  await tenUpdates(server)
  for (const headers of [{}, { "last-event-id": "" }]) {
    const seen = await opening(await open(server, `${STREAM}?last_event_id=`, headers))
    expect(ids(seen)).toEqual([9, 10, 10])
  }
})

test("the last event ID of the newest update brings live alone", async () => {
  await using server = await start()
  await tenUpdates(server)
  const seen = await opening(await open(server, STREAM, { "last-event-id": "10" }))
  expect(names(seen)).toEqual(["live"])
})

test("an item stream replays its item's updates alone", async () => {
  await using server = await start()
  const [first] = await tenUpdates(server)
  const seen = await opening(await open(server, `${STREAM}/${first}`, { "last-event-id": "4" }))
  expect(ids(seen)).toEqual([5, 7, 9, 10])
})

test("what comes during a replay follows it, in order and once", async () => {
  await using server = await start()
  const id = await server.add()
  const message = "x".repeat(8000)
  for (let i = 0; i < 30; i += 1) {
    await Promise.all(Array.from({ length: 50 }, () => server.put(id, { message })))
  }
  const reader = await open(server, STREAM, { "last-event-id": "0" })
  const writing = Array.from({ length: 200 }, () => server.put(id, { message: "new" }))
  await Promise.all(writing)
  await reader.until(() => reader.seen.at(-1)?.id === 1701 && reader.seen.length > 1701)
  expect(ids(reader.updates)).toEqual(Array.from({ length: 1701 }, (_, i) => i + 1))
  expect(names(reader.seen).filter((name) => name === "live")).toHaveLength(1)
})

const UNKNOWN = ["11", "9007199254740993", "9999999999999999", "abc", "-1", "1.5", "1e3", "07", "1 2", "0x1"]

test.each(UNKNOWN)("the last event ID %s is not ours: gap, then snapshot and live", async (given) => {
  await using server = await start()
  await tenUpdates(server)
  const seen = await opening(await open(server, STREAM, { "last-event-id": given }))
  expect(names(seen)).toEqual(["gap", "message", "message", "live"])
  expect(ids(seen)).toEqual([undefined, 9, 10, 10])
  const known = /^[1-9][0-9]*$/.test(given)
  expect(seen[0]?.data).toEqual({
    reason: "unknown",
    last_event_id: known ? Number(given) : given,
    missed: null,
  })
})

test("an absurdly long last event ID is quoted in part, and harms nothing", async () => {
  await using server = await start()
  const seen = await opening(await open(server, STREAM, { "last-event-id": "9".repeat(4000) }))
  expect(names(seen)).toEqual(["gap", "live"])
  expect(seen[0]?.data["last_event_id"]).toBe("9".repeat(64))
})

/** Stops the server, removes the history up to an event ID, and starts it again. */
async function expire(server: TestServer, upTo: number): Promise<TestServer> {
  await server.end()
  using client = new Database(server.database)
  client.run("DELETE FROM updates WHERE id <= ?", [upTo])
  client.run("UPDATE history SET pruned_id = ?, pruned = ?", [upTo, upTo])
  client.run("UPDATE queue_items SET pruned_id = ?", [upTo])
  return start({ database: server.database })
}

test("updates that are not kept any more make a gap that counts them, then snapshot and live", async () => {
  await using before = await start()
  await tenUpdates(before)
  await using server = await expire(before, 6)
  const seen = await opening(await open(server, STREAM, { "last-event-id": "2" }))
  expect(names(seen)).toEqual(["gap", "message", "message", "live"])
  expect(seen[0]?.data).toEqual({ reason: "expired", last_event_id: 2, missed: 4 })
  expect(ids(seen)).toEqual([undefined, 9, 10, 10])
})

test("the update just before the oldest that is kept is no gap: nothing was missed", async () => {
  await using before = await start()
  await tenUpdates(before)
  await using server = await expire(before, 6)
  expect(ids(await opening(await open(server, STREAM, { "last-event-id": "6" })))).toEqual([7, 8, 9, 10, 10])
  const gap = await opening(await open(server, STREAM, { "last-event-id": "5" }))
  expect(gap[0]?.data).toEqual({ reason: "expired", last_event_id: 5, missed: 1 })
})

test("an item stream or a filtered one cannot know how many of its updates are gone", async () => {
  await using before = await start()
  const [first] = await tenUpdates(before)
  await using server = await expire(before, 6)
  for (const path of [`${STREAM}/${first}`, `${STREAM}?ids=${first}`]) {
    const [gap, update] = await opening(await open(server, path, { "last-event-id": "2" }))
    expect(gap?.data).toEqual({ reason: "expired", last_event_id: 2, missed: null })
    expect(update?.id).toBe(9)
  }
})

test("a viewer of another history gets a gap, even if that history had the same event IDs", async () => {
  await using server = await start()
  await tenUpdates(server)
  await using other = await start()
  await tenUpdates(other)
  const [a, b] = [await opening(await open(server)), await opening(await open(other))]
  expect(a.at(-1)?.data["last_event_id"]).toBe(10)
  expect(a.at(-1)?.data["history"]).not.toBe(b.at(-1)?.data["history"])
})

test("until=finished ends after the item's last update, with an end frame and in order", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await open(server, `${STREAM}/${id}?until=finished`)
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  expect(await reader.ended).toBe(true)
  const end = reader.seen.at(-1)
  expect(end?.event).toBe("end")
  expect(end?.data).toEqual({ last_event_id: 3, status: "completed", outcome: "completed" })
  expect(reader.updates.at(-1)?.data["status"]).toBe("completed")
  await server.connectedClients(0)
})

test("until=finished on a finished item sends its last update and ends", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, { status: "failed" })
  const reader = await open(server, `${STREAM}/${id}?until=finished`)
  expect(await reader.ended).toBe(true)
  expect(names(reader.seen)).toEqual(["message", "live", "end"])
})

test("until=finished: a reconnect that has seen the last update gets 204, which stops an EventSource", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, { status: "failed" })
  await server.add()
  const path = `${STREAM}/${id}?until=finished`
  for (const seen of ["2", "3"]) {
    const answer = await server.api("GET", path, undefined, { "last-event-id": seen })
    expect(answer.status).toBe(204)
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
    expect(await answer.text()).toBe("")
  }
  const ahead = await open(server, path, { "last-event-id": "4" })
  await ahead.ended
  expect(names(ahead.seen)).toEqual(["gap", "message", "live", "end"])
})

test("until=finished: a reconnect from before the end replays it, then ends", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, { status: "processing" })
  await server.put(id, { progress: 50 })
  await server.put(id, { status: "completed" })
  const reader = await open(server, `${STREAM}/${id}?until=finished`, { "last-event-id": "2" })
  expect(await reader.ended).toBe(true)
  expect(names(reader.seen)).toEqual(["message", "message", "live", "end"])
  expect(ids(reader.seen)).toEqual([3, 4, 4, undefined])
})

test("until=finished ends for a viewer whose item is deleted", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await open(server, `${STREAM}/${id}?until=finished`)
  await reader.first("live")
  await server.api("DELETE", `/queue/${id}`)
  expect(await reader.ended).toBe(true)
  expect(reader.updates.at(-1)?.data).toMatchObject({ deleted: true, outcome: "cancelled" })
  expect(reader.seen.at(-1)?.event).toBe("end")
})

test("an item created and finished while a viewer was away from an idle queue reaches it at its return", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/idle.db`
  await using server = await start({ database })
  const reader = await open(server)
  const { id: last } = await reader.first("live")
  reader.leave()
  const id = await server.add()
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  const away = await opening(await open(server, STREAM, { "last-event-id": String(last) }))
  expect(away.map(({ data }) => data["status"])).toEqual(["queued", "processing", "completed", undefined])
})
