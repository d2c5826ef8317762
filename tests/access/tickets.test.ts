import { expect, spyOn, test } from "bun:test"

import { Tickets } from "../../src/access/tickets.ts"
import { Tokens } from "../../src/access/tokens.ts"
import { sharedTickets } from "../../src/http/routes/tickets.ts"
import type { Access, TicketRow, TokenRow } from "../../src/store/contract/access.ts"

const AWAY = new Error("the database cannot be reached now")
const START_MS = Date.UTC(2026, 0, 2)

/** The token with this id. */
function tokenOf(id: number): TokenRow {
  const times = { created_at: "", expires_at: null, revoked_at: null, last_used_at: null }
  return { id, hash: "", label: "", role: "viewer", item: null, history: "", ...times }
}

/** The tickets of two servers with one store in memory, with a clock that is moved by hand. */
function made() {
  const clock = { nowMs: START_MS }
  const database = { isAway: false, uses: 0 }
  const rows = new Map<string, TicketRow>()
  const store: unknown = {
    isShared: true,
    addTicket: async (row: TicketRow) => void rows.set(row.hash, { ...row, used_at: null }),
    async useTicket(hash: string) {
      if (database.isAway) throw AWAY
      database.uses += 1
      const row = rows.get(hash)
      if (row) rows.set(hash, { ...row, used_at: new Date(clock.nowMs).toISOString() })
    },
    ticket: async (hash: string) => rows.get(hash) ?? null,
    tickets: async () => [...rows.values()],
  }
  const tokens: unknown = { byId: tokenOf }
  let count = 0
  const server = (): Tickets =>
    new Tickets(store as Access, tokens as Tokens, {
      now: () => clock.nowMs,
      digest: (text) => text,
      random: () => String((count += 1)).padStart(43, "x"),
      onError: (error) => {
        if (error !== AWAY) throw error
      },
    })
  return { clock, database, rows, tickets: server(), others: server() }
}

test("a path that only begins like that of an ingest counts as one to read", async () => {
  const { tickets } = made()
  const path = "/api/v1/queue/7/ingest/ffmpeg/more"
  const { ticket } = await tickets.create(tokenOf(1), path)
  expect(tickets.find(ticket, { method: "GET", path })?.id).toBe(1)
  expect(tickets.find(ticket, { method: "POST", path })).toBeUndefined()
})

test("a ticket must be used within 60 s, and is then good for 12 h, also after a restart", async () => {
  const { clock, tickets, others } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream/7" }
  const [unused, used] = [
    await tickets.create(tokenOf(1), use.path),
    await tickets.create(tokenOf(1), use.path),
  ]
  expect(Date.parse(used.expires_at)).toBe(START_MS + 12 * 3_600_000)
  clock.nowMs = START_MS + 59_999
  expect(tickets.find(used.ticket, use)?.id).toBe(1)
  clock.nowMs = START_MS + 60_000
  expect(tickets.find(unused.ticket, use)).toBeUndefined()
  await others.load()
  for (const server of [tickets, others]) {
    clock.nowMs = START_MS + 12 * 3_600_000 - 1
    expect(server.find(used.ticket, use)?.id).toBe(1)
    expect(server.find(unused.ticket, use)).toBeUndefined()
    clock.nowMs += 1
    expect(server.find(used.ticket, use)).toBeUndefined()
  }
})

test("a ticket that was used in time at another server stays valid", async () => {
  const { clock, tickets, others } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream/7" }
  const { ticket } = await tickets.create(tokenOf(1), use.path)
  await others.learn(ticket, () => undefined)
  expect(others.find(ticket, use)?.id).toBe(1)
  clock.nowMs += 61_000
  expect(tickets.find(ticket, use)).toBeUndefined()
  await tickets.learn(ticket, () => undefined)
  expect(tickets.find(ticket, use)?.id).toBe(1)
})

test("only a ticket that must be read in the database is counted, and none is read that may not be counted", async () => {
  const { rows, tickets, others } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream/7" }
  const { ticket } = await tickets.create(tokenOf(1), use.path)
  let counted = 0
  const count = (): void => void (counted += 1)
  for (const given of [ticket, "tst_short", ""]) await tickets.learn(given, count)
  expect(counted).toBe(0)
  const refuse = (): never => {
    throw new Error("too many")
  }
  await expect(others.learn(ticket, refuse)).rejects.toThrow("too many")
  expect(others.find(ticket, use)).toBeUndefined()
  // It is read once, however often it is used.
  for (let used = 0; used < 3; used += 1) await others.learn(ticket, count)
  expect(counted).toBe(1)
  rows.clear()
  expect(others.find(ticket, use)?.id).toBe(1)
})

test("a server forgets the ended tickets that other servers gave out, although it gives out none itself", async () => {
  const { clock, rows, tickets, others } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream/7" }
  const { ticket: ended } = await tickets.create(tokenOf(1), use.path)
  await others.learn(ended, () => undefined)
  expect(others.find(ended, use)?.id).toBe(1)
  clock.nowMs += 12 * 3_600_000
  const { ticket } = await tickets.create(tokenOf(1), use.path)
  await others.learn(ticket, () => undefined)
  // A ticket that is remembered is not read: only one that was forgotten is counted.
  rows.clear()
  let counted = 0
  await others.learn(ended, () => void (counted += 1))
  expect(counted).toBe(1)
  expect(others.find(ticket, use)?.id).toBe(1)
})

