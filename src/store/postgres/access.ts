import { and, asc, eq, gt } from "drizzle-orm"

import { unknownItem } from "../../errors.ts"
import { isRevokedToken, REVOKED, type Token, tokenOf } from "../../item/lease-token.ts"
import type { Access, TicketRow, TokenDraft, TokenRow } from "../contract/access.ts"
import type { PostgresConnections } from "./connections.ts"
import type { RolledBackCheck } from "./rolled-back-database.ts"
import { tickets, tokens } from "./schema.ts"

/** If it is repeated ($3) because its answer was lost, it has the same time ($2), and its answer is the same. */
const REVOKE = `WITH revoked AS (
  UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND (revoked_at IS NULL OR ($3 AND revoked_at = $2)) RETURNING id),
gone AS (DELETE FROM tickets WHERE token_id = $1)
SELECT count(*)::int AS n FROM revoked`

/**
 * A sum over all tokens, as a number that JavaScript counts exactly. A mere count would stay the same if a token or its
 * end was lost with a part of the database, and another one was stored.
 */
const VERSION = `SELECT (coalesce(sum(id * (1 + coalesce(revoked_at, 0)::numeric)), 0) % ${Number.MAX_SAFE_INTEGER})::float8 AS n
  FROM tokens`

/** The leases in force that were claimed with a token. */
const HELD = `SELECT id, lease_token FROM queue_items WHERE section = 0 AND lease_holder = $1 AND lease_expires_at IS NOT NULL
    AND lease_token NOT LIKE '${REVOKED}%'`

/** A lease that ran out long ago, with no token that a worker could show. */
const END_LEASES = `WITH held AS MATERIALIZED (${HELD} ORDER BY id FOR NO KEY UPDATE)
UPDATE queue_items q SET lease_token = '${REVOKED}' || q.lease_token, lease_expires_at = 0, version = q.version + 1
FROM held WHERE q.id = held.id RETURNING q.id, q.lease_token`

const ADD_TICKET = `WITH ended AS (
  DELETE FROM tickets WHERE expires_at <= $7::int8 OR (used_at IS NULL AND use_by <= $7::int8))
INSERT INTO tickets (hash, token_id, method, path, use_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (hash) DO NOTHING`

/** What is stored of the leases of some items. */
const STORED_LEASES = "SELECT id, lease_token FROM queue_items WHERE id = ANY($1::int8[])"

interface CountRow {
  readonly n: number
}

/** An item with what is stored of its leases. */
interface LeaseRow extends Token {
  /** The client gives it as text. */
  readonly id: string
}

const NO_LEASE: Token = { lease_token: null }

/** The Access on PostgreSQL. */
export class PostgresAccess implements Access {
  readonly isShared = true
  readonly #link: PostgresConnections
  readonly #history: string
  readonly #backCheck: RolledBackCheck
  readonly #now: () => number

  /**
   * `history` is the present one. `backCheck` notices if the database has gone back. `now` is the database's clock, in epoch
   * milliseconds.
   */
  constructor(link: PostgresConnections, history: string, backCheck: RolledBackCheck, now: () => number) {
    this.#link = link
    this.#history = history
    this.#backCheck = backCheck
    this.#now = now
  }

  tokens(): Promise<readonly TokenRow[]> {
    return this.#link.get(this.#link.db.select().from(tokens).orderBy(asc(tokens.id)))
  }

  async version(): Promise<number> {
    const [row] = await this.#link.run<CountRow>(VERSION)
    return row?.n ?? 0
  }

  async addToken(draft: TokenDraft): Promise<TokenRow> {
    if (draft.item !== null && !(await this.#hasItem(draft.item))) throw unknownItem(draft.item)
    const times = { created_at: this.#time(), revoked_at: null, last_used_at: null }
    const row = { ...draft, ...times, history: this.#history }
    let isRepeated = false
    const [added] = await this.#link.patiently(async () => {
      const stored = isRepeated ? await this.#withHash(draft.hash) : []
      isRepeated = true
      if (stored.length > 0) return stored
      await this.#backCheck.beforeNumber(this.#link)
      return this.#link.db.insert(tokens).values(row).returning()
    })
    if (!added) throw new RangeError("the token has no row")
    return added
  }

  async #withHash(hash: string): Promise<readonly TokenRow[]> {
    return this.#link.db.select().from(tokens).where(eq(tokens.hash, hash))
  }

  async #hasItem(id: number): Promise<boolean> {
    const text = "SELECT count(*)::int AS n FROM queue_items WHERE id = $1 AND deleted_at IS NULL"
    const [row] = await this.#link.run<CountRow>(text, [id])
    return row?.n === 1
  }

  async revokeToken(id: number): Promise<boolean> {
    const nowMs = this.#now()
    let isRepeated = false
    return this.#link.patiently(async () => {
      const asked = [id, nowMs, isRepeated]
      isRepeated = true
      const [row] = await this.#link.ask<CountRow>(REVOKE, asked)
      return row?.n === 1
    })
  }

  async endLeases(id: number): Promise<number> {
    const seen = new Map<string, LeaseRow>()
    const note = (leases: readonly LeaseRow[]): void => {
      for (const lease of leases) seen.set(tokenOf(lease), lease)
    }
    let isRepeated = false
    return this.#link.patiently(async () => {
      note(await this.#link.ask<LeaseRow>(HELD, [id]))
      const wasLost = isRepeated
      isRepeated = true
      const ended = await this.#link.ask<LeaseRow>(END_LEASES, [id])
      if (!wasLost) return ended.length
      // The statement whose answer was lost may have ended them.
      note(ended)
      return this.#revokedOf(seen)
    })
  }

  /** How many leases, by their tokens, are revoked by now. */
  async #revokedOf(leases: ReadonlyMap<string, LeaseRow>): Promise<number> {
    const ids = [...leases.values()].map(({ id }) => id)
    const rows = await this.#link.ask<LeaseRow>(STORED_LEASES, [ids])
    const stored = new Map(rows.map((row) => [row.id, row]))
    return [...leases].filter(([token, { id }]) => isRevokedToken(stored.get(id) ?? NO_LEASE, token)).length
  }

  async useTokens(ids: readonly number[]): Promise<void> {
    await this.#link.run("UPDATE tokens SET last_used_at = $2 WHERE id = ANY($1::int8[])", [
      [...ids],
      this.#now(),
    ])
  }

  async addTicket({ hash, token_id, method, path, use_by, expires_at }: Omit<TicketRow, "used_at">) {
    const times = [Date.parse(use_by), Date.parse(expires_at), this.#now()]
    await this.#link.run(ADD_TICKET, [hash, token_id, method, path, ...times])
  }

  async ticket(hash: string): Promise<TicketRow | null> {
    const isLive = and(eq(tickets.hash, hash), gt(tickets.expires_at, this.#time()))
    const [row] = await this.#link.get(this.#link.db.select().from(tickets).where(isLive))
    return row ?? null
  }

  tickets(): Promise<readonly TicketRow[]> {
    return this.#link.get(this.#link.db.select().from(tickets).where(gt(tickets.expires_at, this.#time())))
  }

  async useTicket(hash: string): Promise<void> {
    const text = "UPDATE tickets SET used_at = $2 WHERE hash = $1 AND used_at IS NULL"
    await this.#link.run(text, [hash, this.#now()])
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }
}
