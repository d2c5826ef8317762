import { expect, jest, spyOn, test } from "bun:test"

import type { Authorizer } from "../../src/access/authorize.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"
import { compressedJson } from "../../src/http/compressed-json.ts"
import type { OutputEvent } from "../../src/queue/output.ts"
import { UNPROTECTED } from "./unprotected.ts"

/**
 * An app with these parts, the bytes that it charges a client for, and how it answers a path. The client has
 * four units for each of `perSecond`, and gets no more; for each of `held` it may leave 256 KiB unread.
 */
function charging(
  some: Partial<Record<keyof AppParts, unknown>>,
  perSecond = 1000,
  item?: number,
  held = 100,
) {
  const limits = new ClientLimits({
    ...{ perAddress: perSecond, perToken: 1000, perLease: 1000, held },
    steadyMs: () => 0,
  })
  const charge = spyOn(limits, "charge")
  const caller = { role: "admin", token: undefined, client: "someone", ended: undefined, item }
  const authorizer: unknown = { caller: () => caller, unknownCaller: () => caller }
  const known = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const streams = { count: 0 }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...known,
    ...UNPROTECTED,
    authorizer: authorizer as Authorizer,
    tickets: {},
    limits,
    streams,
    ...some,
  }
  const app = createApp(parts as AppParts)
  const statuses = async (times: number, path: string, init?: RequestInit): Promise<number[]> => {
    const found: number[] = []
    for (let i = 0; i < times; i += 1) {
      found.push((await app.handle(new Request(`http://127.0.0.1${path}`, init))).status)
    }
    return found
  }
  return {
    statuses,
    answer: (path: string, init?: RequestInit): Promise<Response> =>
      app.handle(new Request(`http://127.0.0.1${path}`, init)),
    lengthOf: async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
      (await (await app.handle(new Request(`http://127.0.0.1${path}`, { headers }))).bytes()).length,
    charged: (): number => charge.mock.calls.reduce((sum, [, bytes]) => sum + bytes, 0),
  }
}

test("output that is read costs as much as it is long, each byte once", async () => {
  async function* pieces(): AsyncGenerator<OutputEvent> {
    for (let at = 0; at < 20; at += 1) {
      const [from, text] = [at * 16_384, "x".repeat(16_384)]
      yield { type: "piece", attempt: 1, missing: 0, from, to: from + text.length, text }
    }
    yield { type: "end", attempt: 1, status: "completed", outcome: "completed" }
  }
  const { lengthOf, charged } = charging({ output: { read: async () => pieces() } })
  const length = await lengthOf("/api/v1/queue/1/output")
  expect(length).toBeGreaterThan(20 * 16_384 - 1)
  expect(charged()).toBeWithin(length - 65_536, length + 1)
})

test("an output that is followed ends after a day without a piece, and each piece begins it again", async () => {
  const HOUR_MS = 3_600_000
  let signal = AbortSignal.abort()
  let printed = Promise.withResolvers<void>()
  async function* pieces(): AsyncGenerator<OutputEvent> {
    for (;;) {
      await printed.promise
      printed = Promise.withResolvers<void>()
      yield { type: "piece", attempt: 1, missing: 0, from: 0, to: 4, text: "one\n" }
    }
  }
  const read = async (_id: number, _query: unknown, left: AbortSignal) => {
    signal = left
    return pieces()
  }
  const { answer } = charging({ output: { read } })
  const path = "/api/v1/queue/1/output?follow=true&format=sse"
  jest.useFakeTimers()
  try {
    const reader = (await answer(path)).body?.getReader()
    await reader?.read()
    for (let piece = 0; piece < 3; piece += 1) {
      printed.resolve()
      await reader?.read()
      jest.advanceTimersByTime(23 * HOUR_MS)
      expect(signal.aborted).toBe(false)
    }
    jest.advanceTimersByTime(HOUR_MS)
    expect(signal.aborted).toBe(true)
    printed.resolve()
    await reader?.cancel()
  } finally {
    jest.useRealTimers()
  }
})

test("a page of updates costs as much as it is long, and so does any other answer", async () => {
  const data = JSON.stringify({ message: "x".repeat(16_384) })
  const updates = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, data }))
  const app = charging({
    queue: { history: async () => ({ updates, more: false }) },
    learned: { kinds: async () => updates },
  })
  const length = await app.lengthOf("/api/v1/queue/1/updates")
  expect(length).toBeGreaterThan(20 * 16_384)
  expect(app.charged()).toBe(length)
  const both = length + (await app.lengthOf("/api/v1/kinds"))
  expect(app.charged()).toBe(both)
})

test("an answer costs as much if it is compressed, because it is made all the same", async () => {
  const data = JSON.stringify({ message: "x".repeat(16_384) })
  const updates = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, data }))
  const app = charging({
    queue: { history: async () => ({ updates, more: false }) },
    learned: { kinds: async () => updates },
  })
  for (const path of ["/api/v1/queue/1/updates", "/api/v1/kinds"]) {
    const charged = app.charged()
    const length = await app.lengthOf(path, { "accept-encoding": "gzip" })
    expect(length).toBeWithin(100, 16_384)
    expect(app.charged() - charged).toBeGreaterThan(20 * 16_384)
  }
})

