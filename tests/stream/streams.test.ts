import { expect, setDefaultTimeout, test } from "bun:test"

import { Reader, type Seen } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"

setDefaultTimeout(180_000)

const STREAM = "/progress/stream"

const open = (server: TestServer, path = STREAM, headers: Record<string, string> = {}): Promise<Reader> =>
  Reader.open(`${server.url}/api/v1${path}`, headers)

const ids = (seen: readonly Seen[]): (number | undefined)[] => seen.map(({ id }) => id)
const names = (seen: readonly Seen[]): string[] => seen.map(({ event }) => event)
const items = (seen: readonly Seen[]): unknown[] => seen.map(({ data }) => data["queue_id"])

/** Waits for `count` events and returns them. */
const take = async (reader: Reader, count: number): Promise<readonly Seen[]> =>
  (await reader.until(({ length }) => length >= count)).slice(0, count)

test("a stream sends its head at once, also when nothing happens", async () => {
  await using server = await start()
  const { answer } = await open(server)
  expect(answer.status).toBe(200)
  const { headers } = answer
  expect(headers.get("content-type")).toBe("text/event-stream")
  expect(headers.get("cache-control")).toBe("no-store, no-transform")
  expect(headers.get("x-accel-buffering")).toBe("no")
  expect(headers.get("access-control-allow-origin")).toBe("*")
})

test("the head of a stream is complete: a blank line ends it before any update", async () => {
  await using server = await start()
  const reader = await SocketReader.open(server.url, STREAM)
  await reader.until(({ bytes }) => bytes > 0)
  expect(reader.head).toStartWith("HTTP/1.1 200 OK\r\n")
  expect(reader.head).toContain("Transfer-Encoding: chunked")
  reader.leave()
})

test("the first bytes of a stream are a comment and the reconnection time", async () => {
  await using server = await start()
  const reader = await open(server)
  await reader.first("live")
  expect(reader.raw).toMatch(/^: track-studio\nretry: [1-9][0-9]{2,4}\n\n/)
})

test("reconnection times differ, so that viewers do not all come back at once", async () => {
  await using server = await start()
  const times = new Set<string | undefined>()
  for (let i = 0; i < 8; i += 1) {
    const reader = await open(server)
    await reader.first("live")
    times.add(/retry: (\d+)/.exec(reader.raw)?.[1])
    reader.leave()
  }
  expect(times.size).toBeGreaterThan(1)
})

test("a global stream begins with the latest update of every open item, ascending, and live", async () => {
  await using server = await start()
  const [first, second, third, done] = [
    await server.add(),
    await server.add(),
    await server.add(),
    await server.add(),
  ]
  await server.put(done, { status: "processing" })
  await server.put(done, { status: "completed" })
  await server.put(second, { status: "processing" })
  await server.put(first, { message: "still waiting" })
  const seen = await take(await open(server), 4)
  expect(names(seen)).toEqual(["message", "message", "message", "live"])
  expect(items(seen.slice(0, 3))).toEqual([third, second, first])
  expect(ids(seen)).toEqual([3, 7, 8, 8])
  expect(seen[2]?.data["message"]).toBe("still waiting")
})

test("live names the newest event ID and the history it belongs to", async () => {
  await using server = await start()
  const empty = await (await open(server)).first("live")
  expect(empty.id).toBe(0)
  expect(empty.data).toEqual({ last_event_id: 0, history: expect.stringMatching(/^[0-9a-f]{16}$/) })
  await server.add()
  const live = await (await open(server)).first("live")
  expect(live.id).toBe(1)
  expect(live.data).toEqual({ last_event_id: 1, history: empty.data["history"] })
})

test("the history keeps its name over a restart, and another database has another name", async () => {
  await using server = await start()
  const { data } = await (await open(server)).first("live")
  await server.end()
  await using again = await start({ database: server.database })
  expect((await (await open(again)).first("live")).data).toEqual(data)
  await using other = await start()
  expect((await (await open(other)).first("live")).data).not.toEqual(data)
})

