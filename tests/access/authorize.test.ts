import { expect, setDefaultTimeout, spyOn, test } from "bun:test"

import type { Credentials } from "../../src/access/authorize.ts"
import { isAllowed } from "../../src/access/roles.ts"
import { digest } from "../../src/access/secret.ts"
import { Tokens } from "../../src/access/tokens.ts"
import { ROLES } from "../../src/store/contract/access.ts"
import { added } from "../contracts/store.contract.ts"
import { ALL_NEEDS } from "./needs.ts"
import { bearer, credentials, onError, opened, refusal, START_MS } from "./opened.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

const MINUTE_MS = 60_000

test("without tokens, callers on this machine may do everything, and no others may", async () => {
  await using server = await opened()
  const { access } = server
  for (const need of ALL_NEEDS) expect(access.caller(credentials(), need).role).toBe("admin")
  expect(refusal(() => access.caller(credentials({}, false), "read"))).toBe("forbidden")
  expect(access.caller(credentials({}, false), "nothing").role).toBe("nobody")
  // Before a route is known, only those on this machine are not counted.
  const callers = [true, false].map((isLocal) => access.unknownCaller(credentials({}, isLocal).from))
  expect(callers.map(({ client }) => client)).toEqual([undefined, "10.0.0.1"])
})

test("an open server without tokens serves everybody, and counts the requests of other machines", async () => {
  await using server = await opened(true)
  const stranger = server.access.caller(credentials({}, false), "admin")
  expect([stranger.role, stranger.client]).toEqual(["admin", "10.0.0.1"])
})

test("after a token was created every caller needs one, even if the last token is revoked", async () => {
  await using server = await opened(true)
  const { access, beside, tokens } = server
  const { id, secret } = await server.token()
  expect(refusal(() => access.caller(credentials(), "read"))).toBe("unauthorized")
  for (const scheme of ["Bearer", "bearer", "BEARER "])
    expect(access.caller(credentials({ authorization: `${scheme} ${secret}` }), "read").role).toBe("viewer")
  for (const authorization of [secret, `Basic ${secret}`, `Bearer${secret}`])
    expect(refusal(() => access.caller(credentials({ authorization }), "read"))).toBe("unauthorized")
  await beside.revokeToken(id)
  await tokens.look()
  expect(refusal(() => access.caller(bearer(secret), "read"))).toBe("unauthorized")
  expect(refusal(() => access.caller(credentials(), "read"))).toBe("unauthorized")
})

test.each(ROLES)("the role %s may do what the table says, and the refusal names who may", async (role) => {
  await using server = await opened()
  const { secret } = await server.token({ role })
  for (const need of ALL_NEEDS) {
    const expected = isAllowed({ role }, need, () => true) ? undefined : "forbidden"
    expect(refusal(() => server.access.caller(bearer(secret), need))).toBe(expected)
  }
})

test("a lease alone opens a worker's routes, and nothing else", async () => {
  await using server = await opened()
  await server.token()
  const leased = credentials({ hasLease: true })
  expect(refusal(() => server.access.caller(leased, "report"))).toBe(undefined)
  for (const need of ALL_NEEDS.filter((each) => each !== "report" && each !== "nothing")) {
    expect(refusal(() => server.access.caller(leased, need))).toBe("unauthorized")
  }
})

test("a request with a valid lease is let in beside a revoked token, and does not count as a failed token", async () => {
  await using server = await opened()
  await server.token()
  const revoked = { ...bearer("tsk_revoked"), hasLease: true }
  for (let i = 0; i < 40; i += 1)
    expect(refusal(() => server.access.caller(revoked, "report"))).toBe(undefined)
  expect(refusal(() => server.access.caller(revoked, "read"))).toBe("unauthorized")
})

test("a token with fewer rights beside a lease does not weaken the lease", async () => {
  await using server = await opened()
  const item = await added(server.store)
  for (const draft of [{ role: "viewer" }, { role: "operator" }, { item }] as const) {
    const { secret } = await server.token(draft)
    const leased = { ...bearer(secret), hasLease: true }
    expect(server.access.caller(leased, "report")).toMatchObject({ role: "nobody", token: undefined })
    expect(refusal(() => server.access.caller(bearer(secret), "report"))).toBe("forbidden")
    expect(refusal(() => server.access.caller(leased, "claim"))).toBe("forbidden")
  }
})

