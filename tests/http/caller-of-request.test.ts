import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { isAllowed, type Rights } from "../../src/access/roles.ts"
import { Client } from "../../src/client/client.ts"
import { NEEDS } from "../../src/http/needed-rights.ts"
import { type Role, ROLES } from "../../src/store/contract/access.ts"
import { start, type TestServer } from "../server.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

describe("a server with a token of each role", () => {
  let server: TestServer
  const secrets = new Map<Role, string>()
  let lease = ""

  beforeAll(async () => {
    server = await start()
    for (const role of ROLES) secrets.set(role, await tokenOf(server, role))
    for (const secret of secrets.values()) await known(server, secret)
    const claim = { worker: "w", id: await added() }
    const answer = await server.api("POST", "/queue/claim", claim, bearer(secrets.get("worker") ?? ""))
    lease = (await answer.json()).lease.token
  })
  afterAll(async () => server[Symbol.asyncDispose]())

  /** A new item, for requests that would change it. */
  async function added(): Promise<number> {
    const answer = await server.api("POST", "/queue", { song_id: 1 }, bearer(secrets.get("admin") ?? ""))
    const { id }: { id: number } = await answer.json()
    return id
  }

  /**
   * The status of a request that is correct except for its rights, or that is refused at its rights at the
   * latest.
   */
  async function ask(route: string, headers: Record<string, string>): Promise<number> {
    const [method = "", path = ""] = route.split(" ")
    const aborted = new AbortController()
    const id = path.includes(":id") ? String(await added()) : ""
    const given = path.replace(":id", id).replace(":renderer", "ffmpeg").replace(":name", "none.js")
    const answer = await fetch(`${server.url}${given}`, {
      method,
      headers: { accept: "text/html", ...headers },
      signal: aborted.signal,
    })
    // A stream has no end of its own.
    aborted.abort()
    return answer.status
  }

  const isRefusal = (status: number): boolean => status === 401 || status === 403

  // This is the first test: after many refusals an address may try no further tokens for a while.
  test("a bad token is refused by an open server, too", async () => {
    expect((await fetch(`${server.url}/health`, { headers: bearer("tsk_unknown") })).status).toBe(401)
  })

  test.each(Object.entries(NEEDS))(
    "%s, which needs %s, refuses and permits by the table",
    async (route, need) => {
      expect(isRefusal(await ask(route, {}))).toBe(need !== "nothing")
      for (const [role, secret] of secrets) {
        const status = await ask(route, bearer(secret))
        expect([role, isRefusal(status)]).toEqual([role, !isAllowed({ role }, need, () => true)])
      }
      // The lease of another item.
      const leased = await ask(route, { lease })
      expect(isRefusal(leased)).toBe(need !== "nothing" && need !== "report")
      if (need === "report") expect([409, 415, 422]).toContain(leased)
    },
  )

  test("a refusal says which right is missing", async () => {
    const none = await server.api("POST", "/queue", { song_id: 1 })
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
    expect(await none.json()).toMatchObject({
      code: "unauthorized",
      error: expect.stringContaining("Bearer"),
    })
    const viewer = await server.api("POST", "/queue", { song_id: 1 }, bearer(secrets.get("viewer") ?? ""))
    expect(viewer.status).toBe(403)
    expect(await viewer.json()).toMatchObject({
      code: "forbidden",
      error: expect.stringContaining("operator"),
    })
  })

  test("a worker names the files it made by PUT, and changes nothing else", async () => {
    const headers = bearer(secrets.get("worker") ?? "")
    const id = await added()
    const allowed = await server.api("PUT", `/queue/${id}`, { video_file_path: "/a.mp4" }, headers)
    expect(allowed.status).toBe(200)
    const refused = await server.api(
      "PUT",
      `/queue/${id}`,
      { video_file_path: "/b.mp4", priority: 9 },
      headers,
    )
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining("priority") })
    const item = await server.api("GET", `/queue/${id}`, undefined, headers)
    const read: object = await item.json()
    expect(read).toMatchObject({ video_file_path: "/a.mp4", priority: 0 })
    // If the item is sent back whole, only what was changed in it counts.
    const whole = await server.api("PUT", `/queue/${id}`, { ...read, video_file_size: 7 }, headers)
    expect([whole.status, await whole.json()]).toEqual([200, expect.objectContaining({ video_file_size: 7 })])
  })

  test.each([
    ["viewer", ["read", "figures"]],
    ["operator", ["read", "figures", "add", "change"]],
    ["worker", ["add", "claim"]],
    ["admin", ["read", "figures", "add", "change", "claim", "admin"]],
  ] as const)("a %s can ask what it may do", async (role, may) => {
    const me = await new Client(server.url, { token: secrets.get(role) }).me()
    expect(me).toEqual({ role, item: null, expires_at: null, may: [...may] })
  })

  test("a caller with a token for one item can ask which item that is, and when the token ends", async () => {
    const [item, expiresAt] = [await added(), "2999-01-01T00:00:00.000Z"]
    const shared = await tokenOf(server, "viewer", { item, expiresAt })
    await known(server, shared)
    const me = await new Client(server.url, { token: shared }).me()
    expect(me).toEqual({ role: "viewer", item, expires_at: expiresAt, may: ["read"] })
    // What is no number of an item is refused to such a caller like to every other one.
    const statuses = [`${item}`, `${item + 1}`, "abc"].map(async (id) => {
      const answer = await server.api("GET", `/queue/${id}`, undefined, { authorization: `Bearer ${shared}` })
      return answer.status
    })
    expect(await Promise.all(statuses)).toEqual([200, 404, 422])
  })

  test("no secret reaches the log", () => {
    for (const secret of secrets.values()) expect(server.log).not.toContain(secret)
  })
})

