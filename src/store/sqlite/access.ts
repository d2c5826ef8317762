import type { Database } from "bun:sqlite"

import { and, asc, eq, gt, inArray, isNotNull, isNull, lte, notLike, or, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { unknownItem } from "../../errors.ts"
import { REVOKED } from "../../item/lease-token.ts"
import type { Access, TicketRow, TokenDraft, TokenRow } from "../contract/access.ts"
import type { GroupCommit } from "./group-commit.ts"
import { history, queueItems, tickets, tokens } from "./schema.ts"

/** The Access on SQLite. */
export class SqliteAccess implements Access {
  readonly isShared = false
  readonly #client: Database
  readonly #db: ReturnType<typeof drizzle>
  readonly #group: Pick<GroupCommit, "run">
  readonly #now: () => number
  readonly #onItem: (id: number) => void

  /** `now` is the clock, in epoch milliseconds. `onItem` is called with each item whose row is written here. */
  constructor(
    client: Database,
    group: Pick<GroupCommit, "run">,
    now: () => number,
    onItem: (id: number) => void = () => undefined,
  ) {
    this.#onItem = onItem
    this.#client = client
    this.#db = drizzle(client)
    this.#group = group
    this.#now = now
  }

  async tokens(): Promise<readonly TokenRow[]> {
    return this.#db.select().from(tokens).orderBy(asc(tokens.id)).all()
  }

  async version(): Promise<number> {
    const row = this.#client.query<{ data_version: number }, []>("PRAGMA data_version").get()
    return row?.data_version ?? 0
  }

  addToken(draft: TokenDraft): Promise<TokenRow> {
    return this.#group.run(() => {
      if (draft.item !== null && !this.#hasItem(draft.item)) throw unknownItem(draft.item)
      const present = this.#db.select({ id: history.id }).from(history).get()
      const times = { created_at: this.#time(), revoked_at: null, last_used_at: null }
      return this.#db
        .insert(tokens)
        .values({ ...draft, ...times, history: present?.id ?? "" })
        .returning()
        .get()
    })
  }

  revokeToken(id: number): Promise<boolean> {
    return this.#group.run(() => {
      const revoked = this.#db
        .update(tokens)
        .set({ revoked_at: this.#time() })
        .where(and(eq(tokens.id, id), isNull(tokens.revoked_at)))
        .returning({ id: tokens.id })
        .all()
      this.#db.delete(tickets).where(eq(tickets.token_id, id)).run()
      return revoked.length > 0
    })
  }

  endLeases(id: number): Promise<number> {
    return this.#group.run(() => {
      const { section, lease_holder, lease_token, lease_expires_at } = queueItems
      const isInForce = notLike(lease_token, `${REVOKED}%`)
      const ended = this.#db
        .update(queueItems)
        // The lease ran out long ago, and no worker has a token for it.
        .set({ lease_token: sql`${REVOKED} || ${lease_token}`, lease_expires_at: 0 })
        .where(and(eq(section, 0), eq(lease_holder, id), isNotNull(lease_expires_at), isInForce))
        .returning({ id: queueItems.id })
        .all()
      for (const item of ended) this.#onItem(item.id)
      return ended.length
    })
  }

  useTokens(ids: readonly number[]): Promise<void> {
    return this.#group.run(
      () =>
        void this.#db
          .update(tokens)
          .set({ last_used_at: this.#time() })
          .where(inArray(tokens.id, [...ids]))
          .run(),
    )
  }

  addTicket(ticket: Omit<TicketRow, "used_at">): Promise<void> {
    return this.#group.run(() => {
      const time = this.#time()
      const isUnused = and(isNull(tickets.used_at), lte(tickets.use_by, time))
      this.#db
        .delete(tickets)
        .where(or(lte(tickets.expires_at, time), isUnused))
        .run()
      this.#db.insert(tickets).values(ticket).run()
    })
  }

  async ticket(hash: string): Promise<TicketRow | null> {
    const isLive = and(eq(tickets.hash, hash), gt(tickets.expires_at, this.#time()))
    return this.#db.select().from(tickets).where(isLive).get() ?? null
  }

  async tickets(): Promise<readonly TicketRow[]> {
    return this.#db.select().from(tickets).where(gt(tickets.expires_at, this.#time())).all()
  }

  useTicket(hash: string): Promise<void> {
    return this.#group.run(
      () =>
        void this.#db
          .update(tickets)
          .set({ used_at: this.#time() })
          .where(and(eq(tickets.hash, hash), isNull(tickets.used_at)))
          .run(),
    )
  }

  #hasItem(id: number): boolean {
    const isIt = and(eq(queueItems.id, id), isNull(queueItems.deleted_at))
    return this.#db.select({ id: queueItems.id }).from(queueItems).where(isIt).get() !== undefined
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }
}
