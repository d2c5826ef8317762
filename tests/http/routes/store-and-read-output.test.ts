import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { request } from "node:http"

import { openAccessBeside } from "../../../src/store/sqlite/open-tokens.ts"
import { raw } from "../../raw.ts"
import { Reader } from "../../reader.ts"
import { invalid, Refusals } from "../../refusals.ts"
import { RendererOutput } from "../../renderer-output.ts"
import { start } from "../../server.ts"
import { Attempt, attempt, claim, itemOnce } from "../../worker.ts"
import { bearer, known, tokenOf } from "../tokens.ts"

setDefaultTimeout(180_000)

const server = await start({ args: ["--keep-output-kb", "64"] })
afterAll(() => server[Symbol.asyncDispose]())

/** The answer to a worker's request to store output. */
interface Stored {
  readonly attempt?: number
  readonly end?: number
  readonly code?: string
}

/** Sends output as a worker does. */
async function print(
  { id, lease, server: to }: Attempt,
  text: string | Uint8Array<ArrayBuffer>,
  query = "",
): Promise<Stored & { status: number }> {
  const url = `${to.url}/api/v1/queue/${id}/output${query}`
  const answer = await fetch(url, { method: "POST", body: text, headers: { lease: lease.token } })
  const body: Stored = await answer.json()
  return { status: answer.status, ...body }
}

/** Claims an item that has been rendered before. */
async function claimed(id: number): Promise<Attempt> {
  const taken = await claim(server, { id })
  if (!taken) throw new Error(`queue item ${id} was not claimed`)
  return taken
}

const read = async (id: number, query = "", at = server, headers = {}): Promise<string> => {
  const answer = await at.api("GET", `/queue/${id}/output${query}`, undefined, headers)
  expect(answer.status).toBe(200)
  return answer.text()
}

test("the output that a worker sends is stored as text that cannot control a terminal, and causes no update", async () => {
  const work = await attempt(server)
  const head = await server.head()
  expect(await print(work, "\u001b[31mone\u001b[0m\r\n 10%\r 20%\r100%\ntwo \u202e\u0007\n")).toMatchObject({
    status: 200,
    attempt: 1,
  })
  const answer = await server.api("GET", `/queue/${work.id}/output`)
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8")
  expect(answer.headers.get("access-control-allow-origin")).toBe("*")
  expect(answer.headers.get("cache-control")).toBe("no-store, no-transform")
  expect(await answer.text()).toBe("one\n100%\ntwo \ufffd\ufffd\n")
  expect(await server.head()).toBe(head)
  expect(
    await raw(
      server.url,
      `HEAD /api/v1/queue/${work.id}/output?follow=true HTTP/1.1\r\nHost: x.localhost\r\nConnection: close\r\n\r\n`,
    ),
  ).toStartWith("HTTP/1.1 200")
})

test("a request that is repeated stores nothing twice, one without an offset goes on, and a hole is reported", async () => {
  const work = await attempt(server)
  expect(await print(work, "one\n", "?attempt=1&offset=0")).toMatchObject({ attempt: 1, end: 4 })
  expect(await print(work, "one\n", "?attempt=1&offset=0")).toMatchObject({ end: 4 })
  expect(await print(work, "one\ntwo\n", "?offset=0")).toMatchObject({ end: 8 })
  expect(await print(work, "")).toMatchObject({ status: 200, end: 8 })
  expect(await print(work, "three\n")).toMatchObject({ end: 14 })
  expect(await print(work, "later\n", "?offset=1248")).toMatchObject({ end: 1254 })
  expect(await read(work.id, "?after=0")).toBe("one\ntwo\nthree\n[1,234 bytes are not kept]\nlater\n")
  expect(await read(work.id, "?after=8")).toBe("three\n[1,234 bytes are not kept]\nlater\n")
  expect(await read(work.id, "?after=1254")).toBe("")
})