test("an item stream begins with the item's latest update, also when the item is finished", async () => {
  await using server = await start()
  const id = await server.add()
  const other = await server.add()
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  await server.put(other, { priority: 5 })
  const [update, live] = await take(await open(server, `${STREAM}/${id}`), 2)
  expect(update).toMatchObject({ id: 4, event: "message", data: { queue_id: id, status: "completed" } })
  expect(live).toMatchObject({ id: 5, event: "live" })
})

test("an item stream delivers its item's updates and no others", async () => {
  await using server = await start()
  const [mine, other] = [await server.add(), await server.add()]
  const reader = await open(server, `${STREAM}/${mine}`)
  await reader.first("live")
  for (let i = 0; i < 20; i += 1) {
    await server.put(other, { message: `other ${i}` })
    await server.put(mine, { message: `mine ${i}` })
  }
  await reader.until(() => reader.updates.at(-1)?.data["message"] === "mine 19")
  const [snapshot, ...updates] = reader.updates
  expect(snapshot?.data["message"]).toBe("Queue item created")
  expect(updates.map(({ data }) => data["message"])).toEqual(
    Array.from({ length: 20 }, (_, i) => `mine ${i}`),
  )
})

test("each update arrives once, in order, with ascending event IDs, as it was stored", async () => {
  await using server = await start()
  const reader = await open(server)
  await reader.first("live")
  const id = await server.add({ song_id: 7, title: "A song" })
  await server.put(id, { status: "processing", current_step: "lyrics", progress: 0 })
  await server.put(id, { progress: 42, message: "halfway" })
  await server.put(id, { status: "failed", error_message: "no audio" })
  await reader.until(() => reader.updates.length === 4)
  expect(ids(reader.updates)).toEqual([1, 2, 3, 4])
  expect(reader.updates[3]?.data).toEqual({
    queue_id: id,
    song_id: 7,
    status: "failed",
    current_step: "lyrics",
    progress: 42,
    message: "Queue item updated",
    error_message: "no audio",
    error_cause: "no audio",
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    title: "A song",
    attempt: 1,
    outcome: "failed",
  })
  const stored: { updates: object[] } = await (await server.api("GET", `/queue/${id}/updates`)).json()
  expect<object[]>(reader.updates.map((update) => ({ id: update.id, ...update.data }))).toEqual(
    stored.updates,
  )
})

test("viewers see a deleted item cancelled, and a finished one deleted with its status unchanged", async () => {
  await using server = await start()
  const [open_, done] = [await server.add(), await server.add()]
  await server.put(done, { status: "processing" })
  await server.put(done, { status: "completed" })
  const reader = await open(server)
  await reader.first("live")
  await server.api("DELETE", `/queue/${open_}`)
  await server.api("DELETE", `/queue/${done}`)
  await reader.until(() => reader.updates.length === 3)
  expect(reader.updates[1]?.data).toMatchObject({
    queue_id: open_,
    status: "failed",
    outcome: "cancelled",
    message: "Queue item cancelled",
    deleted: true,
  })
  expect(reader.updates[2]?.data).toMatchObject({ queue_id: done, status: "completed", deleted: true })
  const [live] = await take(await open(server), 1)
  expect(live?.event).toBe("live")
})

test("only updates and live carry event IDs, so that no reconnect can skip an update", async () => {
  await using server = await start({ args: ["--keepalive-ms", "20"] })
  const id = await server.add()
  const reader = await open(server, `${STREAM}/${id}?until=finished`, { "last-event-id": "999" })
  await reader.first("live")
  await reader.until(() => reader.raw.includes(": keepalive"))
  await server.put(id, { status: "failed" })
  await reader.ended
  expect(names(reader.seen)).toEqual(["gap", "message", "live", "message", "end"])
  expect(ids(reader.seen)).toEqual([undefined, 1, 1, 2, undefined])
})

