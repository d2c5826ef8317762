import { and, asc, desc, eq, getTableColumns, inArray, lt, ne, sql } from "drizzle-orm"

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
import type { PostgresConnections } from "./connections.ts"
import { HEAD } from "./history.ts"
import type { RolledBackCheck } from "./rolled-back-database.ts"
import { deliveries } from "./schema.ts"

const { taken_until: _taken, ...columns } = getTableColumns(deliveries)

/** An instance without a sign of life for this long follows no webhook any more. */
const FOLLOWING_MS = 10 * 60_000

/**
 * An instance ($3) follows webhooks ($1) from now ($2) on. Webhooks that no instance follows any more are
 * forgotten.
 */
const FOLLOW = `WITH self AS (
  INSERT INTO instances (id, seen_at) VALUES ($3, $2) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at),
left_alone AS (DELETE FROM followers WHERE instance = $3 AND url <> ALL($1::text[])),
added AS (INSERT INTO followers (url, instance) SELECT url, $3 FROM unnest($1::text[]) url ON CONFLICT DO NOTHING),
followed AS MATERIALIZED (
  SELECT unnest($1::text[]) AS url UNION SELECT f.url FROM followers f JOIN instances i ON i.id = f.instance
  WHERE i.id <> $3 AND i.seen_at > $4::int8),
forgotten AS (
  UPDATE deliveries SET status = 'failed', error = 'the webhook is no longer configured', next_attempt_at = NULL, finished_at = $2
  WHERE status = 'pending' AND url NOT IN (SELECT url FROM followed)),
gone AS (DELETE FROM webhooks WHERE url NOT IN (SELECT url FROM followed))
INSERT INTO webhooks (url, cursor) SELECT url, ${HEAD} FROM unnest($1::text[]) url ON CONFLICT DO NOTHING`

/** The first deliveries to a URL that wait for this time, as rows of one index. */
const waiting = (time: string): string => `SELECT id FROM (
    SELECT id FROM deliveries WHERE url = $1 AND next_attempt_at ${time} AND (taken_until IS NULL OR taken_until <= $2)
    ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED) due`

const TAKE = `UPDATE deliveries SET taken_until = $4
  WHERE id IN (${waiting("<= $2")} UNION ALL ${waiting(`> $2::int8 + ${AHEAD_MS}`)})
  RETURNING id::float8 AS id`

/** The deliveries to a URL that were taken until exactly this time, which hardly two servers have in common. */
const TAKEN =
  "SELECT id::float8 AS id FROM deliveries WHERE url = $1 AND next_attempt_at IS NOT NULL AND taken_until = $2"

/** Instances that examine the same updates at the same time add each delivery once: the cursors are locked first. */
const ADD = `WITH followed AS MATERIALIZED (SELECT url, cursor FROM webhooks ORDER BY url FOR NO KEY UPDATE),
found AS (
  INSERT INTO deliveries (url, notice, update_id, queue_id, data, created_at, next_attempt_at)
  SELECT f.url, n.notice, n.update_id, n.queue_id, n.data, $5::int8, $5::int8
  FROM followed f, unnest($1::text[], $2::int8[], $3::int8[], $4::text[]) WITH ORDINALITY n(notice, update_id, queue_id, data, place)
  WHERE n.update_id > f.cursor ORDER BY f.url, n.place ON CONFLICT DO NOTHING),
old AS (DELETE FROM deliveries WHERE finished_at <= $7::int8),
ahead AS (DELETE FROM deliveries WHERE finished_at > $5::int8 + ${AHEAD_MS})
UPDATE webhooks w SET cursor = greatest(w.cursor, $6::int8) FROM followed f WHERE w.url = f.url`

const FAILING = `SELECT * FROM (
    SELECT id::float8 AS id, url, error FROM deliveries d WHERE status = 'pending' AND url = $1 AND attempts > 0
    ORDER BY d.id DESC LIMIT 1) newest
  WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.status = 'delivered' AND d.id > newest.id::int8 AND d.url = $1)`