test("the last of each attempt is kept, and each attempt has its own", async () => {
  const work = await attempt(server, { max_attempts: 3 })
  const line = `${"x".repeat(99)}\n`
  await print(work, line.repeat(1000))
  const kept = await read(work.id)
  expect(kept.length).toBeGreaterThan(64 * 1024)
  expect(kept.length).toBeLessThan(84 * 1024)
  expect(kept).toMatch(/^\[\d\d,\d{3} bytes are not kept\]\nx/)
  await work.say("fail", { error_message: "broken", retry_in: 0 })
  // The last words may come after the verdict.
  expect(await print(work, "last words\n")).toMatchObject({ status: 200, attempt: 1 })
  const again = await claimed(work.id)
  expect(again.item.attempt).toBe(2)
  expect(await print(work, "too late\n")).toMatchObject({ status: 409, code: "lease_lost" })
  expect(await print(again, "wrong\n", "?attempt=1")).toMatchObject({ status: 409, code: "illegal_move" })
  await print(again, "second\n")
  expect(await read(work.id)).toBe("second\n")
  expect(await read(work.id, "?attempt=2")).toBe("second\n")
  expect(await read(work.id, "?attempt=1")).toEndWith("\nlast words\n")
})

test("of output without an offset only the shown text counts, and not text that was drawn over", async () => {
  const small = await attempt(server)
  expect(await print(small, "begin\n10%\r20%\rdone\n")).toMatchObject({ end: 11 })
  expect(await print(small, "on\n")).toMatchObject({ end: 14 })
  expect(await read(small.id)).toBe("begin\ndone\non\n")
})

test("a line is followed within a second, as text and as events, and a reader that comes back goes on", async () => {
  const work = await attempt(server)
  await print(work, "first\n")
  const text = await fetch(`${server.url}/api/v1/queue/${work.id}/output?follow=true`)
  const sse = `${server.url}/api/v1/queue/${work.id}/output?follow=true&format=sse`
  const reader = await Reader.open(sse)
  await reader.until((seen) => seen.length === 1)
  const tookMs: number[] = []
  for (const [at, line] of ["second\n", "third\n", "fourth\n"].entries()) {
    const sentMs = performance.now()
    await print(work, line)
    await reader.until((seen) => seen.length === at + 2)
    tookMs.push(performance.now() - sentMs)
  }
  // Not every line: the machine may be busy with something else for a while.
  expect(Math.min(...tookMs)).toBeLessThan(1000)
  const [, second] = reader.seen
  expect(second?.data).toEqual({ attempt: 1, from: 6, to: 13, missing: 0, text: "second\n" })
  const resumed = await Reader.open(sse, { "last-event-id": "1-6" })
  await resumed.until((seen) => seen.length === 3)
  expect(resumed.seen[0]?.data["text"]).toBe("second\n")
  await work.say("complete", {})
  expect((await reader.first("end")).data).toEqual({ attempt: 1, status: "completed", outcome: "completed" })
  expect(await reader.ended).toBe(true)
  expect(await resumed.ended).toBe(true)
  expect(await text.text()).toBe("first\nsecond\nthird\nfourth\n")
})

test("a request that ends is answered at once, not after the time in which more is gathered", async () => {
  const work = await attempt(server)
  const tookMs: number[] = []
  for (let i = 0; i < 8; i += 1) {
    const startedMs = performance.now()
    await print(work, "line\n")
    tookMs.push(performance.now() - startedMs)
  }
  expect(Math.min(...tookMs)).toBeLessThan(150)
})

test("output that is sent as it is printed is seen while it comes", async () => {
  const work = await attempt(server)
  const stream = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>()
  const writer = stream.writable.getWriter()
  const answer = fetch(`${server.url}/api/v1/queue/${work.id}/output`, {
    method: "POST",
    body: stream.readable,
    headers: { lease: work.lease.token },
  })
  const reader = await Reader.open(`${server.url}/api/v1/queue/${work.id}/output?follow=true&format=sse`)
  await writer.write(new TextEncoder().encode("one\ntw"))
  await reader.until((seen) => seen.length === 1)
  expect(reader.seen[0]?.data["text"]).toBe("one\n")
  await writer.write(new TextEncoder().encode("o"))
  await writer.close()
  expect(await (await answer).json()).toEqual({ attempt: 1, end: 7 })
  expect(await read(work.id)).toBe("one\ntwo")
})