test("the ticket of a request that has a header is neither counted nor read, because it is not used", async () => {
  const { tickets, others } = made()
  const path = "/api/v1/progress/stream/7"
  const { ticket } = await tickets.create(tokenOf(1), path)
  let counted = 0
  const app = sharedTickets(others, () => void (counted += 1))
  const url = `http://127.0.0.1${path}?ticket=${ticket}`
  await app.handle(new Request(url, { headers: { authorization: "Bearer token" } }))
  expect([counted, others.find(ticket, { method: "GET", path })]).toEqual([0, undefined])
  await app.handle(new Request(url))
  expect([counted, others.find(ticket, { method: "GET", path })?.id]).toEqual([1, 1])
})

test("a client that asks for many tickets has those of all clients searched once a second, not each time", async () => {
  const { clock, rows, tickets } = made()
  let looks = 0
  const use_by = new Date(START_MS + 60_000).toISOString()
  rows.set("another", {
    ...{ hash: "another", token_id: 2, method: "GET", path: "/api/v1/me", use_by, used_at: null },
    get expires_at() {
      looks += 1
      return use_by
    },
  })
  await tickets.load()
  for (let asked = 0; asked < 50; asked += 1) await tickets.create(tokenOf(1), "/api/v1/me")
  expect(looks).toBe(1)
  clock.nowMs += 1000
  await tickets.create(tokenOf(1), "/api/v1/me")
  expect(looks).toBe(2)
  // Nor are they kept until a clock that was ahead is caught up with.
  clock.nowMs -= 60_000
  await tickets.create(tokenOf(1), "/api/v1/me")
  expect(looks).toBe(3)
})

test("a client that has waited as long as the answer said gets a ticket, although another client has just asked", async () => {
  const { clock, tickets } = made()
  const ask = (id: number): Promise<{ readonly ticket: string }> => tickets.create(tokenOf(id), "/api/v1/me")
  for (let asked = 0; asked < 1000; asked += 1) await ask(1)
  await expect(ask(1)).rejects.toMatchObject({ code: "too_many_requests", retryAfterMs: 60_000 })
  clock.nowMs += 59_500
  await ask(2)
  clock.nowMs += 500
  expect((await ask(1)).ticket).toStartWith("tst_")
})

test("a first use that the database did not store is stored with the next one, so that other servers know it", async () => {
  const { clock, database, tickets, others } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream" }
  const { ticket } = await tickets.create(tokenOf(1), use.path)
  database.isAway = true
  for (let i = 0; i < 2; i += 1) {
    expect(tickets.find(ticket, use)?.id).toBe(1)
    await Promise.resolve()
  }
  database.isAway = false
  expect(tickets.find(ticket, use)?.id).toBe(1)
  clock.nowMs += 3_600_000
  await others.learn(ticket, () => undefined)
  expect(others.find(ticket, use)?.id).toBe(1)
})

test("a first use that the database stored late is not stored again with each later use", async () => {
  const { database, tickets } = made()
  const use = { method: "GET", path: "/api/v1/progress/stream" }
  const { ticket } = await tickets.create(tokenOf(1), use.path)
  database.isAway = true
  expect(tickets.find(ticket, use)?.id).toBe(1)
  await Promise.resolve()
  database.isAway = false
  for (let i = 0; i < 3; i += 1) expect(tickets.find(ticket, use)?.id).toBe(1)
  expect(database.uses).toBe(1)
})

test("a ticket that could not be stored is not valid", async () => {
  const { rows, tickets } = made()
  const path = "/api/v1/progress/stream"
  using _full = spyOn(rows, "set").mockImplementation(() => {
    throw AWAY
  })
  await expect(tickets.create(tokenOf(1), path)).rejects.toBe(AWAY)
  expect(tickets.find(`tst_${"1".padStart(43, "x")}`, { method: "GET", path })).toBeUndefined()
})

test("tokens that could not be read are read at the next look, though nothing has changed since", async () => {
  const database = { isAway: false, version: 1, reads: 0 }
  const store: unknown = {
    version: async () => database.version,
    async tokens() {
      database.reads += 1
      if (database.isAway) throw AWAY
      return [{ ...tokenOf(database.version), hash: `h${database.version}`, history: "one" }]
    },
  }
  const options = { history: "one", now: () => START_MS, steadyMs: () => 0, digest: (text: string) => text }
  const tokens = new Tokens(store as Access, { ...options, onError: () => undefined })
  await tokens.look()
  database.version = 2
  database.isAway = true
  await expect(tokens.look()).rejects.toBe(AWAY)
  expect(tokens.byId(1)?.id).toBe(1)
  database.isAway = false
  await tokens.look()
  await tokens.look()
  expect([tokens.byId(1), tokens.byId(2)?.id, database.reads]).toEqual([undefined, 2, 3])
})
