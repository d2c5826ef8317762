import { expect, test } from "bun:test"

import { createParser } from "eventsource-parser"
import fc from "fast-check"

import { Reader, type Seen } from "../reader.ts"
import { start, type TestServer } from "../server.ts"

const STREAM = "/api/v1/progress/stream"
const RUNS = { numRuns: 150 }

/** Characters that could end a line, forge a field or a frame, or control a terminal. */
const PIECES = [
  [
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\r\r",
    "\u2028",
    "\u2029",
    "\u0085",
    "\u000b",
    "\u000c",
    "\t",
    "\b",
    "\u007f",
  ],
  ["data:", "data: {}", "id: 1", "id:", "event: live", "event: end\n", "retry: 1", ":", "\n\ndata: x\n\n"],
  ["\u001b[31m", "\u001b[2J", "\u001b]0;title\u0007", "\u009b31m", "\u0090", "\u001b"],
  ["\u202e", "\u2066", "\u2069", "\u200f", "\u061c", "\u200b", "\ufeff"],
  ["😀", "👨‍👩‍👧", "é", "ﷺ", "𐍈", "ｆｕｌｌ", "\u0301", "\ud7ff", "\ue000", "\uffff"],
  [
    '"',
    "\\",
    "\\n",
    "\\u0000",
    "</script>",
    "%00",
    "%0a",
    "0\r\n\r\n",
    "{",
    "}",
    "null",
    "'; DROP TABLE updates; --",
  ],
].flat()

const anyText = fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\0", ""))
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), anyText), { maxLength: 40 })
  .map((pieces) => pieces.join(""))
const change = fc.record({ message: hostile, current_step: hostile, error_message: hostile, title: hostile })

interface Change {
  readonly message: string
  readonly current_step: string
  readonly error_message: string
  readonly title: string
}

/** What an update says about a change: an empty title or error is left out. */
const told = ({ message, current_step, error_message, title }: Change): object => ({
  message,
  current_step,
  ...(error_message !== "" && { error_message }),
  ...(title !== "" && { title }),
})

const said = ({ data: { message, current_step, error_message, title } }: Pick<Seen, "data">): object => ({
  message,
  current_step,
  ...(error_message !== undefined && { error_message }),
  ...(title !== undefined && { title }),
})

/** Reads the lines of a stream that is no event stream. */
async function lineReader(server: TestServer, query: string) {
  const abort = new AbortController()
  const answer = await fetch(`${server.url}${STREAM}?${query}`, { signal: abort.signal })
  const body = answer.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  let rest = ""
  return {
    /** The next whole line; nothing but LF ends one. */
    async line(): Promise<string> {
      while (!rest.includes("\n")) rest += (await body?.next())?.value ?? "\nthe stream ended"
      const end = rest.indexOf("\n")
      const line = rest.slice(0, end)
      rest = rest.slice(end + 1)
      return line
    },
    leave: () => abort.abort(),
  }
}

test("hostile text comes back equal through an event stream, and forges nothing", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await Reader.open(server.url + STREAM)
  await reader.first("live")
  let events = reader.seen.length
  await fc.assert(
    fc.asyncProperty(change, async (given) => {
      await server.put(id, given)
      events += 1
      await reader.until(({ length }) => length >= events)
      const update = reader.seen.at(-1)
      expect(reader.seen).toHaveLength(events)
      // Before these there was one update for the new item, and one `live`.
      expect(update).toMatchObject({ id: events - 1, event: "message", data: { queue_id: id } })
      expect(said(update ?? { data: {} })).toEqual(told(given))
    }),
    RUNS,
  )
  // However the bytes are cut on their way, the events are the same.
  const { raw } = reader
  fc.assert(
    fc.property(fc.array(fc.nat(raw.length), { maxLength: 200 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), raw.length]
      const found: unknown[] = []
      const parser = createParser({ onEvent: ({ data }) => found.push(JSON.parse(data)) })
      for (let i = 1; i < at.length; i += 1) parser.feed(raw.slice(at[i - 1], at[i]))
      expect(found).toEqual(reader.seen.map(({ data }) => data))
    }),
    { numRuns: 20 },
  )
  reader.leave()
}, 180_000)

test("hostile text comes back equal in a replay, a snapshot and the history", async () => {
  await using server = await start()
  await fc.assert(
    fc.asyncProperty(change, async (given) => {
      const id = await server.add({ song_id: 1, title: given.title })
      await server.put(id, given)
      const replay = await Reader.open(`${server.url}${STREAM}/${id}?last_event_id=0`)
      const snapshot = await Reader.open(`${server.url}${STREAM}/${id}`)
      await Promise.all([replay.first("live"), snapshot.first("live")])
      expect(replay.updates).toHaveLength(2)
      expect(said(replay.updates[1] ?? { data: {} })).toEqual(told(given))
      expect(snapshot.updates).toEqual(replay.updates.slice(1))
      const answer = await server.api("GET", `/queue/${id}/updates`)
      const { updates }: { updates: Record<string, unknown>[] } = await answer.json()
      expect(said({ data: updates[1] ?? {} })).toEqual(told(given))
      replay.leave()
      snapshot.leave()
    }),
    { numRuns: 50 },
  )
}, 180_000)