test("without tokens on loopback the seed's session works as before, and not through a proxy", async () => {
  await using server = await start()
  expect((await server.api("POST", "/queue", { song_id: 1 })).status).toBe(201)
  expect(await new Client(server.url).me()).toMatchObject({ role: "admin", item: null, expires_at: null })
  for (const header of [
    ...["forwarded", "x-forwarded-for", "via"],
    ...["x-real-ip", "x-forwarded-host", "x-forwarded-proto"],
  ]) {
    const answer = await server.api("GET", "/queue", undefined, { [header]: "for=1.2.3.4" })
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ error: expect.stringContaining("--open") })
    // The path of the page, which needs no right, is a board of the queue for a terminal.
    expect((await fetch(server.url, { headers: { [header]: "for=1.2.3.4" } })).status).toBe(401)
  }
})

/** The routes of the API for which these rights are enough, beside those that need none. */
const routesFor = (rights: Rights): string[] =>
  Object.entries(NEEDS)
    .filter(([, need]) => need !== "nothing" && isAllowed(rights, need, () => false))
    .map(([route]) => route.replace(" /api/v1", " "))
    .sort()

const OF_ONE_ITEM = ["GET /me", "GET /queue/:id", "GET /queue/:id/output", "GET /queue/:id/updates"]

test("a token for one item opens what can be narrowed to that item, and no other route", () => {
  expect(routesFor({ role: "viewer", item: 7 })).toEqual(
    [
      ...OF_ONE_ITEM,
      ...["GET /progress/stream", "GET /progress/stream/:id", "GET /progress/ws", "GET /progress/ws/:id"],
      ...["GET /queue", "GET /queue/", "GET /songs/:song_id/output", "POST /tickets"],
    ].sort(),
  )
})

test("a worker adds, claims and reports, names its files, and sees no list", () => {
  const reports = ["progress", "heartbeat", "complete", "fail", "release", "steps", "steps/next", "output"]
  expect(routesFor({ role: "worker" })).toEqual(
    [
      ...OF_ONE_ITEM,
      ...["GET /songs/:song_id/output", "POST /tickets", "POST /queue", "POST /queue/", "PUT /queue/:id"],
      ...["POST /queue/claim", "POST /queue/:id/ingest/:renderer"],
      ...reports.map((verb) => `POST /queue/:id/${verb}`),
    ].sort(),
  )
})

test("without a token only the page, the documentation and the health routes are open", () => {
  const open = Object.entries(NEEDS).filter(([, need]) => need === "nothing")
  expect(open.map(([route]) => route).sort()).toEqual(
    [
      ...["/", "/items/:id", "/assets/:name", "/client.js", "/client.d.ts", "/openapi.json"],
      ...["/docs", "/docs/:page", "/docs/style.css", "/docs/address.js"],
      ...["/health", "/api/v1/health", "/health/live"],
    ]
      .map((path) => `GET ${path}`)
      .sort(),
  )
})
