import { expect, test } from "bun:test"

import { Tickets } from "../../src/access/tickets.ts"
import type { Tokens } from "../../src/access/tokens.ts"
import type { Access, TokenRow } from "../../src/store/contract/access.ts"

const START_MS = Date.UTC(2026, 0, 2)

/** The token with this id. */
function tokenOf(id: number): TokenRow {
  const times = { created_at: "", expires_at: null, revoked_at: null, last_used_at: null }
  return { id, hash: "", label: "", role: "viewer", item: null, history: "", ...times }
}

/** Tickets that are kept in memory alone, with a clock that is moved by hand. */
function made() {
  const clock = { nowMs: START_MS }
  const store: unknown = {
    isShared: false,
    addTicket: async () => undefined,
    useTicket: async () => undefined,
  }
  const tokens: unknown = { byId: tokenOf }
  let count = 0
  const tickets = new Tickets(store as Access, tokens as Tokens, {
    now: () => clock.nowMs,
    digest: (text) => text,
    random: () => String((count += 1)).padStart(43, "x"),
    onError: (error) => {
      throw error
    },
  })
  return { clock, tickets }
}

test("a path that only begins like that of an ingest counts as one to read", async () => {
  const { tickets } = made()
  const path = "/api/v1/queue/7/ingest/ffmpeg/more"
  const { ticket } = await tickets.create(tokenOf(1), path)
  expect(tickets.find(ticket, { method: "GET", path })?.id).toBe(1)
  expect(tickets.find(ticket, { method: "POST", path })).toBeUndefined()
})
