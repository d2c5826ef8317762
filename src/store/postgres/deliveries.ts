import { and, asc, desc, eq, lt, lte, sql } from "drizzle-orm"

import type { StoredUpdate } from "../../item/item.ts"
import type { DeliveryStatus, Notice } from "../../item/notice.ts"
import type { Deliveries, DeliveriesQuery, Delivery, Settlement } from "../deliveries.ts"
import { HEAD } from "./history.ts"
import type { Link } from "./link.ts"
import { deliveries } from "./schema.ts"

const KEPT_MS = 7 * 24 * 60 * 60 * 1000

const FOLLOW = `WITH forgotten AS (
  UPDATE deliveries SET status = 'failed', error = 'the webhook is not configured any more', next_attempt_at = NULL, finished_at = $2
  WHERE status = 'pending' AND url <> ALL($1::text[])),
gone AS (DELETE FROM webhooks WHERE url <> ALL($1::text[]))
INSERT INTO webhooks (url, cursor) SELECT url, ${HEAD} FROM unnest($1::text[]) url ON CONFLICT DO NOTHING`

/** Instances that examine the same updates at the same time add each delivery once: the cursors are locked first. */
const ADD = `WITH followed AS MATERIALIZED (SELECT url, cursor FROM webhooks ORDER BY url FOR NO KEY UPDATE),
found AS (
  INSERT INTO deliveries (url, notice, update_id, queue_id, data, created_at, next_attempt_at)
  SELECT f.url, n.notice, n.update_id, n.queue_id, n.data, $5::int8, $5::int8
  FROM followed f, unnest($1::text[], $2::int8[], $3::int8[], $4::text[]) WITH ORDINALITY n(notice, update_id, queue_id, data, place)
  WHERE n.update_id > f.cursor ORDER BY f.url, n.place ON CONFLICT DO NOTHING),
old AS (DELETE FROM deliveries WHERE finished_at <= $7::int8)
UPDATE webhooks w SET cursor = greatest(w.cursor, $6::int8) FROM followed f WHERE w.url = f.url`

/** The Deliveries on PostgreSQL. */
export class PostgresDeliveries implements Deliveries {
  readonly #link: Link
  readonly #now: () => number

  /** `now` is the database's clock, in epoch milliseconds. */
  constructor(link: Link, now: () => number) {
    this.#link = link
    this.#now = now
  }

  async follow(urls: readonly string[]): Promise<void> {
    await this.#link.run(FOLLOW, [[...urls], this.#now()])
  }

  async cursor(): Promise<number | null> {
    const [row] = await this.#link.run<{ cursor: number | null }>(
      "SELECT min(cursor)::float8 AS cursor FROM webhooks",
    )
    return row?.cursor ?? null
  }

  async add(
    notices: readonly { readonly notice: Notice; readonly update: StoredUpdate }[],
    upTo: number,
  ): Promise<void> {
    const nowMs = this.#now()
    await this.#link.run(ADD, [
      notices.map(({ notice }) => notice),
      notices.map(({ update }) => update.id),
      notices.map(({ update }) => update.queue_id),
      notices.map(({ update }) => update.data),
      nowMs,
      upTo,
      nowMs - KEPT_MS,
    ])
  }

  async standing(): Promise<Readonly<Record<DeliveryStatus, number>>> {
    const rows = await this.#link.run<{ status: string; n: number }>(
      "SELECT status, count(*)::int AS n FROM deliveries GROUP BY status",
    )
    const of = (status: DeliveryStatus): number => rows.find((row) => row.status === status)?.n ?? 0
    return { pending: of("pending"), delivered: of("delivered"), failed: of("failed") }
  }

  due(url: string, limit: number): Promise<readonly Delivery[]> {
    const rows = this.#link.db
      .select()
      .from(deliveries)
      .where(and(eq(deliveries.url, url), lte(deliveries.next_attempt_at, this.#time())))
      .orderBy(asc(deliveries.next_attempt_at), asc(deliveries.id))
      .limit(limit)
    return this.#link.get(rows)
  }

  async settle(id: number, { status, nextAttemptAt, answer, error }: Settlement): Promise<void> {
    const settled = this.#link.db
      .update(deliveries)
      .set({
        status,
        answer,
        error,
        attempts: sql`${deliveries.attempts} + 1`,
        next_attempt_at: nextAttemptAt,
        finished_at: status === "pending" ? null : this.#time(),
      })
      .where(eq(deliveries.id, id))
    await this.#link.get(settled)
  }

  async list({ status, limit, before }: DeliveriesQuery) {
    const rows = await this.#link.get(
      this.#link.db
        .select()
        .from(deliveries)
        .where(
          and(
            status === undefined ? undefined : eq(deliveries.status, status),
            before === undefined ? undefined : lt(deliveries.id, before),
          ),
        )
        .orderBy(desc(deliveries.id))
        .limit(limit + 1),
    )
    const page = rows.slice(0, limit)
    return { deliveries: page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }
}