test("the output of a sender that goes away is stored, and this is no fault of the server", async () => {
  const work = await attempt(server)
  const { hostname, port } = new URL(server.url)
  const head = `POST /api/v1/queue/${work.id}/output HTTP/1.1\r\nHost: x.localhost\r\nLease: ${work.lease.token}\r\nTransfer-Encoding: chunked\r\n\r\n`
  const socket = await Bun.connect({ hostname, port: Number(port), socket: { data: () => undefined } })
  socket.write(`${head}a\r\none\nno end\r\n`)
  const reader = await Reader.open(`${server.url}/api/v1/queue/${work.id}/output?follow=true&format=sse`)
  await reader.until((seen) => seen.length === 1)
  socket.end()
  await reader.until((seen) => seen.length === 2)
  expect(await read(work.id)).toBe("one\nno end")
  expect(server.log).not.toContain("a request failed")
})

test("followed without an attempt it goes on with the next one, and ends when the item is finished", async () => {
  const work = await attempt(server, { max_attempts: 2 })
  // In a text, not even the head of the answer comes before something was printed.
  const answer = fetch(`${server.url}/api/v1/queue/${work.id}/output?follow=true`)
  const one = fetch(`${server.url}/api/v1/queue/${work.id}/output?follow=true&attempt=1`)
  await print(work, "first\n")
  await work.say("fail", { error_message: "broken", retry_in: 0 })
  expect(await (await one).text()).toBe("first\n")
  const again = await claimed(work.id)
  await print(again, "second\n")
  await again.say("complete", {})
  expect(await (await answer).text()).toBe("first\n[attempt 2]\nsecond\n")
})

test("a reader whose place is in one attempt gets all of another attempt that it asks for", async () => {
  const work = await attempt(server, { max_attempts: 2 })
  await print(work, "first, and longer\n")
  await work.say("fail", { error_message: "broken", retry_in: 0 })
  const again = await claimed(work.id)
  await print(again, "second\n")
  await print(again, "third\n")
  const url = `${server.url}/api/v1/queue/${work.id}/output`
  const read = async (query: string, place: string): Promise<string> =>
    (await fetch(`${url}${query}`, { headers: { "last-event-id": place } })).text()
  expect(await read("?attempt=1&follow=true", "2-7")).toBe("first, and longer\n")
  expect(await read("?attempt=2", "1-7")).toBe("second\nthird\n")
  expect(await read("?attempt=2", "2-7")).toBe("third\n")
})

test("after a retry the new attempt has an output of its own, also for followers", async () => {
  const work = await attempt(server, { max_attempts: 1 })
  await print(work, "before\n")
  await work.say("fail", { error_message: "broken" })
  await server.api("POST", `/queue/${work.id}/retry`)
  expect(await read(work.id)).toBe("")
  expect((await server.api("GET", `/queue/${work.id}/output?attempt=1`)).status).toBe(404)
  const again = await claimed(work.id)
  expect(await read(work.id)).toBe("")
  await print(again, "again\n", "?offset=0")
  expect(await read(work.id)).toBe("again\n")
  // A place from before means nothing any more.
  expect(await read(work.id, "?after=7")).toBe("again\n")
  const [, place = ""] = /^id: (.+)$/m.exec(await read(work.id, "?format=sse")) ?? []
  await again.say("fail", { error_message: "broken" })
  await server.api("POST", `/queue/${work.id}/retry`)
  const last = await claimed(work.id)
  await print(last, "third\n", "?offset=0")
  await print(last, "and more\n", "?offset=6")
  expect(await read(work.id, "", server, { "last-event-id": place })).toBe("third\nand more\n")
})