test("a client that leaves large answers unread gets no more of them until it has read them", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(1_600_000)).toBase64()
  const few = [{ id: 1, data: JSON.stringify({ message: noise.slice(0, 240_000) }) }]
  const many = [{ id: 1, data: JSON.stringify({ message: noise }) }]
  for (const [updates, headers, most] of [
    [few, {}, 4],
    [many, {}, 1],
    [few, { "accept-encoding": "gzip" }, 4],
    [many, { "accept-encoding": "gzip" }, 1],
  ] as const) {
    const parts = {
      queue: { history: async () => ({ updates, more: false }), retry: async () => updates },
      learned: { kinds: async () => updates },
      onAnswer: ({ status }: { status: number }) => logged.push(status),
    }
    const logged: number[] = []
    const app = charging({ ...parts, onError: console.error }, 1000, undefined, 4)
    const open: Response[] = []
    for (const path of ["/api/v1/kinds", "/api/v1/queue/1/updates"]) {
      for (;;) {
        const answer = await app.answer(path, { headers })
        if (answer.status === 429) break
        open.push(answer)
      }
      expect(open).toHaveLength(most)
    }
    expect(logged.filter((status) => status === 200)).toHaveLength(most)
    // What a write has done is said.
    const write = await app.answer("/api/v1/queue/1/retry", { method: "POST" })
    expect((await write.arrayBuffer()).byteLength).toBeGreaterThan(240_000)
    // A request for the head alone has nothing to read.
    await open.pop()?.arrayBuffer()
    expect((await app.answer("/api/v1/kinds", { method: "HEAD" })).status).toBe(200)
    const next = await app.answer("/api/v1/kinds", { headers })
    await next.arrayBuffer()
    await Promise.all(open.map((answer) => answer.arrayBuffer()))
    expect(await app.statuses(1, "/api/v1/kinds")).toEqual([200])
  }
})

test("an answer that is so long that compressing it would hold up other clients is compressed in another thread", async () => {
  let count = 199
  const kinds = async () => Array.from({ length: count }, () => ({ message: "x".repeat(9980) }))
  const app = charging({ learned: { kinds } })
  const length = (): Promise<number> => app.lengthOf("/api/v1/kinds", { "accept-encoding": "gzip" })
  const inThisThread = spyOn(Bun, "gzipSync")
  expect(await length()).toBeLessThan(100_000)
  expect(inThisThread).toHaveBeenCalledTimes(1)
  count = 201
  expect(await length()).toBeLessThan(100_000)
  expect(inThisThread).toHaveBeenCalledTimes(1)
  expect(app.charged()).toBeGreaterThan(4_000_000)
  inThisThread.mockRestore()
})

test("no more than two long answers are compressed in another thread at the same time, and the others are sent as they are", async () => {
  const json = "x".repeat(2_100_000)
  const request = new Request("http://a/", { headers: { "accept-encoding": "gzip" } })
  const compressed = (): ReturnType<typeof compressedJson> => compressedJson(json, request, {})
  const answers = await Promise.all(Array.from({ length: 8 }, compressed))
  expect(answers.filter((bytes) => bytes !== undefined && bytes.length < 100_000)).toHaveLength(2)
  expect(answers.filter((bytes) => bytes === undefined)).toHaveLength(6)
  expect((await compressed())?.length).toBeLessThan(100_000)
})

for (const path of ["/openapi.json", "/docs", "/client.js"]) {
  test(`${path} costs as much as it is long, each time`, async () => {
    const { lengthOf, charged } = charging({})
    const length = await lengthOf(path)
    expect(length).toBeGreaterThan(8192)
    expect([await lengthOf(path), charged()]).toEqual([length, 2 * length])
  })
}

test("figures cost as much as the items that they count, and a search as much as it reads", async () => {
  const period = (items: number) => {
    const part = Math.floor(items / 4)
    return { since: "", completed: items - 3 * part, failed: part, cancelled: part, lost: part }
  }
  const few = period(4999)
  const [standing, completed, failed] = [{}, [], []]
  const counts = async () => ({
    standing,
    pausedAt: null,
    lastHour: few,
    today: few,
    thisWeek: period(20_002),
  })
  const overview = async () => ({ standing, today: few, thisYear: period(25_001), completed, failed })
  let slices = 4
  const app = () =>
    charging(
      {
        ...{ totals: { counts, overview }, forecasts: { of: async () => new Map() } },
        queue: { list: async () => ({ items: [], next: null, slices }) },
      },
      1,
    )
  for (const path of ["/queue/counts", "/dashboard", "/queue?q=nothing", "/queue/?q=nothing"])
    expect([path, await app().statuses(2, `/api/v1${path}`)]).toEqual([path, [200, 429]])
  // The first one is in the price of the request.
  slices = 3
  expect(await app().statuses(3, "/api/v1/queue?q=nothing")).toEqual([200, 200, 429])
  for (slices of [0, 1]) expect(await app().statuses(5, "/api/v1/queue")).toEqual([200, 200, 200, 200, 429])
})

