import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { NEEDS } from "../../src/http/needed-rights.ts"
import { openAccessBeside } from "../../src/store/sqlite/open-tokens.ts"
import { RendererOutput } from "../renderer-output.ts"
import { start, type TestServer } from "../server.ts"
import { WebSocketReader } from "../websockets.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

// Each test sends many requests, and the machine may be busy.
setDefaultTimeout(180_000)

let server: TestServer
let mine = 0
let other = 0
let secret = ""
let admin: Record<string, string> = {}

beforeAll(async () => {
  server = await start()
  mine = await server.add({ song_id: 1, title: "mine" })
  other = await server.add({ song_id: 2, title: "other" })
  const boss = await tokenOf(server, "admin")
  secret = await tokenOf(server, "viewer", { item: mine })
  await known(server, secret)
  admin = bearer(boss)
})
afterAll(async () => server[Symbol.asyncDispose]())

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  server.api("GET", path, undefined, { ...bearer(secret), ...headers })

/** What a stream sends until its `live`, and then until an update with this message. */
async function said(path: string, message: string, headers: Record<string, string> = {}): Promise<string> {
  const stop = new AbortController()
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    headers: { ...bearer(secret), ...headers },
    signal: stop.signal,
  })
  const decoder = new TextDecoder()
  let text = ""
  let isTold = false
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (!isTold && text.includes("live")) {
      isTold = true
      await server.api("PUT", `/queue/${other}`, { message: `secret ${message}` }, admin)
      await server.api("PUT", `/queue/${mine}`, { message }, admin)
    }
    if (isTold && text.includes(message)) break
  }
  stop.abort()
  return text
}

/** Revokes the token that was created last. */
async function revokeLast(): Promise<void> {
  const beside = openAccessBeside(server.database)
  const tokens = await beside.access.tokens()
  await beside.access.revokeToken(tokens.at(-1)?.id ?? 0)
  beside.close()
}

test("a token for one item sees that item, and every other is unknown to it", async () => {
  expect((await get(`/queue/${mine}`)).status).toBe(200)
  expect((await get(`/queue/${mine}/updates`)).status).toBe(200)
  for (const path of [
    `/queue/${other}`,
    `/queue/${other}/updates`,
    `/progress/stream/${other}`,
    `/progress/ws/${other}`,
  ]) {
    const [refused, missing] = [await get(path), await get(path.replace(String(other), "999999"))]
    expect([path, refused.status]).toEqual([path, 404])
    const wordsOf = async (answer: Response): Promise<string> => {
      const { error }: { error: string } = await answer.json()
      return error.replace(/\d+/, "N")
    }
    expect(await wordsOf(refused)).toBe(await wordsOf(missing))
  }
})

/**
 * Everything in an answer by which a caller can tell it from another one. A stream is not read to its end.
 */
async function tellingOf(answer: Response, id: number): Promise<string> {
  const headers = [...answer.headers].filter(([name]) => name !== "date" && name !== "content-length")
  const isStream = /event-stream|ndjson/.test(answer.headers.get("content-type") ?? "")
  const text = isStream ? "" : (await answer.text()).replace(/"request_id":"[^"]*"/, "")
  return `${answer.status} ${JSON.stringify(headers)} ${text}`.replaceAll(new RegExp(`\\b${id}\\b`, "g"), "N")
}

test("no route reveals that another item exists, nor shows any of it", async () => {
  const missing = other + 900_000
  for (const route of Object.keys(NEEDS)) {
    const [method = "", path = ""] = route.split(" ")
    const ask = async (id: number): Promise<string> => {
      const asked = path.replace(/:id|:song_id/, String(id)).replace(/:\w+/, "ffmpeg")
      const stop = new AbortController()
      const headers = { ...bearer(secret), "content-type": "application/json", accept: "application/json" }
      const init = { method, headers, signal: stop.signal, ...(method !== "GET" && { body: "{}" }) }
      const telling = await tellingOf(await fetch(`${server.url}${asked}`, init), id)
      stop.abort()
      return telling
    }
    const told = await ask(other)
    if (/:id|:song_id/.test(path)) expect([route, told]).toEqual([route, await ask(missing)])
    expect([route, told.includes('"other"')]).toEqual([route, false])
  }
})

