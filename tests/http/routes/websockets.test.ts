import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"

import { Reader } from "../../reader.ts"
import { start, type TestServer } from "../../server.ts"
import { SlowWebSocket, WebSocketReader } from "../../websockets.ts"

const WS = "/progress/ws"
/** The server stops within 2 s. On a machine that does several things at once it may take longer. */
const DRAIN_LIMIT_MS = 6000

const ids = (said: readonly Record<string, unknown>[]): unknown[] => said.map(({ id }) => id)
const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Writes `count` updates of about 16 kB. */
async function write(server: TestServer, id: number, count: number): Promise<void> {
  const message = "x".repeat(16_000)
  let sent = 0
  const writer = async (): Promise<void> => {
    while (sent < count) {
      sent += 1
      await server.put(id, { message })
    }
  }
  await Promise.all(Array.from({ length: 8 }, writer))
}

/** The memory of the server that it does not share, in MB. */
function memory({ child }: TestServer): number {
  const found = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))
  return Number(found?.[1]) / 1024
}

/** An HTTP request for the handshake, as `fetch` would not make it. */
const handshake = (server: TestServer, path: string, headers: Record<string, string> = {}) =>
  server.api("GET", path, undefined, {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  })

test("a socket sends what the NDJSON stream sends, with one message for each line", async () => {
  await using server = await start()
  const [one, two] = [await server.add({ song_id: 1, title: "A\r\n\u2028😀" }), await server.add()]
  const reader = await WebSocketReader.open(server.url, WS)
  await reader.control("live")
  await server.put(one, { status: "processing", message: "pass\n1" })
  await server.put(two, { progress: 0 })
  await reader.until(({ updates }) => updates.length === 4)
  const lines = await Reader.open(`${server.url}/api/v1/progress/stream?last_event_id=0`)
  await lines.first("live")
  expect(reader.updates).toEqual(lines.updates.map(({ id, data }) => ({ id, ...data })))
  expect(reader.seen[2]).toEqual({ event: "live", last_event_id: 2, history: expect.any(String) })
  reader.leave()
  lines.leave()
})

test("a socket resumes after the last event ID, and gets a gap", async () => {
  await using server = await start()
  const id = await server.add()
  for (const progress of [1, 2, 3]) await server.put(id, { progress })
  const resumed = await WebSocketReader.open(server.url, `${WS}?last_event_id=2`)
  await resumed.control("live")
  expect(ids(resumed.updates)).toEqual([3, 4])
  const byHeader = await WebSocketReader.open(server.url, WS, { "last-event-id": "3" })
  await byHeader.control("live")
  expect(ids(byHeader.updates)).toEqual([4])
  const lost = await WebSocketReader.open(server.url, `${WS}?last_event_id=999`)
  expect(await lost.control("gap")).toMatchObject({ reason: "unknown", last_event_id: 999, missed: null })
  await lost.control("live")
  expect(ids(lost.updates)).toEqual([4])
})

test("filters narrow a socket as they narrow a stream", async () => {
  await using server = await start()
  for (const song_id of [1, 2, 3]) await server.add({ song_id })
  const song = await WebSocketReader.open(server.url, `${WS}?song_id=2`)
  const some = await WebSocketReader.open(server.url, `${WS}?ids=1,3`)
  const item = await WebSocketReader.open(server.url, `${WS}/3?snapshot=false`)
  await Promise.all([song, some, item].map((reader) => reader.control("live")))
  for (const id of [1, 2, 3]) await server.put(id, { progress: id })
  await some.until(({ updates }) => updates.length === 4)
  await item.until(({ updates }) => updates.length === 1)
  expect(ids(song.updates)).toEqual([2, 5])
  expect(ids(some.updates)).toEqual([1, 3, 4, 6])
  expect(ids(item.updates)).toEqual([6])
})

test("a socket understands and ignores the same additions to its query as a stream", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, {})
  const socket = await WebSocketReader.open(server.url, `${WS}?lastEventId=1&t=3&_=4`)
  await socket.control("live")
  expect(ids(socket.updates)).toEqual([2])
})

test("a request that is no handshake, or names nothing, is refused with the usual body", async () => {
  await using server = await start({ args: ["--cors-origin", "https://studio.example"] })
  await server.add()
  const refusals: [Response, number, string][] = [
    [await server.api("GET", WS), 426, "upgrade_required"],
    [await handshake(server, `${WS}/9`), 404, "not_found"],
    [await handshake(server, `${WS}/x`), 422, "invalid"],
    [await handshake(server, `${WS}?format=sse`), 422, "invalid"],
    [await handshake(server, WS, { "sec-websocket-key": "short" }), 422, "invalid"],
    [await handshake(server, WS, { origin: "https://elsewhere.example" }), 403, "forbidden"],
  ]
  for (const [answer, status, code] of refusals) {
    const { error, ...rest }: Record<string, unknown> = await answer.json()
    expect([answer.status, rest]).toEqual([status, { code, request_id: expect.any(String) }])
    expect(error).toBeString()
  }
  expect(refusals[0]?.[0].headers.get("upgrade")).toBe("websocket")
  const ours = await WebSocketReader.open(server.url, WS, { origin: "https://studio.example" })
  await ours.control("live")
  const same = await WebSocketReader.open(server.url, WS, { origin: server.url })
  await same.control("live")
  await server.connectedClients(2)
})

