import { afterAll, expect, test } from "bun:test"

import { start, type TestServer } from "../server.ts"

const ORIGIN = "https://studio.example"
const OTHER = "http://localhost:3000"
const ELSE = "https://else.example"

const open = await start()
const listed = await start({ args: ["--cors-origin", ORIGIN, "--cors-origin", OTHER] })
afterAll(async () => {
  await open[Symbol.asyncDispose]()
  await listed[Symbol.asyncDispose]()
})
for (const server of [open, listed]) {
  await server.add()
  await server.put(await server.add(), { status: "failed" })
}

/** One request for every kind of answer, with its status. */
const KINDS: readonly (readonly [number, string, string, RequestInit?])[] = [
  [200, "health", "/../../health"],
  [200, "stats", "/progress/stats"],
  [200, "the queue", "/queue"],
  [200, "an item", "/queue/1"],
  [200, "a held item", "/queue/2?wait=finished"],
  [200, "updates", "/queue/1/updates"],
  [200, "the stream", "/progress/stream"],
  [200, "the stream as text", "/progress/stream?format=text"],
  [200, "an item's stream", "/progress/stream/1", { headers: { accept: "application/x-ndjson" } }],
  [204, "a stream with nothing to come", "/progress/stream/2?until=finished&last_event_id=3"],
  [
    200,
    "a change",
    "/queue/1",
    { method: "PUT", body: "{}", headers: { "content-type": "application/json" } },
  ],
  [400, "malformed JSON", "/queue", { method: "POST", headers: { "content-type": "application/json" } }],
  [404, "an unknown item", "/queue/999"],
  [404, "an unknown item's stream", "/progress/stream/999?until=finished"],
  [404, "an unknown route", "/nope"],
  [404, "a route outside the base", "/../../nope"],
  [405, "a wrong method", "/queue", { method: "PATCH" }],
  [415, "a wrong content type", "/queue", { method: "POST", body: "x" }],
  [422, "a wrong id", "/queue/0"],
]

async function ask(
  server: TestServer,
  path: string,
  origin: string | undefined,
  request: RequestInit = {},
): Promise<Response> {
  const headers = new Headers(request.headers)
  if (origin !== undefined) headers.set("origin", origin)
  const answer = await fetch(`${server.url}/api/v1${path}`, { ...request, headers })
  await answer.body?.cancel()
  return answer
}

/** The values of one header, in order. */
const list = (answer: Response, name: string): string[] =>
  (answer.headers.get(name) ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .toSorted()

for (const [status, what, path, request] of KINDS) {
  // A page that is not listed may change nothing, but it may read the refusal.
  const foreign = request?.method === undefined ? status : 403
  test(`any origin may read ${what} (${status}), and no cache keeps it`, async () => {
    for (const origin of [undefined, ORIGIN, "https://else.example", "null"]) {
      const answer = await ask(open, path, origin, request)
      expect(answer.status).toBe(origin === undefined ? status : foreign)
      expect(answer.headers.get("access-control-allow-origin")).toBe("*")
      expect(answer.headers.has("access-control-allow-credentials")).toBeFalse()
      expect(list(answer, "access-control-expose-headers")).toEqual(["drain", "link", "retry-after"])
      expect(list(answer, "cache-control")).toContain("no-store")
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    }
  })

  test(`with --cors-origin only the origins named may read ${what} (${status})`, async () => {
    // The order ensures that no answer can have the headers of the one before it.
    for (const origin of [ELSE, ORIGIN, OTHER, ELSE]) {
      const answer = await ask(listed, path, origin, request)
      expect(answer.status).toBe(origin === ELSE ? foreign : status)
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin === ELSE ? null : origin)
      expect(answer.headers.has("access-control-allow-credentials")).toBeFalse()
      expect(list(answer, "vary")).toEqual(["origin"])
    }
  })
}

test("an origin that only resembles one of those named is another", async () => {
  const resembling = [
    "http://studio.example",
    "https://studio.example.evil.example",
    "https://evil-studio.example",
    "https://studio.example:8443",
    "studio.example",
    "https://localhost:3000",
    "http://localhost",
    "null",
    "*",
    "",
    "x://https://studio.example",
    "constructor",
    "__proto__",
  ]
  for (const origin of resembling) {
    const answer = await ask(listed, "/queue", origin)
    expect([origin, answer.headers.get("access-control-allow-origin")]).toEqual([origin, null])
  }
})

test("origins come from the environment too, separated by commas", async () => {
  await using server = await start({ env: { TRACK_STUDIO_CORS_ORIGIN: `${ORIGIN}, ${OTHER}` } })
  for (const origin of [ORIGIN, OTHER]) {
    expect((await ask(server, "/queue", origin)).headers.get("access-control-allow-origin")).toBe(origin)
  }
  const other = await ask(server, "/queue", "https://else.example")
  expect(other.headers.has("access-control-allow-origin")).toBeFalse()
})

const preflight = (server: TestServer, path: string, origin: string): Promise<Response> =>
  ask(server, path, origin, {
    method: "OPTIONS",
    headers: {
      "access-control-request-method": "PUT",
      "access-control-request-headers": "content-type,last-event-id,cache-control,x-requested-with",
    },
  })

test("a preflight allows the methods and headers of the API, on every route", async () => {
  for (const path of ["/queue", "/queue/1", "/queue/1/flag", "/progress/stream", "/../../health", "/nope"]) {
    const answer = await preflight(open, path, ORIGIN)
    expect(answer.status).toBe(204)
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
    expect(list(answer, "access-control-allow-methods")).toEqual(["delete", "get", "post", "put"])
    expect(list(answer, "access-control-allow-headers")).toEqual([
      "authorization",
      "cache-control",
      "content-type",
      "idempotency-key",
      "last-event-id",
      "lease",
      "pragma",
      "x-requested-with",
    ])
    expect(answer.headers.get("access-control-max-age")).toBe("600")
  }
})

test("a preflight from an origin that is not named allows nothing", async () => {
  const named = await preflight(listed, "/queue/1", OTHER)
  expect(named.headers.get("access-control-allow-origin")).toBe(OTHER)
  const other = await preflight(listed, "/queue/1", "https://else.example")
  expect(other.headers.has("access-control-allow-origin")).toBeFalse()
})