test("lists and filters show one item and no more; figures and changes are refused", async () => {
  for (const [query, count] of [
    ["", 1],
    ["?song_id=1", 1],
    ["?song_id=2", 0],
    ["?status=failed", 0],
    ["?q=mine", 1],
    ["?q=other", 0],
  ] as const) {
    const list: { queue: { id: number }[] } = await (await get(`/queue${query}`)).json()
    expect([query, list.queue.map(({ id }) => id)]).toEqual([query, count === 1 ? [mine] : []])
  }
  for (const path of ["/progress/stats", "/queue/next", "/webhooks/deliveries"]) {
    expect([path, (await get(path)).status]).toEqual([path, 403])
  }
  const change = await server.api("PUT", `/queue/${mine}`, { title: "x" }, bearer(secret))
  expect(change.status).toBe(403)
})

test("the list of a token for one item shows the item as it is shown alone, with the cause of its failure", async () => {
  await server.api("PUT", `/queue/${mine}`, { error_message: "no space left\nConversion failed!" }, admin)
  const alone = await (await get(`/queue/${mine}`)).json()
  expect(alone).toMatchObject({ error_cause: "no space left" })
  expect(await (await get("/queue")).json()).toEqual({ queue: [alone], next: null })
})

/** The event IDs of everything that happened to the one item. */
async function ownIds(): Promise<number[]> {
  const { updates }: { updates: { id: number }[] } = await (
    await server.api("GET", `/queue/${mine}/updates?limit=1000`, undefined, admin)
  ).json()
  return updates.map(({ id }) => id)
}

/** Every event ID that a stream has sent, in whatever form. */
const idsIn = (text: string): number[] =>
  [...text.matchAll(/(?:"last_event_id":|^id: |"id":|after update )"?(\d+)/gm)].map(([, id]) => Number(id))

test("whatever a request for a stream asks, the stream says nothing about another item", async () => {
  let count = 0
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("/progress/stream", `/progress/stream/${mine}`),
      fc.constantFrom("sse", "ndjson", "text"),
      fc.constantFrom(undefined, "0", "1", "2", "head", "999999", "nonsense"),
      fc.constantFrom("", "&snapshot=false"),
      fc.constantFrom("", `&ids=${mine},${other}`, "&song_id=1"),
      async (path, format, given, snapshot, filter) => {
        const newest: number = (await (await server.api("GET", "/progress/stats", undefined, admin)).json())
          .updates.newest_id
        const last = given === "head" ? String(newest) : given
        const message = `told ${(count += 1)}.`
        const narrowed = path.endsWith("stream") ? filter : ""
        const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": last }
        const text = await said(`${path}?format=${format}${snapshot}${narrowed}`, message, headers)
        expect(text).toContain(message)
        expect(text).not.toContain("secret")
        expect(text).not.toContain(`"queue_id":${other}`)
        expect(text).not.toContain("other")
        // Not even the number of other changes: event IDs count the updates of all items.
        const known = new Set([...(await ownIds()), Number(last)])
        expect(idsIn(text).filter((id) => !known.has(id))).toEqual([])
        expect(idsIn(text)).not.toEqual([])
      },
    ),
    { numRuns: 40 },
  )
})

test("a stream of one item resumes after the event ID of its `live`, and does not reveal which other event IDs exist", async () => {
  const first = await said("/progress/stream?snapshot=false", "before")
  const [live = -1] = idsIn(first)
  const again = await said("/progress/stream", "again", { "last-event-id": String(live) })
  expect(live).toBe((await ownIds()).at(-3) ?? 0)
  expect(again.match(/"before"/g)).toHaveLength(1)
  await server.api("PUT", `/queue/${other}`, { message: "secret" }, admin)
  for (const [further, isGap] of [
    [0, false],
    [1, true],
    [9, true],
  ] as const) {
    const last = ((await ownIds()).at(-1) ?? 0) + further
    const text = await said("/progress/stream", `tried ${last}`, { "last-event-id": String(last) })
    expect([last, text.includes('"reason":"unknown"')]).toEqual([last, isGap])
    await server.api("PUT", `/queue/${other}`, { message: "secret" }, admin)
  }
})

test("the board that curl draws shows the one item", async () => {
  const headers = { ...bearer(secret), accept: "text/plain", "user-agent": "script" }
  await server.api("PUT", `/queue/${other}`, { status: "processing" }, admin)
  const board = await (await fetch(`${server.url}/`, { headers })).text()
  expect(board).not.toContain("other")
  expect((await fetch(`${server.url}/`, { headers: { accept: "text/plain" } })).status).toBe(401)
})