test("snapshot=false begins with live", async () => {
  await using server = await start()
  const id = await server.add()
  for (const path of [STREAM, `${STREAM}/${id}`]) {
    const reader = await open(server, `${path}?snapshot=false`)
    await reader.first("live")
    await server.put(id, { message: "now" })
    await reader.until(({ length }) => length === 2)
    expect(names(reader.seen)).toEqual(["live", "message"])
    reader.leave()
  }
})

test("song_id filters a global stream: snapshot, replay and what is new", async () => {
  await using server = await start()
  const [mine, other] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
  const reader = await open(server, `${STREAM}?song_id=1`)
  await reader.first("live")
  await server.put(other, { message: "not wanted" })
  await server.put(mine, { message: "wanted" })
  await reader.until(({ length }) => length === 3)
  expect(ids(reader.seen)).toEqual([1, 2, 4])
  const again = await open(server, `${STREAM}?song_id=1&last_event_id=0`)
  await again.first("live")
  expect(ids(again.seen)).toEqual([1, 4, 4])
})

test("ids filters a global stream by queue items", async () => {
  await using server = await start()
  const all = [await server.add(), await server.add(), await server.add()]
  const reader = await open(server, `${STREAM}?ids=${all[0]},${all[2]}`)
  await reader.first("live")
  for (const id of all) await server.put(id, { message: "new" })
  await reader.until(({ length }) => length === 5)
  expect(items(reader.updates)).toEqual([all[0], all[2], all[0], all[2]])
})

test("a filtered stream follows the update itself: an item that changes its song leaves and enters", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1 })
  const reader = await open(server, `${STREAM}?song_id=1`)
  await reader.first("live")
  await server.put(id, { song_id: 2 })
  await server.put(id, { song_id: 1 })
  await reader.until(({ length }) => length === 3)
  expect(ids(reader.updates)).toEqual([1, 3])
})

const REFUSED: readonly [string, string][] = [
  ["?x=1", "x"],
  ["?until=finished", "until"],
  ["/1?song_id=1", "song_id"],
  ["/1?ids=1", "ids"],
  ["/1?until=later", "until"],
  ["?format=xml", "format"],
  ["?snapshot=no", "snapshot"],
  ["?song_id=0", "song_id"],
  ["?song_id=abc", "song_id"],
  ["?ids=", "ids"],
  ["?ids=1,,2", "ids"],
  ["/0", "id"],
  ["/abc", "id"],
]

test.each(REFUSED)("a stream refuses %s and names what is wrong", async (path, named) => {
  await using server = await start()
  await server.add()
  const answer = await server.api("GET", STREAM + path)
  const error: { error: string; code: string } = await answer.json()
  expect(answer.status).toBe(422)
  expect(error.code).toBe("invalid")
  expect(error.error).toContain(named)
})

test("a stream of an item that does not exist yet waits for it, and sends it from its first update on", async () => {
  await using server = await start({ args: ["--keepalive-ms", "20"] })
  const other = await server.add()
  const readers = [
    await open(server, `${STREAM}/2`),
    await open(server, `${STREAM}/2?snapshot=false`),
    await open(server, `${STREAM}/2`, { "last-event-id": "1" }),
    await open(server, `${STREAM}/2`, { accept: "text/event-stream" }),
  ]
  for (const reader of readers) {
    expect(reader.answer.status).toBe(200)
    expect((await reader.first("live")).id).toBe(1)
    await reader.until(() => reader.raw.includes(": keepalive"))
  }
  await server.put(other, { message: "not this one" })
  const id = await server.add()
  await server.put(id, { message: "here it is" })
  expect(id).toBe(2)
  for (const reader of readers) {
    await reader.until(() => reader.updates.length === 2)
    expect(ids(reader.updates)).toEqual([3, 4])
  }
})