test("a socket that watches everything watches the items it subscribes to, which begin with their state", async () => {
  await using server = await start()
  for (const song_id of [1, 2, 3]) await server.add({ song_id })
  await server.put(3, { status: "failed", error_message: "out of disk" })
  const reader = await WebSocketReader.open(server.url, `${WS}?snapshot=false`)
  await reader.control("live")
  await server.put(1, { progress: 1 })
  await reader.until(({ updates }) => updates.length === 1)
  reader.say({ subscribe: [2, 3] })
  expect(await reader.control("watching")).toEqual({ event: "watching", ids: [2, 3] })
  for (const id of [1, 2]) await server.put(id, { progress: 10 })
  await reader.until(({ updates }) => updates.length === 4)
  expect(ids(reader.updates)).toEqual([5, 2, 4, 7])
  reader.say({ unsubscribe: [2] })
  reader.say({ subscribe: [1] })
  expect(await reader.control("watching", 3)).toEqual({ event: "watching", ids: [3, 1] })
  await server.put(2, { progress: 20 })
  await server.put(1, { progress: 20 })
  await reader.until(({ updates }) => updates.at(-1)?.["id"] === 9)
  expect(ids(reader.updates)).toEqual([5, 2, 4, 7, 6, 9])
})

test("the socket of one item takes others, and leaves its own", async () => {
  await using server = await start()
  for (const song_id of [1, 2]) await server.add({ song_id })
  const reader = await WebSocketReader.open(server.url, `${WS}/1`)
  await reader.control("live")
  reader.say({ subscribe: [2] })
  await reader.control("watching")
  for (const id of [1, 2]) await server.put(id, { progress: 10 })
  reader.say({ unsubscribe: [1] })
  expect(await reader.control("watching", 2)).toEqual({ event: "watching", ids: [2] })
  for (const id of [1, 2]) await server.put(id, { progress: 20 })
  await reader.until(({ updates }) => updates.at(-1)?.["id"] === 6)
  expect(ids(reader.updates)).toEqual([1, 2, 3, 4, 6])
  reader.leave()
  await server.connectedClients(0)
})

test("no update is lost or doubled while items are chosen and left under load", async () => {
  await using server = await start()
  for (const song_id of from1(4)) await server.add({ song_id })
  const reader = await WebSocketReader.open(server.url, `${WS}?ids=1&snapshot=false`)
  await reader.control("live")
  let writing = true
  const writers = from1(4).map(async (id) => {
    for (let progress = 0; writing; progress = (progress + 1) % 100) await server.put(id, { progress })
  })
  for (let round = 1; round <= 40; round += 1) {
    reader.say(round % 2 === 1 ? { subscribe: [2, 3] } : { unsubscribe: [2, 3] })
    await reader.control("watching", round)
  }
  writing = false
  await Promise.all(writers)
  await server.put(1, { message: "the last" })
  await reader.until(({ updates }) => updates.at(-1)?.["message"] === "the last")
  for (const id of [1, 2, 3]) {
    const answer = await server.api("GET", `/queue/${id}/updates?limit=1000`)
    const { updates }: { updates: { id: number }[] } = await answer.json()
    const history = updates.map((update) => update.id)
    // The updates that came while an item was watched have no gap, and begin with the state at that moment.
    const spells: number[][] = [[]]
    for (const said of reader.seen) {
      if (said["event"] === "watching" && id !== 1) spells.push([])
      else if (said["queue_id"] === id) spells.at(-1)?.push(Number(said["id"]))
    }
    for (const spell of spells.filter(({ length }) => length > 0)) {
      const at = history.indexOf(spell[0] ?? 0)
      expect(spell).toEqual(history.slice(at, at + spell.length))
    }
    if (id !== 1) expect(spells.filter(({ length }) => length > 0).length).toBeGreaterThan(3)
  }
}, 180_000)

test("a message with an impossible request is refused, and changes nothing", async () => {
  await using server = await start()
  await server.add()
  const reader = await WebSocketReader.open(server.url, WS)
  await reader.control("live")
  const wrong: [unknown, string][] = [
    ["{", "malformed_json"],
    [{ subscribe: [] }, "invalid"],
    [{ subscribe: ["1"] }, "invalid"],
    [{ subscribe: [1], unsubscribe: [1] }, "invalid"],
    [{ watch: [1] }, "invalid"],
    [{ subscribe: from1(257) }, "invalid"],
    [{ subscribe: [1, 99] }, "not_found"],
    [{ unsubscribe: [1] }, "invalid"],
  ]
  for (const [at, [message, code]] of wrong.entries()) {
    reader.say(message)
    const { error, ...rest } = await reader.control("refused", at + 1)
    expect(rest).toEqual({ event: "refused", code, request_id: expect.any(String) })
    expect(error).toBeString()
  }
  reader.sayBytes(new Uint8Array([1]))
  expect(await reader.control("refused", wrong.length + 1)).toMatchObject({ code: "unsupported_media_type" })
  await server.add()
  await reader.until(({ updates }) => updates.length === 2)
})

