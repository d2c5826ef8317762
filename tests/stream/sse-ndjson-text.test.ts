import { expect, setDefaultTimeout, test } from "bun:test"

import { type HttpFormat, messages, negotiate, sse } from "../../src/stream/sse-ndjson-text.ts"
import { type Control, controlFrame } from "../../src/wire/frames.ts"
import { start, type TestServer } from "../server.ts"

// These tests start servers, and the machine may be busy.
setDefaultTimeout(180_000)

const STREAM = "/progress/stream"

/** Reads lines of a stream until there are `count` lines, and leaves. */
async function lines(server: TestServer, path: string, accept: string | undefined, count: number) {
  const headers: Record<string, string> = accept === undefined ? {} : { accept }
  const abort = new AbortController()
  const answer = await fetch(`${server.url}/api/v1${path}`, { headers, signal: abort.signal })
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.split("\n").length > count) break
  }
  abort.abort()
  return { type: answer.headers.get("content-type"), lines: text.split("\n").slice(0, count) }
}

test("as server-sent events only live has an event ID, and what ends a stream says when to come back", () => {
  const said: Control[] = [
    { event: "live", last_event_id: 7, history: "h" },
    { event: "gap", reason: "slow", last_event_id: 7, missed: 2 },
    { event: "end", last_event_id: 7, status: "completed" },
    { event: "shutdown", retry_ms: 700 },
    { event: "busy", error: "full", retry_ms: 5000 },
  ]
  const fields = said.map((control) => {
    const text = new TextDecoder().decode(sse.encode([controlFrame(control)]))
    return text.split("\n").filter((line) => /^(?:event|id|retry):/.test(line))
  })
  expect(fields).toEqual([
    ["event: live", "id: 7"],
    ["event: gap"],
    ["event: end"],
    ["event: shutdown", "retry: 700"],
    ["event: busy", "retry: 5000"],
  ])
})

test("ndjson is one JSON object per line: updates with their event ID, and control frames", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 3, title: "A\nsong" })
  const read = await lines(server, `${STREAM}?format=ndjson`, undefined, 2)
  expect(read.type).toBe("application/x-ndjson")
  const [update, live] = read.lines.map((line): unknown => JSON.parse(line))
  expect(update).toMatchObject({ id: 1, queue_id: id, song_id: 3, status: "queued", title: "A\nsong" })
  expect(live).toEqual({ event: "live", last_event_id: 1, history: expect.any(String) })
})

test("ndjson has the same updates as the history", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, { status: "processing", current_step: "mux", progress: 10 })
  await server.put(id, { status: "completed" })
  const read = await lines(server, `${STREAM}/${id}?format=ndjson&last_event_id=0`, undefined, 3)
  const { updates }: { updates: object[] } = await (await server.api("GET", `/queue/${id}/updates`)).json()
  expect(read.lines.map((line): unknown => JSON.parse(line))).toEqual(updates)
})

test("ndjson tells of a gap, of the end, and that it is alive", async () => {
  await using server = await start({ args: ["--keepalive-ms", "20"] })
  const id = await server.add()
  const alive = await lines(server, `${STREAM}/${id}?format=ndjson&last_event_id=x`, undefined, 4)
  expect(JSON.parse(alive.lines[0] ?? "")).toEqual({
    event: "gap",
    reason: "unknown",
    last_event_id: "x",
    missed: null,
  })
  expect(JSON.parse(alive.lines[3] ?? "")).toEqual({ event: "keepalive" })
  await server.put(id, { status: "failed" })
  const over = await lines(server, `${STREAM}/${id}?format=ndjson&until=finished`, undefined, 3)
  expect(JSON.parse(over.lines[2] ?? "")).toEqual({
    event: "end",
    last_event_id: 2,
    status: "failed",
    outcome: "cancelled",
  })
})

test("text is one readable line an update", async () => {
  await using server = await start({ args: ["--keepalive-ms", "20"] })
  const id = await server.add({ song_id: 3, title: "Moonlight" })
  await server.put(id, { status: "processing", current_step: "muxing", progress: 42, message: "frame 7" })
  const read = await lines(server, `${STREAM}?format=text`, undefined, 3)
  expect(read.type).toBe("text/plain; charset=utf-8")
  expect(read.lines[0]).toMatch(/^\d\d:\d\d:\d\d #1 Moonlight {2}processing {2}42% {2}muxing - frame 7$/)
  expect(read.lines[1]).toBe("# live after update 2")
  expect(read.lines[2]).toBe("# nothing new")
})

const ACCEPTS: readonly [string | null, HttpFormat["name"]][] = [
  [null, "sse"],
  ["", "sse"],
  ["*/*", "sse"],
  ["text/event-stream", "sse"],
  ["text/html,application/xhtml+xml,*/*;q=0.8", "sse"],
  ["application/x-ndjson", "ndjson"],
  ["APPLICATION/X-NDJSON ; charset=utf-8", "ndjson"],
  ["text/plain", "text"],
  ["text/plain;q=0.5, application/x-ndjson;q=0.9", "ndjson"],
  ["text/plain;q=0.8, application/x-ndjson", "ndjson"],
  ["text/plain;q=0, application/x-ndjson;q=0", "sse"],
  ["text/plain;q=nonsense", "sse"],
  ["image/png", "sse"],
  [",;,;q=,", "sse"],
]

test.each(ACCEPTS)("Accept %p gives the format %s", (accept, name) => {
  expect(negotiate(accept).name).toBe(name)
})

test("the Accept header chooses the format of a stream", async () => {
  await using server = await start()
  await server.add()
  expect((await lines(server, STREAM, "application/x-ndjson", 1)).type).toBe("application/x-ndjson")
  expect((await lines(server, STREAM, "text/plain", 1)).type).toBe("text/plain; charset=utf-8")
  expect((await lines(server, STREAM, "*/*", 1)).type).toBe("text/event-stream")
})

test("the parameter wins over the Accept header, for clients that cannot choose it", async () => {
  await using server = await start()
  await server.add()
  expect((await lines(server, `${STREAM}?format=sse`, "text/plain", 1)).type).toBe("text/event-stream")
  expect((await lines(server, `${STREAM}?format=text`, "text/event-stream", 1)).type).toContain("text/plain")
})

test("what was sent to a WebSocket is counted in bytes", () => {
  expect(messages.size(["{}", "夜"])).toBe(5)
})