test.each([
  ["of everything", () => "/progress/ws"],
  ["of the one item", () => `/progress/ws/${mine}`],
])("on a WebSocket %s the one item can be chosen, and no other exists", async (_what, path) => {
  const socket = await WebSocketReader.open(server.url, path(), bearer(secret))
  const has = (event: string) => (): boolean => socket.seen.some((said) => said["event"] === event)
  await socket.until(has("live"))
  socket.say({ subscribe: [other] })
  socket.say({ subscribe: [other + 900_000] })
  await socket.control("refused", 2)
  const refused = socket.seen.filter((said) => said["event"] === "refused")
  const [one, two] = refused.map(({ error }) => String(error).replace(/\d+/, "N"))
  expect(one).toBe(two ?? "")
  socket.say({ subscribe: [mine] })
  await socket.until(has("watching"))
  socket.leave()
  expect(socket.seen.find((said) => said["event"] === "refused")).toMatchObject({ code: "not_found" })
  expect(socket.seen.filter((said) => said["queue_id"] === other)).toEqual([])
  // The newest event ID of all items would show how much else happens.
  const [live] = socket.seen.filter((said) => said["event"] === "live")
  expect(live?.["last_event_id"]).toBe((await ownIds()).at(-1) ?? 0)
  // Of others alone it shows nothing, not even the one item.
  const nothing = await WebSocketReader.open(server.url, `/progress/ws?ids=${other}`, bearer(secret))
  await nothing.until(() => nothing.seen.some((said) => said["event"] === "live"))
  expect(nothing.seen.filter((said) => said["queue_id"] !== undefined)).toEqual([])
  nothing.leave()
})

test("streams, sockets and held requests of a revoked token end within a second", async () => {
  const held = await tokenOf(server, "operator")
  await known(server, held)
  const headers = bearer(held)
  const stream = await fetch(`${server.url}/api/v1/progress/stream`, { headers })
  const socket = await WebSocketReader.open(server.url, "/progress/ws", headers)
  const board = await fetch(`${server.url}/`, { headers: { ...headers, "user-agent": "curl/8" } })
  const waiting = server.api("GET", `/queue/${mine}?wait=finished&timeout=60`, undefined, headers)
  const other_ = await fetch(`${server.url}/api/v1/progress/stream`, { headers: admin })
  await revokeLast()
  const startedMs = performance.now()
  await stream.text()
  expect(await socket.closed).toEqual({ code: 1008, reason: "the token was revoked or has expired" })
  expect(await board.text()).toContain("the token was revoked or has expired")
  expect((await waiting).status).toBe(401)
  expect(performance.now() - startedMs).toBeLessThan(5000)
  expect([401, 429]).toContain((await server.api("GET", "/queue", undefined, headers)).status)
  const reader = other_.body?.getReader()
  expect((await reader?.read())?.done).toBeFalse()
  await reader?.cancel()
})

/** A body whose rest comes once `send` is called; `begun` resolves when its beginning was read. */
function inTwo(text: string) {
  const [begun, sent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(Buffer.from(text.slice(0, 4)))
      begun.resolve()
      await sent.promise
      controller.enqueue(Buffer.from(text.slice(4)))
      controller.close()
    },
  })
  return { body, begun: begun.promise, send: sent.resolve }
}

test("a change whose body comes only after its token was revoked is refused", async () => {
  const operator = await tokenOf(server, "operator")
  await known(server, operator)
  const { body, begun, send } = inTwo('{"song_id":9}')
  const headers = { ...bearer(operator), "content-type": "application/json" }
  const adding = fetch(`${server.url}/api/v1/queue`, { method: "POST", headers, body })
  await begun
  const held = server.api("GET", `/queue/${mine}?wait=finished&timeout=60`, undefined, bearer(operator))
  await revokeLast()
  expect((await held).status).toBe(401)
  send()
  const refused = await adding
  expect(refused.status).toBe(401)
  expect(await refused.json()).toMatchObject({ error: "the token was revoked or has expired" })
})

/** ffmpeg's output after this many seconds of its result. */
const reached = (seconds: number): string => `out_time_us=${seconds * 1e6}\nprogress=continue\n`