test("until=finished sends end and closes in order, also for a viewer that has seen everything", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await WebSocketReader.open(server.url, `${WS}/${id}?until=finished`)
  await reader.control("live")
  reader.say({ subscribe: [id] })
  expect(await reader.control("refused")).toMatchObject({ code: "invalid" })
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  expect(await reader.closed).toEqual({ code: 1000, reason: "finished" })
  expect(reader.seen.at(-1)).toEqual({
    event: "end",
    last_event_id: 3,
    status: "completed",
    outcome: "completed",
  })
  const again = await WebSocketReader.open(server.url, `${WS}/${id}?until=finished&last_event_id=3`)
  expect(await again.closed).toEqual({ code: 1000, reason: "finished" })
  expect(again.seen).toEqual([])
})

test("a ping is answered, an idle socket gets keepalives, and both kinds are counted", async () => {
  await using server = await start({ args: ["--keepalive-ms", "50"] })
  const id = await server.add()
  const reader = await WebSocketReader.open(server.url, WS)
  const item = await WebSocketReader.open(server.url, `${WS}/${id}`)
  reader.ping()
  await reader.until(({ pongs }) => pongs === 1)
  expect(await reader.control("keepalive", 2)).toEqual({ event: "keepalive" })
  const stats: unknown = await (await server.api("GET", "/progress/stats")).json()
  expect(stats).toMatchObject({ connected_clients: 2, streams: { global: 1, item: 1 } })
  reader.leave()
  item.leave()
  await server.connectedClients(0)
})

test("a peer that sends very many pings or pongs is disconnected, and one that sends many at once is not", async () => {
  await using server = await start()
  const one = await WebSocketReader.open(server.url, WS)
  for (let i = 0; i < 100; i += 1) one.ping()
  await one.until(({ pongs }) => pongs === 100)
  // Those of another second count by themselves.
  await Bun.sleep(1000)
  for (let i = 0; i < 50; i += 1) one.ping()
  await one.until(({ pongs }) => pongs === 150)
  for (let i = 0; i < 1000; i += 1) one.ping()
  expect(await one.closed).toEqual({ code: 1008, reason: "too many pings" })
  const other = await WebSocketReader.open(server.url, WS)
  for (let i = 0; i < 1000; i += 1) other.pong()
  expect(await other.closed).toEqual({ code: 1008, reason: "too many pings" })
  await server.connectedClients(0)
})

test("SIGTERM sends shutdown and closes with 1001, even if a socket stalls", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await WebSocketReader.open(server.url, WS)
  const slow = await SlowWebSocket.open(server.url, WS)
  await reader.control("live")
  await slow.until(({ seen }) => seen.length === 2)
  slow.pause()
  await write(server, id, 800)
  const startedMs = performance.now()
  const [code, { code: closeCode }] = await Promise.all([server.end(), reader.closed])
  expect([code, closeCode]).toEqual([0, 1001])
  expect(performance.now() - startedMs).toBeLessThan(DRAIN_LIMIT_MS)
  expect(reader.seen.at(-1)).toEqual({ event: "shutdown", retry_ms: expect.any(Number) })
}, 180_000)

test("sockets that stall cost the server no memory and the others nothing, and lose nothing when they read on", async () => {
  await using server = await start()
  const id = await server.add()
  const healthy = await WebSocketReader.open(server.url, WS)
  const stalled = await Promise.all(from1(20).map(() => SlowWebSocket.open(server.url, WS)))
  await Promise.all(stalled.map((slow) => slow.until(({ seen }) => seen.length === 2)))
  for (const slow of stalled) slow.pause()
  // This is more than the kernel stores for a socket, so the server must handle the rest.
  await write(server, id, 1000)
  const before = memory(server)
  await write(server, id, 2000)
  // Keeping everything for each of them would take 32 MB, 640 MB in all.
  expect(memory(server) - before).toBeLessThan(120)
  const head = 3001
  await healthy.until(({ updates }) => updates.at(-1)?.["id"] === head)
  expect(ids(healthy.updates)).toEqual(from1(head))
  const [one, ...others] = stalled
  one?.resume()
  await one?.until(({ updates }) => updates.at(-1)?.["id"] === head)
  expect(ids(one?.updates ?? [])).toEqual(from1(head))
  for (const slow of others) slow.reset()
  await server.connectedClients(2)
}, 180_000)

test("a peer that sends requests without end and reads no answer is disconnected", async () => {
  await using server = await start()
  const id = await server.add()
  const slow = await SlowWebSocket.open(server.url, WS)
  await slow.until(({ seen }) => seen.length === 2)
  slow.pause()
  await write(server, id, 800)
  for (let i = 0; i < 64; i += 1) slow.say({ subscribe: [id] })
  await server.connectedClients(0)
  slow.resume()
  await slow.closed
  expect(slow.closeCode).toBe(1008)
}, 180_000)