/** The Deliveries on PostgreSQL. */
export class PostgresDeliveries implements Deliveries {
  readonly #link: PostgresConnections
  readonly #instance: string
  readonly #backCheck: RolledBackCheck
  readonly #now: () => number
  #followed: readonly string[] = []
  /** Until when this instance has taken the deliveries that are neither settled nor given back. */
  readonly #takenUntilMs = new Map<number, number>()

  /**
   * `instance` is the id of this server. `backCheck` notices if the database has gone back. `now` is the database's clock, in
   * epoch milliseconds.
   */
  constructor(link: PostgresConnections, instance: string, backCheck: RolledBackCheck, now: () => number) {
    this.#link = link
    this.#instance = instance
    this.#backCheck = backCheck
    this.#now = now
  }

  /** The webhooks that this instance follows; empty before the first `follow`. */
  get followed(): readonly string[] {
    return this.#followed
  }

  async follow(urls: readonly string[]): Promise<void> {
    const nowMs = this.#now()
    await this.#link.run(FOLLOW, [[...urls], nowMs, this.#instance, nowMs - FOLLOWING_MS])
    this.#followed = urls
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
    const parameters = [
      notices.map(({ notice }) => notice),
      notices.map(({ update }) => update.id),
      notices.map(({ update }) => update.queue_id),
      notices.map(({ update }) => update.data),
      nowMs,
      upTo,
      nowMs - KEPT_MS,
    ]
    await this.#link.patiently(async () => {
      if (notices.length > 0) await this.#backCheck.beforeNumber(this.#link)
      await this.#link.ask(ADD, parameters)
    })
  }

  async failing(url: string): Promise<Pick<Delivery, "id" | "url" | "error"> | undefined> {
    const [failing] = await this.#link.run<Pick<Delivery, "id" | "url" | "error">>(FAILING, [url])
    return failing
  }

  async standing(): Promise<Readonly<Record<DeliveryStatus, number>>> {
    const rows = await this.#link.run<{ status: string; count: number }>(
      "SELECT status, count(*)::int AS count FROM deliveries GROUP BY status",
    )
    return deliveryCounts(rows)
  }

  async take(url: string, limit: number, forMs: number): Promise<readonly Delivery[]> {
    const nowMs = this.#now()
    const untilMs = nowMs + forMs
    let isRepeated = false
    const taken = await this.#link.patiently(async () => {
      // If the answer was lost, they are taken already.
      const before = isRepeated ? await this.#link.ask<{ id: number }>(TAKEN, [url, untilMs]) : []
      isRepeated = true
      if (before.length > 0) return before
      return this.#link.ask<{ id: number }>(TAKE, [url, nowMs, limit, untilMs])
    })
    if (taken.length === 0) return []
    const rows = await this.#link.get(
      this.#link.db
        .select(columns)
        .from(deliveries)
        .where(
          inArray(
            deliveries.id,
            taken.map(({ id }) => id),
          ),
        )
        .orderBy(asc(deliveries.next_attempt_at), asc(deliveries.id)),
    )
    for (const { id } of rows) this.#takenUntilMs.set(id, untilMs)
    return rows
  }

  async giveBack(id: number): Promise<void> {
    const untilMs = this.#takenUntilMs.get(id)
    if (untilMs === undefined) return
    this.#takenUntilMs.delete(id)
    // If the answer was lost, another instance may have taken the delivery since.
    await this.#link.run("UPDATE deliveries SET taken_until = NULL WHERE id = $1 AND taken_until = $2", [
      id,
      untilMs,
    ])
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
        taken_until: null,
        finished_at: status === "pending" ? null : this.#time(),
      })
      .where(
        and(
          eq(deliveries.id, id),
          eq(deliveries.status, "pending"),
          // If the answer was lost, it is stored already, and another instance may have taken the delivery since.
          nextAttemptAt === null ? undefined : ne(deliveries.next_attempt_at, nextAttemptAt),
        ),
      )
    await this.#link.get(settled)
    this.#takenUntilMs.delete(id)
  }

  async list({ status, limit, before }: DeliveriesQuery) {
    const rows = await this.#link.get(
      this.#link.db
        .select(columns)
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
    return deliveriesPage(rows, limit)
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }
}
