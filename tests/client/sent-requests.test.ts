import { afterAll, expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"

interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly type?: string
  readonly lease?: string
  readonly key?: string
}

const sent: Sent[] = []
const serving = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { pathname, search } = new URL(request.url)
    const [text, { headers }] = [await request.text(), request]
    const type = headers.get("content-type")
    const [lease, key] = [headers.get("lease"), headers.get("idempotency-key")]
    sent.push({
      method: request.method,
      path: `${pathname.slice("/api/v1".length)}${search}`,
      ...(text !== "" && { body: type === "application/json" ? JSON.parse(text) : text }),
      ...(type !== null && { type }),
      ...(lease !== null && { lease }),
      ...(key !== null && { key }),
    })
    return new Response(null, { status: 204 })
  },
})
afterAll(() => serving.stop(true))

const HELD = { id: 7, token: "secret" }
const BYTES = new TextEncoder().encode("one\n")

type Case = readonly [(client: Client) => Promise<unknown>, string, object?]

const ABOUT_ITEMS: readonly Case[] = [
  [(client) => client.add({ song_id: 3 }), "POST /queue", { body: { song_id: 3 } }],
  [(client) => client.add({ song_id: 3 }, "k"), "POST /queue", { body: { song_id: 3 }, key: "k" }],
  [(client) => client.update(7, { priority: 1 }), "PUT /queue/7", { body: { priority: 1 } }],
  [(client) => client.flag(7, null), "PUT /queue/7/flag", { body: { flag: null } }],
  [(client) => client.list({ q: "a b", limit: "5" }), "GET /queue?q=a+b&limit=5"],
  [(client) => client.get(7), "GET /queue/7"],
  [(client) => client.history(7), "GET /queue/7/updates?after=0&limit=1000"],
  [(client) => client.history(7, 4, 10), "GET /queue/7/updates?after=4&limit=10"],
  [(client) => client.cancel(7), "POST /queue/7/cancel"],
  [(client) => client.retry(7), "POST /queue/7/retry"],
  [(client) => client.remove(7), "DELETE /queue/7"],
  [(client) => client.move(7, 8), "POST /queue/7/move", { body: { before: 8 } }],
  [(client) => client.retryFailed(), "POST /queue/retry", { body: { status: "failed" } }],
  [(client) => client.batch("retry", [7]), "POST /queue/batch", { body: { act: "retry", ids: [7] } }],
  [(client) => client.finished(7, 60), "GET /queue/7?wait=finished&timeout=60"],
]

const ABOUT_THE_QUEUE: readonly Case[] = [
  [(client) => client.pause(), "POST /queue/pause"],
  [(client) => client.resume(), "POST /queue/resume"],
  [(client) => client.forecast(), "GET /queue/forecast?limit=200"],
  [(client) => client.forecast(1), "GET /queue/forecast?limit=1"],
  [(client) => client.counts(), "GET /queue/counts?tz=UTC"],
  [(client) => client.counts("Asia/Kolkata"), "GET /queue/counts?tz=Asia%2FKolkata"],
  [(client) => client.workers(), "GET /workers"],
  [(client) => client.drain("gpu-1"), "POST /workers/gpu-1/drain"],
  [(client) => client.undrain("gpu-1"), "DELETE /workers/gpu-1/drain"],
  [(client) => client.stats(), "GET /progress/stats"],
  [(client) => client.openStreams(), "GET /progress/stats?streams=true"],
  [(client) => client.me(), "GET /me"],
  [(client) => client.health(), "GET /health"],
  [(client) => client.kinds(), "GET /kinds"],
  [(client) => client.forgetRuns("film"), "DELETE /kinds/film/runs"],
]

const OF_WORKERS: readonly Case[] = [
  [(client) => client.claim({ worker: "w" }), "POST /queue/claim", { body: { worker: "w" } }],
  [
    (client) => client.claim({ worker: "w", wait: 1, idempotencyKey: "k" }),
    "POST /queue/claim",
    { body: { worker: "w", wait: 1 }, key: "k" },
  ],
  [(client) => client.take(7, { worker: "w" }), "POST /queue/claim", { body: { worker: "w", id: 7 } }],
  [
    (client) => client.take(7, { worker: "w" }, HELD),
    "POST /queue/claim",
    { body: { worker: "w", id: 7 }, lease: "secret" },
  ],
]

/** What is sent with a lease. */
const OF_HOLDERS: readonly Case[] = [
  [(client) => client.report(HELD, { progress: 5 }), "POST /queue/7/progress", { body: { progress: 5 } }],
  [(client) => client.print(HELD, BYTES), "POST /queue/7/output", { body: "one\n" }],
  [(client) => client.print(HELD, BYTES, 0), "POST /queue/7/output?offset=0", { body: "one\n" }],
  [(client) => client.declareSteps(HELD, ["Images"]), "POST /queue/7/steps", { body: { steps: ["Images"] } }],
  [(client) => client.beginStep(HELD), "POST /queue/7/steps/next"],
  [(client) => client.heartbeat(HELD), "POST /queue/7/heartbeat?wait=0"],
  [(client) => client.heartbeat(HELD, 20), "POST /queue/7/heartbeat?wait=20"],
  [(client) => client.complete(HELD), "POST /queue/7/complete", { body: {} }],
  [
    (client) => client.complete(HELD, { message: "done" }),
    "POST /queue/7/complete",
    { body: { message: "done" } },
  ],
  [
    (client) => client.fail(HELD, { error_message: "broken" }),
    "POST /queue/7/fail",
    { body: { error_message: "broken" } },
  ],
  [(client) => client.release(HELD), "POST /queue/7/release", { body: {} }],
]

const all = [
  ...[...ABOUT_ITEMS, ...ABOUT_THE_QUEUE, ...OF_WORKERS],
  ...OF_HOLDERS.map(([ask, line, more]): Case => [ask, line, { lease: HELD.token, ...more }]),
]

test.each(all.map(([ask, line, more = {}]) => [line, JSON.stringify(more), ask, more] as const))(
  "the client sends %s with %s",
  async (line, _, ask, more) => {
    sent.length = 0
    await ask(new Client(`http://127.0.0.1:${serving.port}`)).catch(() => undefined)
    const [method = "", path = ""] = line.split(" ")
    const body: unknown = Object(more).body
    const type = typeof body === "string" ? "application/octet-stream" : "application/json"
    expect(sent).toEqual([{ method, path, ...(body !== undefined && { type }), ...more }])
  },
)

test.each([
  ["cancel", "cancel"],
  ["continue", "continue"],
  ["whatever a newer server says", "continue"],
  [undefined, "continue"],
] as const)("a refusal that says %p to the worker is a %s", async (directive, told) => {
  const body = { error: "no", code: "gone", request_id: "r", directive }
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json(body, { status: 410 }),
  })
  await expect(new Client(`http://127.0.0.1:${server.port}`).get(7)).rejects.toMatchObject({
    directive: told,
    requestId: "r",
  })
})

test.each([
  [{ drain: "true" }, "drain"],
  [{ drain: "false" }, null],
  [{}, null],
] as const)("a claim without an item whose answer has the headers %j is %p", async (headers, claimed) => {
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(null, { status: 204, headers }),
  })
  expect(await new Client(`http://127.0.0.1:${server.port}`).claim({ worker: "w" })).toBe(claimed)
})
