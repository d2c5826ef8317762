import { expect, test } from "bun:test"
import { connect } from "node:net"

import { Value } from "@sinclair/typebox/value"

import { Stats } from "../../src/wire/health-and-stats.ts"
import { Reader } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

/** The open streams as they are listed. */
async function listed(server: TestServer, headers: Record<string, string> = {}) {
  const answer = await server.api("GET", "/progress/stats?streams=true", undefined, headers)
  const stats: unknown = await answer.json()
  if (!Value.Check(Stats, stats)) throw new Error(`${answer.status} ${JSON.stringify(stats)}`)
  return stats.open_streams ?? []
}

test("open streams are listed with their kind, format, client, last event ID and lag, and only when they are asked for", async () => {
  await using server = await start()
  const beforeMs = Date.now()
  const first = await server.add()
  const stream = `${server.url}/api/v1/progress/stream`
  const one = await Reader.open(`${stream}/${first}`, { "user-agent": "Mozilla/5.0 (X11)" })
  await one.first("live")
  const all = await Reader.open(stream, { "user-agent": "curl/8.5.0", accept: "text/event-stream" })
  await all.first("live")
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/progress/ws`)
  await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }))
  const second = await server.add()
  await all.until(() => all.updates.length === 2)
  // The stream of the first item was not woken for the second item, but is up to date nevertheless.
  const list = await listed(server)
  const same = { last_event_id: second, lag: 0, since: expect.any(String) }
  expect(list).toEqual([
    { kind: "item", queue_id: first, format: "sse", client: "browser", ...same },
    { kind: "global", queue_id: null, format: "sse", client: "curl", ...same },
    { kind: "global", queue_id: null, format: "websocket", client: expect.any(String), ...same },
  ])
  for (const { since } of list) expect(Date.parse(since)).toBeWithin(beforeMs - 5, Date.now() + 5)
  const without: object = await (await server.api("GET", "/progress/stats?t=1")).json()
  expect("open_streams" in without).toBe(false)
  expect((await server.api("GET", "/progress/stats?streams=yes")).status).toBe(422)
  one.leave()
  all.leave()
  socket.close()
  while ((await listed(server)).length > 0);
}, 180_000)

test("a reader that does not read lags, and is the first in the list", async () => {
  await using server = await start()
  const id = await server.add()
  await using _quick = await opened(`${server.url}/api/v1/progress/stream`)
  const { hostname, port } = new URL(server.url)
  const stuck = connect(Number(port), hostname)
  stuck.on("error", () => undefined)
  stuck.write(
    "GET /api/v1/progress/stream HTTP/1.1\r\nhost: localhost\r\nuser-agent: python-requests/2\r\n\r\n",
  )
  await server.connectedClients(2)
  stuck.pause()
  const message = "x".repeat(16_000)
  let list = await listed(server)
  while (!list.some(({ lag }) => lag > 0)) {
    await Promise.all(Array.from({ length: 20 }, () => server.put(id, { message })))
    list = await listed(server)
  }
  expect(list[0]).toMatchObject({ client: "python", format: "sse" })
  const head = await server.head()
  expect((list[0]?.last_event_id ?? 0) + (list[0]?.lag ?? 0)).toBeLessThanOrEqual(head)
  stuck.destroy()
}, 180_000)

async function opened(url: string): Promise<AsyncDisposable> {
  const reader = await Reader.open(url)
  await reader.first("live")
  return { [Symbol.asyncDispose]: async () => reader.leave() }
}

test("a client may ask which of its headers have arrived", async () => {
  await using server = await start()
  const headers = { lease: "doctor", "Idempotency-Key": "doctor" }
  const named = await (await server.api("GET", "/progress/stats?headers=true", undefined, headers)).json()
  expect(named.client_headers).toEqual(expect.arrayContaining(["host", "idempotency-key", "lease"]))
  const unasked = await (await server.api("GET", "/progress/stats", undefined, headers)).json()
  expect(unasked.client_headers).toBeUndefined()
})

test("a client may ask for a refusal, to see whether it arrives whole", async () => {
  await using server = await start()
  const path = "/refusals/"
  const revoked = await server.api("GET", `${path}unauthorized`)
  expect([revoked.status, revoked.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
  const limited = await server.api("GET", `${path}too_many_requests`)
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"])
  expect(await limited.json()).toMatchObject({
    code: "too_many_requests",
    error: "this refusal was asked for",
  })
  const later = await server.api("POST", `${path}unavailable`)
  expect([later.status, later.headers.get("retry-after")]).toEqual([503, "1"])
  expect((await server.api("GET", `${path}internal`)).status).toBe(422)
})

test("an admin sees the list and the servers of a fleet, and on the machine itself a viewer sees the list", async () => {
  await using server = await start({ args: ["--requests-per-address", "0"] })
  const id = await server.add()
  const admin = await tokenOf(server, "admin")
  await known(server, admin)
  expect(await listed(server, bearer(admin))).toEqual([])
  const viaProxy = { via: "1.1 proxy" }
  for (const role of ["viewer", "operator", "worker"] as const) {
    const secret = await tokenOf(server, role)
    await known(server, secret)
    const headers = bearer(secret)
    for (const [query, more, status] of [
      ["streams", {}, role === "viewer" ? 200 : 403],
      ["streams", viaProxy, 403],
      ["all", {}, 403],
    ] as const) {
      const asked = { ...headers, ...more }
      const answer = await server.api("GET", `/progress/stats?${query}=true`, undefined, asked)
      expect([role, query, more, answer.status]).toEqual([role, query, more, status])
    }
  }
  const bound = await tokenOf(server, "viewer", { item: id })
  await known(server, bound)
  const answer = await server.api("GET", "/progress/stats?streams=true", undefined, bearer(bound))
  expect(answer.status).toBe(403)
}, 180_000)
