import { afterAll, expect, test } from "bun:test"
import { hostname } from "node:os"

import { Elysia } from "elysia"

import { checksBeforeRouting } from "../../src/http/checks-before-routing.ts"
import type { RefusalCounts } from "../../src/http/request-counts.ts"
import { raw } from "../raw.ts"
import { JSON_TYPE } from "../refusals.ts"
import { PROGRAM, run, start, type TestServer } from "../server.ts"
import { SOCKETS, stateOf, triesOf } from "./writes.ts"

const LAN = "http://studio-pc.lan:3000"
const PUBLIC = "https://evil.example"
const NAMED = "https://studio.example"

const local = await start()
const open = await start({ args: ["--host", "0.0.0.0", "--open"] })
const named = await start({ args: ["--cors-origin", NAMED, "--allowed-host", "studio.example."] })
afterAll(async () => {
  for (const server of [local, open, named]) await server[Symbol.asyncDispose]()
})

/**
 * Sends a request to each route that changes something. Returns the codes of the refusals. Nothing may have
 * changed.
 */
async function refusals(server: TestServer, headers: Record<string, string>): Promise<string[]> {
  const tries = await triesOf(server)
  const before = await stateOf(server)
  const codes: string[] = []
  for (const { method, url, body } of tries) {
    const sent = method === "DELETE" ? {} : { body }
    const answer = await fetch(url, { method, headers: { ...JSON_TYPE, ...headers }, ...sent })
    const { code }: { code: string } = await answer.json()
    codes.push(`${answer.status} ${code}`)
  }
  expect(codes.length).toBeGreaterThan(15)
  expect(await stateOf(server)).toEqual(before)
  return [...new Set(codes)]
}