test("a request that no route takes counts like any other", async () => {
  expect(await charging({}, 1).statuses(5, "/nothing")).toEqual([404, 404, 404, 404, 429])
  const foreign = { method: "POST", headers: { origin: "https://evil.example" } }
  expect(await charging({}, 1).statuses(5, "/api/v1/queue", foreign)).toEqual([403, 403, 403, 403, 429])
  const twice = charging({}, 1).statuses(5, "/api/v1/queue?limit=1&limit=2")
  expect(await twice).toEqual([422, 422, 422, 422, 429])
  const asking = { origin: "https://studio.example", "access-control-request-method": "PUT" }
  const preflight = { method: "OPTIONS", headers: asking }
  expect(await charging({}, 1).statuses(5, "/api/v1/queue/1", preflight)).toEqual([204, 204, 204, 204, 429])
})

test("a request for an item that the token does not show counts like any other", async () => {
  const { statuses } = charging({}, 1, 2)
  expect(await statuses(5, "/api/v1/queue/1")).toEqual([404, 404, 404, 404, 429])
})

test("a body costs one more for each 4 KiB, whether it is accepted or not", async () => {
  const message = Array.from({ length: 30_000 }, () => 1)
  const large = {
    method: "POST",
    headers: { "content-type": "application/json", lease: "made-up" },
    body: JSON.stringify({ message }),
  }
  const path = "/api/v1/queue/1/progress"
  expect(await charging({}, 10).statuses(4, path, large)).toEqual([422, 422, 422, 429])
  // A body that is sent in chunks, to a route that needs none, is charged too.
  const cancel = "/api/v1/queue/1/cancel"
  const inChunks = (): RequestInit => ({ ...large, body: new Blob([large.body]).stream() })
  const app = charging({ queue: { cancel: async () => ({}) } }, 10)
  const statuses: number[] = []
  for (let i = 0; i < 4; i += 1) statuses.push(...(await app.statuses(1, cancel, inChunks())))
  expect(statuses).toEqual([200, 200, 200, 429])
})

test("a query of very many names costs no more than its length", async () => {
  const { statuses } = charging({})
  const names = Array.from({ length: 50_000 }, (_, at) => at.toString(36)).join("&")
  const before = process.cpuUsage()
  await statuses(1, `/nothing?${names}`)
  // Comparing each name with all others takes several seconds.
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(1)
})

/** Milliseconds of CPU that ten calls of `run` take, at best. */
async function cpuMs(run: () => unknown): Promise<number> {
  const took: number[] = []
  for (let round = 0; round < 8; round += 1) {
    const before = process.cpuUsage()
    for (let i = 0; i < 10; i += 1) await run()
    const { user, system } = process.cpuUsage(before)
    took.push((user + system) / 1000)
  }
  return Math.min(...took)
}

// Listing the values of such an array takes seven times as long as parsing it.
for (const [what, last, most] of [
  ["very many numbers", "1", 12],
  ["very many numbers, one of which may be inexact", "1e-7", 45],
] as const) {
  test(`metadata with ${what} costs not much more than parsing it`, async () => {
    const { statuses } = charging({ queue: { add: async () => ({}) } })
    const body = `{"song_id": 1, "metadata": {"a": [${"1.5,".repeat(14_000)}${last}]}}`
    const add = { method: "POST", headers: { "content-type": "application/json" }, body }
    expect(await statuses(1, "/api/v1/queue", add)).toEqual([201])
    const parsingMs = await cpuMs(() => JSON.parse(body))
    const tookMs = await cpuMs(() => statuses(1, "/api/v1/queue", add))
    expect(tookMs / parsingMs).toBeLessThan(most)
  })
}

test("a ticket of another server is looked up within the limit of its address, and never in vain", async () => {
  let reads = 0
  const learn = async (_ticket: string, count: () => void): Promise<void> => {
    count()
    reads += 1
  }
  const { statuses } = charging({ tickets: { isShared: true, learn } }, 2)
  const path = "/api/v1/me?ticket=unknown"
  expect(await statuses(1, path, { headers: { authorization: "Bearer x" } })).toEqual([200])
  expect(await statuses(1, path, { method: "OPTIONS" })).toEqual([204])
  expect(await statuses(1, path, { headers: { host: "evil.example" } })).toEqual([421])
  expect(reads).toBe(0)
  // Five of its eight units are left: one for each read, and one for each request.
  expect(await statuses(5, path)).toEqual([200, 200, 429, 429, 429])
  expect(reads).toBe(3)
})