test("a stream of a deleted item is 404, and so is one that cannot wait for an item; none leaves anything behind", async () => {
  await using server = await start()
  const id = await server.add()
  await server.api("DELETE", `/queue/${id}`)
  const missing = [`/${id}`, `/${id}?format=ndjson`, "/4711?format=text", "/4711?until=finished"]
  for (const path of missing) {
    const answer = await server.api("GET", STREAM + path)
    expect([path, answer.status]).toEqual([path, 404])
    expect(await answer.json()).toMatchObject({ code: "not_found" })
  }
  await server.connectedClients(0)
})

test("what other clients add to a stream's query is understood, or ignored", async () => {
  await using server = await start()
  const id = await server.add()
  for (let update = 0; update < 3; update += 1) await server.put(id, {})
  const seen = async (query: string): Promise<unknown> => {
    const reader = await open(server, `${STREAM}?${query}`)
    await reader.first("live")
    reader.leave()
    return ids(reader.updates)
  }
  expect(await seen("lastEventId=2")).toEqual([3, 4])
  expect(await seen("Last-Event-ID=3")).toEqual([4])
  expect(await seen("last_event_id=3&lastEventId=1")).toEqual([4])
  expect(await seen("lastEventId=&t=1764000000&ts=1&cb=x&_=9&_cache=no")).toEqual([4])
  const refused = await server.api("GET", `${STREAM}?staus=failed&t=1`)
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ error: expect.stringContaining('the unknown key "staus"') })
})

test("stats count the streams that are open, by kind", async () => {
  await using server = await start()
  const id = await server.add()
  const readers = [await open(server), await open(server), await open(server, `${STREAM}/${id}`)]
  await server.connectedClients(3)
  const stats: object = await (await server.api("GET", "/progress/stats")).json()
  expect(stats).toMatchObject({
    connected_clients: 3,
    streams: { global: 2, item: 1 },
    updates: { stored: 1, oldest_id: 1, newest_id: 1 },
  })
  for (const reader of readers) reader.leave()
  await server.connectedClients(0)
})

test("an idle stream is kept alive by comments, and an EventSource does not see them", async () => {
  await using server = await start({ args: ["--keepalive-ms", "20"] })
  const reader = await open(server)
  await reader.first("live")
  while ((reader.raw.match(/^: keepalive$/gm) ?? []).length < 3) {
    const before = reader.raw.length
    await reader.until(() => reader.raw.length > before)
  }
  expect(names(reader.seen)).toEqual(["live"])
  await server.add()
  await reader.until(({ length }) => length === 2)
})

test("a filtered stream is kept alive while updates go by that it does not want", async () => {
  await using server = await start({ args: ["--keepalive-ms", "300"] })
  await server.add({ song_id: 2 })
  const other = await server.add({ song_id: 1 })
  const readers = [await open(server, `${STREAM}?song_id=2`), await open(server, `${STREAM}?ids=1`)]
  const isKept = ({ raw }: (typeof readers)[number]): boolean =>
    (raw.match(/^: keepalive$/gm) ?? []).length >= 3
  for (const until = performance.now() + 4000; performance.now() < until && !readers.every(isKept);)
    await server.put(other, {})
  expect(readers.map(isKept)).toEqual([true, true])
  expect(readers.map(({ seen }) => names(seen))).toEqual(readers.map(() => ["message", "live"]))
})

test("a busy stream is sent no keepalives", async () => {
  await using server = await start({ args: ["--keepalive-ms", "1000"] })
  const id = await server.add()
  const reader = await open(server)
  await reader.first("live")
  for (const until = performance.now() + 1500; performance.now() < until;) await server.put(id, {})
  expect(reader.raw).not.toContain("keepalive")
})

test("a snapshot of very many open items is complete, in order, and followed by live", async () => {
  await using server = await start()
  const title = "x".repeat(3000)
  for (let i = 0; i < 20; i += 1) {
    await Promise.all(Array.from({ length: 50 }, () => server.add({ song_id: 1, title })))
  }
  const reader = await open(server)
  await reader.first("live")
  expect(ids(reader.seen)).toEqual([...Array.from({ length: 1000 }, (_, i) => i + 1), 1000])
})