test("a foreign page changes nothing by any route, whatever the server is bound to", async () => {
  for (const server of [local, open, named]) {
    for (const headers of [
      { origin: LAN },
      { origin: PUBLIC },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      expect(await refusals(server, headers)).toEqual(["403 forbidden"])
    }
  }
  expect(await refusals(open, { origin: "http://localhost:3000" })).toEqual(["403 forbidden"])
  expect(await refusals(named, { origin: "http://localhost:3000" })).toEqual(["403 forbidden"])
})

test("a token and a lease that a page made up open no route to it", async () => {
  for (const server of [local, open]) {
    const [token, lease] = [{ authorization: "Bearer made-up" }, { lease: "made-up" }]
    expect(await refusals(server, { origin: PUBLIC, ...token })).toEqual(["403 forbidden"])
    for (const forged of [lease, { ...token, ...lease }]) {
      // The other parts of a request are checked before its lease.
      for (const code of await refusals(server, { origin: PUBLIC, ...forged }))
        expect(["403 forbidden", "422 invalid"]).toContain(code)
    }
  }
})

test("the answers to a made-up token and lease do not tell a page which items there are", async () => {
  const missing = await local.api("POST", "/queue/999999/heartbeat", {}, { origin: PUBLIC, lease: "made-up" })
  expect(missing.status).toBe(403)
  const deleted = await local.add()
  await local.api("DELETE", `/queue/${deleted}`)
  for (const [path, forged] of [
    ["POST /api/v1/queue/999999/heartbeat", "Lease: made-up"],
    [`POST /api/v1/queue/${deleted}/heartbeat`, "Lease: made-up"],
    ["GET /nope", "Authorization: Bearer made-up"],
  ] as const) {
    const head = `${path} HTTP/1.1\r\nHost: evil.example\r\n${forged}\r\nContent-Length: 0\r\n`
    expect(await raw(local.url, `${head}Connection: close\r\n\r\n`)).toStartWith("HTTP/1.1 421 ")
  }
})

test("a WebSocket is opened by no foreign page, and by our own", async () => {
  const handshake = (server: TestServer, path: string, origin: string): Promise<string> => {
    const head = `GET ${path} HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nOrigin: ${origin}\r\n`
    const upgrade =
      "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    // A close frame follows, so that one that is opened ends.
    return raw(server.url, `${head}${upgrade}\x88\x80\0\0\0\0`)
  }
  await Promise.all([local.add(), named.add()])
  for (const path of SOCKETS) {
    for (const origin of [LAN, PUBLIC, "null"]) {
      expect(await handshake(local, path, origin)).toContain('"code":"forbidden"')
      expect(await handshake(named, path, origin)).toContain("--cors-origin")
    }
    for (const [server, origin] of [
      [local, local.url],
      [local, "http://localhost:3000"],
      [named, NAMED],
    ] as const) {
      expect(await handshake(server, path, origin)).toStartWith("HTTP/1.1 101 ")
    }
  }
})

test("our own page, a listed one, and for a local server any of this machine's may change things", async () => {
  const add = async (server: TestServer, origin: string): Promise<number> =>
    (await server.api("POST", "/queue", { song_id: 1 }, { origin })).status
  for (const server of [local, open, named]) expect(await add(server, server.url)).toBe(201)
  expect(await add(local, "http://localhost:3000")).toBe(201)
  expect(await add(named, NAMED)).toBe(201)
})

test("a page under an attacker's host name that points to this server gets nothing at all", async () => {
  for (const path of ["/", "/api/v1/queue", "/api/v1/progress/stream", "/health", "/docs", "/nope"]) {
    const said = await raw(
      local.url,
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
    )
    expect(said).toStartWith("HTTP/1.1 421 ")
    expect(said).toContain('"code":"misdirected"')
    expect(said).toContain("--allowed-host evil.example")
  }
})

test("requests to an allowed host name, or to a name of this machine, are answered", async () => {
  for (const host of ["studio.example", "STUDIO.example:9", `${hostname().split(".")[0]}.local`]) {
    const said = await raw(
      named.url,
      `GET /api/v1/queue?limit=1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    )
    expect([host, said.slice(0, 12)]).toEqual([host, "HTTP/1.1 200"])
  }
})

test("the commands say which flag lets them in, and give up at once, but for `work`, which waits", async () => {
  // This stands for a name that the server does not know: requests to this proxy reach the server with that
  // name.
  using proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url)
      const named = new Headers(headers)
      named.set("host", "queue.example")
      return fetch(local.url + pathname + search, { method, headers: named, body })
    },
  })
  for (const args of [["list"], ["add", "7"], ["watch"], ["run", "--song", "7", "--", "true"]]) {
    const [command = "", ...rest] = args
    const ran = await run([command, "--server", `http://127.0.0.1:${proxy.port}`, ...rest])
    expect([args, ran.code, ran.stderr]).toEqual([
      args,
      1,
      expect.stringContaining("--allowed-host queue.example"),
    ])
  }
  const server = ["--server", `http://127.0.0.1:${proxy.port}`]
  const work = Bun.spawn([...PROGRAM, "work", ...server, "--exec", "true"], {
    stdout: "ignore",
    stderr: "pipe",
  })
  let said = ""
  for await (const bytes of work.stderr) {
    said += Buffer.from(bytes).toString()
    if (said.includes("trying again every 10 s")) work.kill()
  }
  expect(said).toContain("--allowed-host queue.example")
  expect(await work.exited).toBe(0)
}, 180_000)

test("a valid lease passes from anywhere on its own routes, and no other token does", async () => {
  const id = await local.add({ song_id: 4, tags: ["leased"] })
  const claim = await local.api("POST", "/queue/claim", { worker: "w", tags: ["leased"], id })
  const { lease }: { lease: { token: string } } = await claim.json()
  const from = async (path: string, headers: Record<string, string>): Promise<number> =>
    (await local.api("POST", `/queue/${id}${path}`, {}, { origin: PUBLIC, ...headers })).status
  expect(await from("/heartbeat", { lease: "of-nobody" })).toBe(403)
  expect(await from(`/progress?lease=of-nobody`, {})).toBe(403)
  // A lease authorizes its worker, and nothing else.
  expect(await from("/cancel", { lease: lease.token })).toBe(403)
  expect(await from(`/retry?lease=${lease.token}`, {})).toBe(403)
  expect(await from("/heartbeat", { lease: lease.token })).toBe(200)
  expect(await from(`/progress?lease=${lease.token}`, {})).toBe(200)
  // Some proxies send each header, if need be without a value.
  expect(await from(`/progress?lease=${lease.token}`, { lease: "" })).toBe(200)
  const host = `Host: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n`
  const path = `/api/v1/queue/${id}/heartbeat`
  const other = await raw(local.url, `POST ${path}?lease=x HTTP/1.1\r\n${host}\r\n`)
  expect(other).toStartWith("HTTP/1.1 421 ")
  const own = await raw(local.url, `POST ${path}?lease=${lease.token} HTTP/1.1\r\n${host}\r\n`)
  expect(own).toStartWith("HTTP/1.1 200 ")
  expect(await from("/complete", { lease: lease.token })).toBe(200)
})

test("a request with two Host headers is refused", async () => {
  const said = await raw(
    local.url,
    "GET /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  )
  expect(said).toStartWith("HTTP/1.1 400 ")
  expect(said).toContain('"code":"malformed_request"')
})

test("a parameter that is given twice is refused, however it is written", async () => {
  for (const path of [
    "/queue?status=failed&status=queued",
    "/queue?status=failed&%73tatus=failed",
    "/progress/stream?ids=1&ids=2",
    "/progress/stream?last_event_id=1&format=sse&last_event_id=1",
    "/queue/1?wait=finished&wait=finished",
    "/queue/1?ticket=a&%74icket=a",
  ]) {
    const answer = await local.api("GET", path)
    const { code, error }: { code: string; error: string } = await answer.json()
    expect([path, answer.status, code]).toEqual([path, 422, "invalid"])
    expect(error).toMatch(/^the query has "\w+" twice; give it once$/)
  }
  expect((await local.api("GET", "/queue?status=failed&song_id=1")).status).toBe(200)
})

test("a body that is compressed is refused before it is read", async () => {
  const json = JSON.stringify({ song_id: 1 })
  for (const encoding of ["gzip", "br", "deflate", "identity, gzip", "x-own"]) {
    const headers = { ...JSON_TYPE, "content-encoding": encoding }
    const answer = await fetch(`${local.url}/api/v1/queue`, {
      method: "POST",
      body: Bun.gzipSync(json),
      headers,
    })
    expect(answer.status).toBe(415)
    expect(await answer.json()).toMatchObject({ code: "unsupported_media_type" })
  }
  for (const encoding of ["identity", "IDENTITY", ""]) {
    const headers = { ...JSON_TYPE, "content-encoding": encoding }
    const answer = await fetch(`${local.url}/api/v1/queue`, { method: "POST", body: json, headers })
    expect(answer.status).toBe(201)
  }
})

test("every answer forbids a guess at its type, and no answer of the API is kept", async () => {
  const id = await local.add({ song_id: 5 })
  await local.put(id, { status: "processing" })
  await local.put(id, { status: "failed" })
  const head = await local.head()
  const asked: readonly (readonly [string, RequestInit?])[] = [
    ["/api/v1/queue"],
    [`/api/v1/queue/${id}`],
    [`/api/v1/queue/${id}/updates`],
    [`/api/v1/queue/${id}`, { method: "PUT", body: "{}", headers: JSON_TYPE }],
    [
      "/api/v1/queue/claim",
      { method: "POST", body: '{"worker":"w","tags":["none"],"wait":0}', headers: JSON_TYPE },
    ],
    ["/api/v1/progress/stream"],
    [`/api/v1/progress/stream/${id}?until=finished&last_event_id=${head}`],
    ["/api/v1/progress/stats"],
    ["/api/v1/webhooks/deliveries"],
    ["/api/v1/progress/ws"],
    ["/api/v1/nope"],
    ["/api/v1/queue/0"],
    ["/health"],
    ["/"],
    ["/", { headers: { accept: "text/html" } }],
    [`/items/${id}`, { headers: { accept: "text/html" } }],
    ["/docs"],
    ["/docs/style.css"],
    ["/docs/address.js"],
    ["/openapi.json"],
    [
      "/api/v1/queue",
      { method: "OPTIONS", headers: { origin: NAMED, "access-control-request-method": "PUT" } },
    ],
  ]
  for (const [path, request] of asked) {
    const answer = await fetch(local.url + path, request)
    await answer.body?.cancel()
    expect([path, answer.headers.get("x-content-type-options")]).toEqual([path, "nosniff"])
    if (path.startsWith("/api/") && request?.method !== "OPTIONS") {
      expect([path, answer.headers.get("cache-control")]).toEqual([
        path,
        expect.stringMatching(/^no-store\b/),
      ])
    }
  }
})

test("while few descriptors are left the health and the figures of the server are answered, and any other connection is closed", async () => {
  const counters: unknown = { of: () => ({ add: () => undefined }) }
  const options = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], areDescriptorsFew: () => true }
  const guarded = checksBeforeRouting(
    options,
    () => [],
    new WeakMap(),
    counters as RefusalCounts,
    () => undefined,
  )
  const app = new Elysia().use(guarded).get("/*", () => "answered")
  const answered = async (path: string): Promise<readonly [boolean, string | null]> => {
    const answer = await app.handle(
      new Request(`http://127.0.0.1${path}`, { headers: { host: "127.0.0.1" } }),
    )
    return [(await answer.text()) === "answered", answer.headers.get("connection")]
  }
  const spared = ["/health", "/health/live", "/health/ready", "/metrics", "/api/v1/health", "/api/v1/metrics"]
  for (const path of spared) expect([path, await answered(path)]).toEqual([path, [true, null]])
  for (const path of ["/", "/healthy", "/api/v1/queue"])
    expect([path, await answered(path)]).toEqual([path, [false, "close"]])
})

test("a change of a foreign page is not taken for a WebSocket because it asks for one as well", async () => {
  const { host } = new URL(local.url)
  const upgrade = `Origin: ${PUBLIC}\r\nUpgrade: websocket\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
  const said = await raw(local.url, `POST /api/v1/queue HTTP/1.1\r\nHost: ${host}\r\n${upgrade}`)
  expect(said).toStartWith("HTTP/1.1 403 ")
  expect(said).toContain("may not change anything here")
})