test("an output that is sent with a token but no lease ends within a second of the revocation, and one with a lease goes on", async () => {
  const worker = await tokenOf(server, "worker")
  await known(server, worker)
  const headers = bearer(worker)
  const add = async (): Promise<number> =>
    (await (await server.api("POST", "/queue", { song_id: 4 }, admin)).json()).id
  const [free, leased] = [await add(), await add()]
  const claim = await server.api("POST", "/queue/claim", { worker: "w", id: leased }, headers)
  const { lease }: { lease: { token: string } } = await claim.json()
  const path = `/api/v1/queue/${free}/ingest/ffmpeg?total=10`
  const { ticket }: { ticket: string } = await (
    await server.api("POST", "/tickets", { path }, headers)
  ).json()
  const byToken = new RendererOutput(server.url, free, "ffmpeg?total=10", headers)
  const byTicket = new RendererOutput(server.url, free, `ffmpeg?total=10&ticket=${ticket}`)
  const byLease = new RendererOutput(server.url, leased, "ffmpeg?total=10", { lease: lease.token })
  for (const output of [byToken, byTicket, byLease]) await output.write(reached(1))
  const progressOf = async (id: number): Promise<number> =>
    (await (await server.api("GET", `/queue/${id}`, undefined, admin)).json()).progress
  while ((await progressOf(free)) < 10 || (await progressOf(leased)) < 10);
  await revokeLast()
  const startedMs = performance.now()
  for (const output of [byToken, byTicket]) expect((await output.answer).status).toBe(401)
  expect(performance.now() - startedMs).toBeLessThan(5000)
  await byLease.write(reached(2))
  expect(await byLease.end()).toMatchObject({ status: 200, item: { progress: 20 } })
})

test("streams that were opened without a token end within a second of the first token, and renders go on", async () => {
  await using house = await start()
  const [free, leased] = [await house.add({ song_id: 4 }), await house.add({ song_id: 5 })]
  const taken = await house.api("POST", "/queue/claim", { worker: "w", id: leased })
  const { lease }: { lease: { token: string } } = await taken.json()
  const output = new RendererOutput(house.url, free, "ffmpeg?total=10")
  await output.write(reached(1))
  while ((await (await house.api("GET", `/queue/${free}`)).json()).progress < 10);
  const stream = await fetch(`${house.url}/api/v1/progress/stream`)
  const socket = await WebSocketReader.open(house.url, "/progress/ws")
  const board = await fetch(`${house.url}/`, { headers: { "user-agent": "curl/8" } })
  const followed = await fetch(`${house.url}/api/v1/queue/${leased}/output?follow=true&format=sse`)
  const waiting = house.api("GET", `/queue/${free}?wait=finished&timeout=60`)
  const claiming = house.api("POST", "/queue/claim", { worker: "w", wait: 60 })
  const first = await tokenOf(house, "admin")
  const startedMs = performance.now()
  await Promise.all([stream.text(), followed.text()])
  const needed = "this server needs a token since one was created"
  expect(await socket.closed).toEqual({ code: 1008, reason: needed })
  expect(await board.text()).toContain(needed)
  for (const held of [waiting, claiming]) expect((await held).status).toBe(401)
  expect(performance.now() - startedMs).toBeLessThan(5000)
  expect((await house.api("GET", "/queue", undefined, bearer(first))).status).toBe(200)
  await output.write(reached(2))
  expect(await output.end()).toMatchObject({ status: 200, item: { progress: 20 } })
  const done = await house.api("POST", `/queue/${leased}/complete`, {}, { lease: lease.token })
  expect(done.status).toBe(200)
})

test("a render whose token is revoked goes on to its verdict by its lease", async () => {
  const worker = await tokenOf(server, "worker")
  await known(server, worker)
  const id: number = (await (await server.api("POST", "/queue", { song_id: 3 }, bearer(worker))).json()).id
  const claim = await server.api("POST", "/queue/claim", { worker: "w", id }, bearer(worker))
  const { lease }: { lease: { token: string } } = await claim.json()
  // As `work` does it: with the token that it still has, too.
  const headers = { lease: lease.token, ...bearer(worker), "content-type": "application/json" }
  const { body, begun, send } = inTwo('{"progress":20}')
  const late = fetch(`${server.url}/api/v1/queue/${id}/progress`, { method: "POST", headers, body })
  await begun
  const held = server.api("GET", `/queue/${id}?wait=finished&timeout=60`, undefined, bearer(worker))
  await revokeLast()
  expect((await held).status).toBe(401)
  send()
  expect((await late).status).toBe(200)
  expect((await server.api("POST", `/queue/${id}/progress`, { progress: 50 }, headers)).status).toBe(200)
  expect((await server.api("POST", `/queue/${id}/complete`, {}, headers)).status).toBe(200)
  const claimAgain = await server.api("POST", "/queue/claim", { worker: "w" }, bearer(worker))
  // 429 after many bad tokens from this address.
  expect([401, 429]).toContain(claimAgain.status)
})