test("ingest stores the output that it gets, with and without a lease", async () => {
  const id = await server.add({ song_id: 1, tags: ["by itself"] })
  const free = new RendererOutput(server.url, id, "lines")
  await free.write("Image 1 of 4\n")
  await itemOnce(server, id, ({ message }) => message === "Image 1 of 4")
  await free.write("Image 2 of 4\nno end")
  await free.end()
  expect(await read(id)).toBe("Image 1 of 4\nImage 2 of 4\nno end")
  // Also for an item under way, before any of its output is progress.
  const started = await server.add({ song_id: 1, tags: ["by itself"] })
  await server.put(started, { status: "processing" })
  const words = new RendererOutput(server.url, started, "lines")
  await words.write("no progress\n")
  await words.end()
  expect(await read(started)).toBe("no progress\n")
  const work = await attempt(server)
  const leased = new RendererOutput(server.url, work.id, "lines", { lease: work.lease.token })
  await leased.write("Image 1 of 4\n")
  await leased.end()
  expect(await read(work.id)).toBe("Image 1 of 4\n")
})

test("the output of a song is that of its item that was started last", async () => {
  const song = 4711
  expect((await server.api("GET", `/songs/${song}/output`)).status).toBe(404)
  const first = await attempt(server, { song_id: song })
  await print(first, "first\n")
  await first.say("complete", {})
  const second = await attempt(server, { song_id: song })
  await print(second, "second\n")
  await server.add({ song_id: song, tags: ["waits"] })
  expect(await (await server.api("GET", `/songs/${song}/output`)).text()).toBe("second\n")
})

test("an invalid lease, and an item that never existed, are refused before anything is printed", async () => {
  const { id } = await attempt(server)
  const headers = { lease: "nobody's", "transfer-encoding": "chunked" }
  for (const [item, refusal] of [
    [id, 409],
    [987654, 404],
  ] as const) {
    const url = `${server.url}/api/v1/queue/${item}/output`
    const sent = request(url, { method: "POST", headers, agent: false })
    sent.flushHeaders()
    const status = await new Promise((resolve, reject) => {
      sent.on("error", reject).on("response", (answer) => resolve(answer.statusCode))
    })
    sent.destroy()
    expect([item, status]).toEqual([item, refusal])
  }
})

const refused = await attempt(server)
const refusals = new Refusals(server, refused.id)
const POST = { method: "POST", body: "x", headers: { lease: refused.lease.token } }
const OUTPUT = `/queue/${refused.id}/output`

test.each([
  [OUTPUT, { method: "POST", body: "x" }, invalid("the lease is missing: send the header Lease or ?lease=")],
  [
    `${OUTPUT}?offset=-1`,
    POST,
    invalid(
      "offset must be the position of the first byte in what was printed; by default after what is stored, not -1",
    ),
  ],
  [`${OUTPUT}?follow=yes`, {}, invalid('follow must be one of true, false, not "yes"')],
  [`${OUTPUT}?format=html`, {}, invalid('format must be one of text, sse, not "html"')],
  [
    `${OUTPUT}?attempt=9`,
    {},
    {
      status: 404,
      code: "not_found",
      error: `attempt 9 of queue item ${refused.id} has not begun; it has had 1`,
    },
  ],
  ["/queue/987654/output", {}, { status: 404, code: "not_found", error: "queue item 987654 does not exist" }],
  [
    "/queue/987654/output",
    POST,
    { status: 404, code: "not_found", error: "queue item 987654 does not exist" },
  ],
])("%s %j is refused", async (path, request, wanted) => {
  await refusals.expect(path, request, wanted)
})

test("a lease that is not the item's stores nothing", async () => {
  const work = await attempt(server)
  const other = new Attempt(server, { ...work, lease: { ...work.lease, token: "wrong" } })
  expect(await print(other, "wrong\n")).toMatchObject({ status: 409, code: "lease_lost" })
  expect(await read(work.id)).toBe("")
})