test("each token has a bounded number of tickets, and those that were not used in time make room", async () => {
  await using server = await opened()
  const { tickets, tokens, clock } = server
  const token = tokens.find((await server.token()).secret)
  if (!token) throw new Error("the token is unknown")
  const path = "/api/v1/progress/stream"
  await Promise.all(Array.from({ length: 1000 }, () => tickets.create(token, path)))
  await expect(tickets.create(token, path)).rejects.toThrow("1000 tickets")
  const other = tokens.find((await server.token()).secret) ?? token
  await tickets.create(other, path)
  clock.nowMs += MINUTE_MS
  await tickets.create(token, path)
  expect(await server.store.access.tickets()).toHaveLength(1)
  await expect(tickets.create(token, `${path}?x=${"y".repeat(2000)}`)).rejects.toThrow("path must be")
})

test("a token for one item reads, and may do nothing else", async () => {
  await using server = await opened()
  const item = await added(server.store)
  const { secret } = await server.token({ item })
  expect(server.access.caller(bearer(secret), "item").item).toBe(item)
  const refused = ALL_NEEDS.filter(
    (need) => refusal(() => server.access.caller(bearer(secret), need)) !== undefined,
  )
  expect(refused).toEqual(ALL_NEEDS.filter((need) => !["nothing", "item", "read"].includes(need)))
})

test("a token for an item of another history is worth nothing", async () => {
  await using server = await opened()
  const { secret } = await server.token({ item: await added(server.store) })
  const now = (): number => START_MS
  const others = new Tokens(server.store.access, { history: "another", now, steadyMs: now, digest, onError })
  await others.look()
  expect(others.find(secret)).toBe(undefined)
})

test("the first token ends streams that were opened without a token, on this machine and elsewhere", async () => {
  await using server = await opened(true)
  const callers = [credentials(), credentials({}, false)].map((from) => server.access.caller(from, "read"))
  expect(callers.map(({ ended }) => ended?.aborted)).toEqual([false, false])
  await server.token()
  expect(callers.map(({ ended }) => ended?.aborted)).toEqual([true, true])
})

test("if the database has lost its tokens, callers on this machine may open streams again", async () => {
  await using server = await opened()
  await server.token()
  using _rows = spyOn(server.store.access, "tokens").mockResolvedValue([])
  using _version = spyOn(server.store.access, "version").mockResolvedValue(-2)
  await server.tokens.look()
  expect(server.access.caller(credentials(), "read").ended?.aborted).toBe(false)
})

test("a token that expires or is revoked ends the streams that it opened, and no others", async () => {
  await using server = await opened()
  const { access, tokens, clock, beside } = server
  const short = await server.token({ expires_at: new Date(START_MS + MINUTE_MS).toISOString() })
  const revoked = await server.token()
  const other = await server.token()
  const ended = [short, revoked, other].map(({ secret }) => access.caller(bearer(secret), "read").ended)
  await beside.revokeToken(revoked.id)
  await tokens.look()
  expect(ended.map((signal) => signal?.aborted)).toEqual([false, true, false])
  clock.nowMs += MINUTE_MS
  expect(refusal(() => access.caller(bearer(short.secret), "read"))).toBe("unauthorized")
  await tokens.look()
  expect(ended.map((signal) => signal?.aborted)).toEqual([true, true, false])
})

test("a token that is valid again, because the clock was corrected, ends no stream that it opens then", async () => {
  await using server = await opened()
  const { access, tokens, clock } = server
  const { secret } = await server.token({ expires_at: new Date(START_MS + MINUTE_MS).toISOString() })
  const before = access.caller(bearer(secret), "read")
  clock.nowMs += MINUTE_MS
  await tokens.look()
  expect(before.ended?.aborted).toBe(true)
  clock.nowMs -= MINUTE_MS
  await tokens.look()
  expect(access.caller(bearer(secret), "read").ended?.aborted).toBe(false)
})

