import type { Database } from "bun:sqlite"

import { and, asc, count, desc, eq, gt, lt, lte, min, notInArray, or, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import type { StoredUpdate } from "../../item/stored.ts"
import type { DeliveryStatus, Notice } from "../../item/webhook-notice.ts"
import {
  AHEAD_MS,
  type Deliveries,
  deliveriesPage,
  type DeliveriesQuery,
  type Delivery,
  deliveryCounts,
  KEPT_MS,
  type Settlement,
} from "../contract/deliveries.ts"
import type { GroupCommit } from "./group-commit.ts"
import { HEAD } from "./history.ts"
import { deliveries, webhooks } from "./schema.ts"

// The sign + keeps SQLite from using the index of the URL, with which it would sort.
const FAILING =
  "SELECT id, url, error FROM deliveries WHERE status = 'pending' AND +url = ? AND attempts > 0 ORDER BY id DESC LIMIT 1"
const DELIVERED_LATER = "SELECT 1 FROM deliveries WHERE status = 'delivered' AND id > ? AND +url = ? LIMIT 1"

/** The Deliveries on SQLite. */
export class SqliteDeliveries implements Deliveries {
  readonly #db: ReturnType<typeof drizzle>
  readonly #client: Database
  readonly #group: GroupCommit
  readonly #now: () => number
  /**
   * Until this time deliveries are reserved, in epoch milliseconds. Only one process has the file, so this is
   * kept in memory.
   */
  readonly #taken = new Map<number, number>()

  /** `now` is the clock, in epoch milliseconds. */
  constructor(client: Database, group: GroupCommit, now: () => number) {
    this.#db = drizzle(client)
    this.#client = client
    this.#group = group
    this.#now = now
  }

  follow(urls: readonly string[]): Promise<void> {
    return this.#group.run(() => {
      const db = this.#db
      const others = and(notInArray(deliveries.url, [...urls]), eq(deliveries.status, "pending"))
      const forgotten = { status: "failed", error: "the webhook is no longer configured" } as const
      db.update(deliveries)
        .set({ ...forgotten, next_attempt_at: null, finished_at: this.#time() })
        .where(others)
        .run()
      db.delete(webhooks)
        .where(notInArray(webhooks.url, [...urls]))
        .run()
      for (const url of urls) {
        db.insert(webhooks)
          .values({ url, cursor: sql.raw(HEAD) })
          .onConflictDoNothing()
          .run()
      }
    })
  }

  async failing(url: string): Promise<Pick<Delivery, "id" | "url" | "error"> | undefined> {
    const failing = this.#client.query<Pick<Delivery, "id" | "url" | "error">, [string]>(FAILING).get(url)
    if (failing === null || this.#client.query(DELIVERED_LATER).get(failing.id, url) !== null)
      return undefined
    return failing
  }

  async cursor(): Promise<number | null> {
    return (
      this.#db
        .select({ cursor: min(webhooks.cursor) })
        .from(webhooks)
        .get()?.cursor ?? null
    )
  }

  add(
    notices: readonly { readonly notice: Notice; readonly update: StoredUpdate }[],
    upTo: number,
  ): Promise<void> {
    return this.#group.run(() => {
      const db = this.#db
      const time = this.#time()
      for (const { url, cursor } of db.select().from(webhooks).all()) {
        for (const { notice, update } of notices.filter(({ update: { id } }) => id > cursor)) {
          const { id: update_id, queue_id, data } = update
          db.insert(deliveries)
            .values({ url, notice, update_id, queue_id, data, created_at: time, next_attempt_at: time })
            .run()
        }
      }
      db.update(webhooks)
        .set({ cursor: sql`max(${webhooks.cursor}, ${upTo})` })
        .run()
      const { finished_at } = deliveries
      db.delete(deliveries)
        .where(or(lte(finished_at, this.#time(-KEPT_MS)), gt(finished_at, this.#time(AHEAD_MS))))
        .run()
    })
  }

  async take(url: string, limit: number, forMs: number): Promise<readonly Delivery[]> {
    const nowMs = this.#now()
    for (const [id, untilMs] of this.#taken) if (untilMs <= nowMs) this.#taken.delete(id)
    const { next_attempt_at } = deliveries
    const isDue = or(lte(next_attempt_at, this.#time()), gt(next_attempt_at, this.#time(AHEAD_MS)))
    const due = this.#db
      .select()
      .from(deliveries)
      .where(and(eq(deliveries.url, url), isDue))
      .orderBy(asc(deliveries.next_attempt_at), asc(deliveries.id))
      .limit(limit + this.#taken.size)
      .all()
      .filter(({ id }) => !this.#taken.has(id))
      .slice(0, limit)
    for (const { id } of due) this.#taken.set(id, nowMs + forMs)
    return due
  }

  async giveBack(id: number): Promise<void> {
    this.#taken.delete(id)
  }

  async settle(id: number, { status, nextAttemptAt, answer, error }: Settlement): Promise<void> {
    await this.#group.run(
      () =>
        void this.#db
          .update(deliveries)
          .set({
            status,
            answer,
            error,
            attempts: sql`${deliveries.attempts} + 1`,
            next_attempt_at: nextAttemptAt,
            finished_at: status === "pending" ? null : this.#time(),
          })
          .where(and(eq(deliveries.id, id), eq(deliveries.status, "pending")))
          .run(),
    )
    this.#taken.delete(id)
  }

  async standing(): Promise<Record<DeliveryStatus, number>> {
    const rows = this.#db
      .select({ status: deliveries.status, count: count() })
      .from(deliveries)
      .groupBy(deliveries.status)
      .all()
    return deliveryCounts(rows)
  }

  async list({ status, limit, before }: DeliveriesQuery) {
    const rows = this.#db
      .select()
      .from(deliveries)
      .where(
        and(
          status === undefined ? undefined : eq(deliveries.status, status),
          before === undefined ? undefined : lt(deliveries.id, before),
        ),
      )
      .orderBy(desc(deliveries.id))
      .limit(limit + 1)
      .all()
    return deliveriesPage(rows, limit)
  }

  /** The time in so many milliseconds. */
  #time(inMs = 0): string {
    return new Date(this.#now() + inMs).toISOString()
  }
}