test("hostile text comes back equal in ndjson, one line an update", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await lineReader(server, "format=ndjson&snapshot=false")
  expect(JSON.parse(await reader.line())).toMatchObject({ event: "live" })
  let last = 1
  await fc.assert(
    fc.asyncProperty(change, async (given) => {
      await server.put(id, given)
      last += 1
      const data: Record<string, unknown> = JSON.parse(await reader.line())
      expect(data).toMatchObject({ id: last, queue_id: id })
      expect(said({ data })).toEqual(told(given))
    }),
    RUNS,
  )
  reader.leave()
}, 180_000)

test("hostile text is one line of text, without anything that steers a terminal", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await lineReader(server, "format=text&snapshot=false")
  expect(await reader.line()).toStartWith("# live")
  await fc.assert(
    fc.asyncProperty(change, async (given) => {
      await server.put(id, given)
      const line = await reader.line()
      expect(line).toMatch(/^\d\d:\d\d:\d\d #1/)
      // Cc: control characters; Zl and Zp: line and paragraph separators.
      expect(line).not.toMatch(/\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u)
    }),
    RUNS,
  )
  reader.leave()
}, 180_000)

test("a hostile last event ID gets a gap, and is repeated without harm", async () => {
  await using server = await start()
  await server.add()
  await fc.assert(
    fc.asyncProperty(
      hostile.filter((text) => text !== "" && !/^(0|1)$/.test(text)),
      async (given) => {
        const query = `last_event_id=${encodeURIComponent(given)}`
        const reader = await Reader.open(`${server.url}${STREAM}?${query}`)
        await reader.first("live")
        expect(reader.seen.map(({ event }) => event)).toEqual(["gap", "message", "live"])
        expect(reader.seen[0]?.data["reason"]).toBe("unknown")
        reader.leave()
      },
    ),
    { numRuns: 60 },
  )
}, 180_000)

test("text with NUL or half a character is refused and leaves no update", async () => {
  await using server = await start()
  const id = await server.add()
  const spoiled = fc.tuple(hostile, fc.constantFrom("\0", "\ud800", "\udfff", "\ude00\ud83d"), anyText)
  await fc.assert(
    fc.asyncProperty(spoiled, fc.constantFrom("message", "title", "metadata"), async (pieces, key) => {
      const text = pieces.join("")
      const value = key === "metadata" ? { deep: [text] } : text
      const answer = await server.api("PUT", `/queue/${id}`, { [key]: value })
      expect(answer.status).toBe(422)
      await answer.arrayBuffer()
    }),
    { numRuns: 60 },
  )
  const { updates }: { updates: object[] } = await (await server.api("GET", `/queue/${id}/updates`)).json()
  expect(updates).toHaveLength(1)
}, 180_000)

test("metadata of any shape comes back equal", async () => {
  await using server = await start()
  const id = await server.add()
  const object = fc.dictionary(hostile, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 8 })
  const wellFormed = object.filter((value) => !/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value)))
  await fc.assert(
    fc.asyncProperty(wellFormed, async (metadata) => {
      const answer = await server.api("PUT", `/queue/${id}`, { metadata })
      const changed: { metadata: unknown } = await answer.json()
      expect(answer.status).toBe(200)
      const stored: { metadata: unknown } = await (await server.api("GET", `/queue/${id}`)).json()
      const sent: unknown = JSON.parse(JSON.stringify(metadata))
      expect(changed.metadata).toEqual(sent)
      expect(stored.metadata).toEqual(sent)
    }),
    { numRuns: 100 },
  )
}, 180_000)

test("no answer of the API holds a character that steers a terminal, and each is the same text when it is read", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1, metadata: { "\u009b2J": "\u202e" } })
  const message = "\u009b31m\u0090\u007f\u202eabc\u2066\u200f\u061c"
  await server.put(id, { message, title: message })
  const paths = [`/queue/${id}`, "/queue", "/queue/next", `/queue/${id}/updates`, `/queue/${message}`]
  for (const path of paths) {
    const text = await (await server.api("GET", path)).text()
    expect(text).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u)
    if (path !== paths.at(-1))
      expect(JSON.stringify(JSON.parse(text))).toContain(JSON.stringify(message).slice(1, -1))
  }
  expect(JSON.parse(await (await server.api("GET", `/queue/${id}`)).text())).toMatchObject({
    message,
    title: message,
    metadata: { "\u009b2J": "\u202e" },
  })
  const refused = await server.api("PUT", `/queue/${id}`, { "\u009b2J": 1 })
  expect([refused.status, await refused.text()]).toEqual([422, expect.not.stringContaining("\u009b")])
})