test("thirty bad tokens of one address are answered at once and later ones once a minute, but a good one always", async () => {
  await using server = await opened()
  const { access, clock } = server
  const { secret } = await server.token()
  const tries = Array.from({ length: 31 }, () => refusal(() => access.caller(bearer("tsk_wrong"), "read")))
  expect(tries.filter((code) => code === "unauthorized")).toHaveLength(30)
  expect(tries.at(-1)).toBe("too_many_requests")
  const isOver = expect.objectContaining({ retryAfterMs: MINUTE_MS })
  expect(() => access.caller(bearer("tsk_wrong"), "read")).toThrow(isOver)
  expect(access.caller(bearer(secret), "read").role).toBe("viewer")
  const elsewhere = { ...bearer("tsk_wrong"), from: () => ({ key: "10.0.0.2", isLocal: false }) }
  expect(refusal(() => access.caller(elsewhere, "read"))).toBe("unauthorized")
  clock.nowMs += MINUTE_MS
  expect(refusal(() => access.caller(bearer("tsk_wrong"), "read"))).toBe("unauthorized")
})

test("a good token in one of several headers, or before a comma, is not taken, and the refusal names the cause", async () => {
  await using server = await opened()
  const { access } = server
  const good = `Bearer ${(await server.token()).secret}`
  for (const sent of [
    [good, good],
    [good, ""],
    ["", good],
    ["Basic eDp5", good],
    [good, "Basic eDp5"],
    [`${good},`],
  ]) {
    const authorization = sent.join(", ")
    expect(() => access.caller({ ...bearer(""), authorization }, "read")).toThrow(
      "as if it was sent several times",
    )
  }
  const ofOthers = 'Digest username="x", realm="y"'
  expect(() => access.caller({ ...bearer(""), authorization: ofOthers }, "read")).toThrow("token is unknown")
})

test("a ticket is valid for its path alone: for a minute until its first use, and then for reconnects", async () => {
  await using server = await opened()
  const { access, tickets, tokens, clock } = server
  const { secret } = await server.token()
  const token = tokens.find(secret)
  if (!token) throw new Error("the token is unknown")
  const path = "/api/v1/progress/stream/7?format=sse"
  const { ticket, expires_at } = await tickets.create(token, path)
  const late = await tickets.create(token, path)
  const use = (given: string, at = path, method = "GET"): string | undefined =>
    refusal(() => access.caller(credentials({ ticket: given, path: at, method }), "read"))
  expect(use(ticket, "/api/v1/progress/stream/8?format=sse")).toBe("unauthorized")
  expect(use(ticket, path, "POST")).toBe("unauthorized")
  expect(use(ticket, `${path}&ticket=${ticket}`)).toBe(undefined)
  clock.nowMs += MINUTE_MS
  expect(use(late.ticket)).toBe("unauthorized")
  expect(use(ticket, `/api/v1/progress/stream/7?ticket=${ticket}&format=sse&lastEventId=5&t=1`)).toBe(
    undefined,
  )
  clock.nowMs = Date.parse(expires_at)
  expect(use(ticket)).toBe("unauthorized")
})

test("a ticket that was given out while the clock was far ahead does not last for years", async () => {
  await using server = await opened()
  const { access, tickets, tokens, clock } = server
  const token = tokens.find((await server.token()).secret)
  if (!token) throw new Error("the token is unknown")
  const path = "/api/v1/progress/stream"
  clock.nowMs += 64 * 365 * 24 * 60 * MINUTE_MS
  const { ticket } = await tickets.create(token, path)
  const use = (): string | undefined => refusal(() => access.caller(credentials({ ticket, path }), "read"))
  expect(use()).toBe(undefined)
  clock.nowMs -= 10 * MINUTE_MS
  expect(use()).toBe(undefined)
  clock.nowMs = START_MS
  expect(use()).toBe("unauthorized")
})

test("a caller is counted by its token, or without a token by its address, whatever else it sends", async () => {
  await using server = await opened()
  const { access } = server
  const { secret, id } = await server.token({ role: "worker" })
  const from = (key: string) => (): { key: string; isLocal: boolean } => ({ key, isLocal: false })
  const clientOf = (more: Partial<Credentials>): string | undefined =>
    access.caller(credentials(more, false), "report").client
  for (const key of ["10.0.0.1", "10.0.0.2"]) {
    expect(clientOf({ hasLease: true, from: from(key) })).toBe(key)
    const withToken = { authorization: `Bearer ${secret}`, from: from(key) }
    expect([clientOf(withToken), clientOf({ ...withToken, hasLease: true })]).toEqual([
      `token ${id}`,
      `token ${id}`,
    ])
    // What needs no right is counted, too.
    expect(access.caller(credentials({ from: from(key) }), "nothing").client).toBe(key)
    // For a token that is not valid, only the lease counts.
    expect(clientOf({ authorization: "Bearer tsk_unknown", hasLease: true, from: from(key) })).toBe(key)
  }
})