test("the output of a deleted item cannot be read, and its worker is asked to stop", async () => {
  const work = await attempt(server)
  await print(work, "gone\n")
  const follower = await fetch(`${server.url}/api/v1/queue/${work.id}/output?follow=true`)
  await server.api("DELETE", `/queue/${work.id}`)
  expect((await server.api("GET", `/queue/${work.id}/output`)).status).toBe(404)
  expect(await print(work, "more\n")).toMatchObject({ status: 410, code: "gone" })
  expect(await follower.text()).toBe("gone\n")
})

test("output outlives a restart, and its followers hear of the stop", async () => {
  await using before = await start()
  const work = await attempt(before)
  await print(work, "kept\n")
  const path = `/api/v1/queue/${work.id}/output?follow=true&format=sse`
  const reader = await Reader.open(`${before.url}${path}`)
  await reader.until((seen) => seen.length === 1)
  expect(await before.end("SIGTERM")).toBe(0)
  expect(await reader.ended).toBe(true)
  expect(reader.seen.at(-1)?.event).toBe("shutdown")
  await using after = await start({ database: before.database, args: ["--keep-output-kb", "0"] })
  expect(await read(work.id, "", after)).toBe("kept\n")
  // A server that stores no output accepts it nevertheless.
  const own = await attempt(after)
  expect(await print(own, "not kept\n", "?offset=0")).toMatchObject({ status: 200, end: 9 })
  expect(await read(own.id, "", after)).toBe("")
})

test("viewers read output, a token for one item reads only that item's output, and only a lease writes it", async () => {
  await using own = await start({ args: ["--held-per-client", "3"] })
  const [mine, other] = [await attempt(own, { song_id: 1 }), await attempt(own, { song_id: 2 })]
  await print(mine, "mine\n")
  await print(other, "other\n")
  const secret = await tokenOf(own, "viewer", { item: mine.id })
  const viewer = bearer(await tokenOf(own, "viewer"))
  await known(own, secret)
  const get = (path: string, headers: Record<string, string>): Promise<Response> =>
    own.api("GET", path, undefined, headers)
  const bound = bearer(secret)
  expect(await (await get(`/queue/${mine.id}/output`, bound)).text()).toBe("mine\n")
  expect(await (await get("/songs/1/output", bound)).text()).toBe("mine\n")
  for (const path of [
    `/queue/${other.id}/output`,
    `/queue/${other.id}/output?follow=true`,
    "/songs/2/output",
  ])
    expect((await get(path, bound)).status).toBe(404)
  expect(await (await get(`/queue/${other.id}/output`, viewer)).text()).toBe("other\n")
  expect((await get(`/queue/${mine.id}/output`, {})).status).toBe(401)
  // For an EventSource, which can send no header.
  const path = `/api/v1/queue/${mine.id}/output?follow=true&format=sse`
  const given = await own.api("POST", "/tickets", { path }, viewer)
  const { ticket }: { ticket: string } = await given.json()
  const reader = await Reader.open(`${own.url}${path}&ticket=${ticket}`)
  await reader.until((seen) => seen.length === 1)
  expect(await print(mine, "more\n")).toMatchObject({ status: 200 })
  const write = await own.api("POST", `/queue/${mine.id}/output`, undefined, viewer)
  expect(write.status).toBe(403)
  // Followers are counted, and give up their places when they leave.
  const follow = (format: string): Promise<Reader> =>
    Reader.open(`${own.url}/api/v1/queue/${mine.id}/output?follow=true&format=${format}`, viewer)
  const others = [await follow("sse"), await follow("text")]
  const fourth = await follow("sse")
  expect(fourth.answer.status).toBe(429)
  for (const other of others) other.leave()
  while ((await get(`/queue/${mine.id}/output?follow=true`, viewer)).status === 429);
  // A caller that may no longer watch gets no more.
  const beside = openAccessBeside(own.database)
  await beside.access.revokeToken((await beside.access.tokens()).at(-1)?.id ?? 0)
  beside.close()
  expect(await Promise.race([reader.ended.then(() => "over"), Bun.sleep(20_000)])).toBe("over")
})