test("keys that clients add to an address by themselves are ignored when a ticket is given and when it is used", async () => {
  await using server = await opened()
  const { tickets, tokens } = server
  const token = tokens.find((await server.token()).secret)
  if (!token) throw new Error("the token is unknown")
  const path = "/api/v1/progress/stream"
  const added =
    "t=1 ts=2 cb=3 _=4 last_event_id=5 lastEventId=6 Last-Event-ID=7 ticket=8 last%5Fevent%5Fid=9".split(" ")
  const addresses = ["", "?song_id=1"].map((query) => `${path}${query}`)
  for (const address of addresses) {
    const all = [address, ...added.map((one) => `${address}${address.includes("?") ? "&" : "?"}${one}`)]
    for (const given of all) {
      const { ticket } = await tickets.create(token, given)
      const uses = all.filter((used) => tickets.find(ticket, { method: "GET", path: used })?.id === token.id)
      expect([given, ...uses]).toEqual([given, ...all])
      for (const other of addresses.filter((one) => one !== address))
        expect(tickets.find(ticket, { method: "GET", path: other })).toBeUndefined()
    }
  }
})

test("tickets stay valid over a restart of the server, and end with their token", async () => {
  await using server = await opened()
  const { tickets, tokens, beside } = server
  const { secret, id } = await server.token()
  const token = tokens.find(secret)
  if (!token) throw new Error("the token is unknown")
  const path = "/api/v1/progress/stream"
  const { ticket } = await tickets.create(token, path)
  const again = await server.made()
  expect(again.tickets.find(ticket, { method: "GET", path })?.id).toBe(id)
  await beside.revokeToken(id)
  await again.tokens.look()
  expect(again.tickets.find(ticket, { method: "GET", path })).toBe(undefined)
})

test("a ticket for an ingest path needs a role that may report", async () => {
  await using server = await opened()
  const { tickets, tokens } = server
  const viewer = tokens.find((await server.token()).secret)
  const worker = tokens.find((await server.token({ role: "worker" })).secret)
  if (!viewer || !worker) throw new Error("a token is unknown")
  const path = "/api/v1/queue/7/ingest/ffmpeg?total=10"
  const { ticket } = await tickets.create(worker, path)
  expect(tickets.find(ticket, { method: "POST", path })?.role).toBe("worker")
  await expect(tickets.create(viewer, path)).rejects.toThrow("worker")
  for (const bad of [
    "",
    "queue",
    "https://example.com/api/v1/queue",
    "/api/v1/queue#x",
    "/docs",
    "/api/v1/ queue",
  ]) {
    await expect(tickets.create(worker, bad)).rejects.toThrow("path must be")
  }
})

test("a ticket ends no later than its token, and the answer has that time", async () => {
  await using house = await opened()
  const expires_at = new Date(START_MS + 5 * MINUTE_MS).toISOString()
  const token = house.tokens.find((await house.token({ expires_at })).secret)
  if (!token) throw new Error("the token is unknown")
  expect((await house.tickets.create(token, "/api/v1/progress/stream")).expires_at).toBe(expires_at)
})

test("the use of a token is stored once a minute, however often it is used", async () => {
  await using house = await opened()
  const { secret } = await house.token()
  const token = house.tokens.find(secret)
  if (!token) throw new Error("the token is unknown")
  const written = spyOn(house.store.access, "useTokens")
  for (const afterMs of [0, 1, MINUTE_MS - 1, MINUTE_MS, MINUTE_MS + 1]) {
    house.clock.nowMs = START_MS + afterMs
    house.tokens.use(token)
  }
  expect(written).toHaveBeenCalledTimes(2)
  house.clock.nowMs = START_MS + 2 * MINUTE_MS
  house.access.caller(bearer(secret), "read")
  expect(written).toHaveBeenCalledTimes(3)
  await Promise.all(written.mock.results.map(({ value }) => value))
  expect((await house.store.access.tokens())[0]?.last_used_at).not.toBeNull()
})

test("if tokens could not be read, they are read in the next round", async () => {
  await using house = await opened()
  spyOn(house.store.access, "tokens").mockRejectedValueOnce(new Error("the disk is broken"))
  await expect(house.token()).rejects.toThrow("the disk is broken")
  expect(house.tokens.existed).toBe(false)
  await house.tokens.look()
  expect(house.tokens.existed).toBe(true)
})
