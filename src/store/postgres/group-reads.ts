import { and, asc, isNull, sql } from "drizzle-orm"

import type { Clock } from "../../item/moment.ts"
import { type Due, type Idempotency, IDEMPOTENCY_MS, SWEEP_ROWS } from "../contract/items.ts"
import { storedOf } from "../row-parts.ts"
import { deleted_at, offeredKeysOf, place, rank, rowColumns, version } from "./columns.ts"
import type { PostgresConnections } from "./connections.ts"
import type { GroupDecisions, KnownRow } from "./group-decisions.ts"
import { idempotencyKeys, queueItems } from "./schema.ts"

/** Whether the queue is not paused, as SQL. */
const RUNNING = "NOT EXISTS (SELECT FROM history WHERE paused_at IS NOT NULL)"
/** Whether no worker has another item of the same song, as SQL. */
const SONG_IS_FREE =
  "NOT EXISTS (SELECT FROM queue_items other WHERE other.song_id = q.song_id AND other.section = 0 AND other.lease_expires_at IS NOT NULL)"

/** How often an item of the same song was claimed, as SQL. */
const SONG_VERSION = "coalesce((SELECT s.version FROM songs s WHERE s.song_id = queue_items.song_id), 0)"

/** Lets items whose time has come be claimed. */
export const RIPEN = `UPDATE queue_items SET available_ms = NULL WHERE id IN (
  SELECT id FROM queue_items WHERE available_ms <= $1 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)`

/** The tags that the worker offers, as SQL. */
const TAGS = sql`${sql.placeholder("tags")}::text[]`

/**
 * The lowest list that begins like `known.needs` up to some place, has a tag of the worker there, and is above
 * `known.needs`, as SQL; null if there is none. No list between the two needs only tags of the worker, because
 * `known.needs` needs another one at that place or later.
 */
const BEYOND_FOREIGN = sql`(SELECT array_append(known.needs[1:place - 1], min(own)) FROM unnest(${TAGS}) own,
    generate_series(1, (SELECT min(at) FROM unnest(known.needs) WITH ORDINALITY need(tag, at) WHERE tag <> ALL(${TAGS}))) place
  WHERE own > known.needs[place] GROUP BY place ORDER BY place DESC LIMIT 1)`

/**
 * The IDs of items that a worker with these tags may claim, as SQL. It goes from each set of needed tags to
 * the next one in the index that the worker may have, so items that the worker cannot take cost nothing, however many
 * different sets they need.
 */
const claimable = (isFree: string) => sql`WITH RECURSIVE known(needs) AS (
    (SELECT needs FROM queue_items WHERE section = 1 AND available_ms IS NULL ORDER BY needs LIMIT 1)
    UNION ALL SELECT (SELECT q.needs FROM queue_items q
      WHERE q.section = 1 AND q.available_ms IS NULL AND q.needs > known.needs AND q.needs >= next.least
      ORDER BY q.needs LIMIT 1)
    FROM known CROSS JOIN LATERAL (
      SELECT CASE WHEN known.needs <@ ${TAGS} THEN known.needs ELSE ${BEYOND_FOREIGN} END) next(least)
    WHERE known.needs IS NOT NULL)
  SELECT one.id FROM known CROSS JOIN LATERAL (SELECT q.id FROM queue_items q
    WHERE q.section = 1 AND q.available_ms IS NULL AND q.needs = known.needs AND ${sql.raw(isFree)}
    ORDER BY q.rank, q.place, q.id LIMIT ${sql.placeholder("limit")}::int) one
  WHERE known.needs <@ ${TAGS} AND ${sql.raw(RUNNING)}`

/** The id of the first item in the queue's order that waits for nothing but a worker, as SQL. */
const firstClaimable = (isFree: string) =>
  sql`(SELECT q.id FROM queue_items q WHERE q.section = 1 AND ${sql.raw(isFree)}
    AND ${sql.raw(RUNNING)} AND (q.available_ms IS NULL OR q.available_ms <= ${sql.placeholder("now")}::int8)
    ORDER BY q.rank, q.place, q.id LIMIT 1)`

const { key: keyOfAnswer, digest, answer } = idempotencyKeys

/** Statements that read whole items. */
export function itemReads({ db }: PostgresConnections, onePerSong: boolean) {
  const rows = () => db.select({ ...rowColumns, version }).from(queueItems)
  const byId = () =>
    rows().where(and(sql`${queueItems.id} = ANY(${sql.placeholder("ids")}::int8[])`, isNull(deleted_at)))
  const due = (time: string) =>
    rows()
      .where(sql`section = 0 AND ${sql.raw(time)} <= ${sql.placeholder("by")}::int8`)
      .orderBy(asc(queueItems.id))
      .limit(SWEEP_ROWS)
  const free = onePerSong ? SONG_IS_FREE : "true"
  return {
    /** The items with these ids that are not deleted. */
    byId: byId().prepare("items_by_id"),
    /** The same, locked until the end of the transaction. */
    byIdLocked: byId().orderBy(asc(queueItems.id)).for("no key update").prepare("items_by_id_locked"),
    /** See `claimable`; in the queue's order. */
    claimable: db
      .select({ ...rowColumns, version, song: sql<string>`${sql.raw(onePerSong ? SONG_VERSION : "0")}` })
      .from(queueItems)
      .where(sql`${queueItems.id} IN (${claimable(free)})`)
      .orderBy(asc(rank), asc(place), asc(queueItems.id))
      .limit(sql.placeholder("limit"))
      .prepare("items_claimable"),
    /** See `firstClaimable`. */
    first: rows()
      .where(sql`${queueItems.id} = ${firstClaimable(free)}`)
      .prepare("items_first"),
    leaseDue: due("lease_expires_at").prepare("items_lease_due"),
    stallDue: due("NOT stalled AND moved_at").prepare("items_stall_due"),
    answers: db
      .select({ key: keyOfAnswer, digest, answer })
      .from(idempotencyKeys)
      .where(
        sql`${idempotencyKeys.key} = ANY(${sql.placeholder("keys")}::text[]) AND ${idempotencyKeys.created_at} > ${sql.placeholder("after")}::int8`,
      )
      .prepare("answers"),
  }
}

type ItemRow = Awaited<ReturnType<ReturnType<typeof itemReads>["byId"]["execute"]>>[number]

/** A row of these statements in the program's form. */
export const knownOf = ({ version: at, song: _song, ...row }: ItemRow & { song?: string }): KnownRow => ({
  stored: storedOf(row),
  version: at,
})

/**
 * The item directly before the place of another one among the waiting items. A third item, which is being
 * moved, does not count.
 */
const AHEAD = `SELECT q.place FROM queue_items q, queue_items b WHERE b.id = $1 AND q.section = 1
  AND q.rank = -b.priority AND q.place < coalesce(b.turn, b.id) AND q.id <> $2 ORDER BY q.place DESC LIMIT 1`

/**
 * Collects everything that the writes of one group must read before they decide. It is sent together, in one
 * round trip.
 */
export class GroupReads {
  readonly #link: PostgresConnections
  readonly #reads: ReturnType<typeof itemReads>
  readonly #sheet: GroupDecisions
  readonly #clock: Clock
  readonly #most: number
  readonly #claimable = new Map<string, Promise<number[]>>()
  readonly #keys = new Set<string>()
  #unnamed = 0

  /** `most` is how many items the group may change at most. */
  constructor(
    link: PostgresConnections,
    reads: ReturnType<typeof itemReads>,
    sheet: GroupDecisions,
    { clock, most }: { readonly clock: Clock; readonly most: number },
  ) {
    this.#link = link
    this.#reads = reads
    this.#sheet = sheet
    this.#clock = clock
    this.#most = most
  }

  /** Requests a number for a new item, and the answer that its key may already have. */
  forAdding(idempotency: Idempotency | undefined): void {
    if (idempotency) this.#keys.add(idempotency.key)
    else this.#unnamed += 1
  }

  /** As many items that can be claimed with these tags as the group may need, in the queue's order. */
  claimable(tags: readonly string[]): Promise<number[]> {
    const own = offeredKeysOf(tags)
    const key = JSON.stringify(own)
    const asked = this.#claimable.get(key) ?? this.#ripeFor(own)
    this.#claimable.set(key, asked)
    return asked
  }

  /** The items that are due. */
  async due({ due, by }: Due): Promise<number[]> {
    const { leaseDue, stallDue } = this.#reads
    return this.#read(await (due === "lease" ? leaseDue : stallDue).execute({ by }))
  }

  /**
   * The turn of the item before another one; a third item, which is being moved, does not count. Null if
   * there is none.
   */
  async ahead(id: number, before: number): Promise<number | null> {
    const [row] = await this.#link.ask<{ place: number }>(AHEAD, [before, id])
    return row?.place ?? null
  }

  /** Reads items, everything that was requested before, and numbers for new items. */
  async read(ids: readonly number[]): Promise<void> {
    const rows = ids.length > 0 ? this.#reads.byId.execute({ ids: [...ids] }) : []
    // If a number were taken for a key that already has its answer, it would leave a gap.
    const [found] = await Promise.all([
      rows,
      this.#keys.size > 0 ? this.#readAnswers() : this.#readNumbers(this.#unnamed),
    ])
    this.#read(found)
    if (this.#keys.size === 0) return
    const unanswered = [...this.#keys].filter((key) => !this.#sheet.answers.has(key)).length
    await this.#readNumbers(this.#unnamed + unanswered)
  }

  async #readAnswers(): Promise<void> {
    const after = this.#clock.now() - IDEMPOTENCY_MS
    const rows = await this.#reads.answers.execute({ keys: [...this.#keys], after })
    for (const { key, digest, answer } of rows) this.#sheet.answers.set(key, { digest, answer })
  }

  async #readNumbers(count: number): Promise<void> {
    if (count === 0) return
    const rows = await this.#link.ask<{ id: number }>(
      "SELECT nextval('queue_items_ids')::float8 AS id FROM generate_series(1, $1::int)",
      [count],
    )
    this.#sheet.numbers.push(...rows.map(({ id }) => id))
  }

  async #ripeFor(tags: readonly string[]): Promise<number[]> {
    const [, rows] = await Promise.all([
      this.#link.ask(RIPEN, [this.#clock.steadyMs()]),
      this.#reads.claimable.execute({ tags: [...tags], limit: this.#most }),
    ])
    for (const { id, song } of rows) this.#sheet.songVersions.set(id, Number(song))
    return this.#read(rows)
  }

  #read(rows: readonly ItemRow[]): number[] {
    return rows.map((row) => this.#sheet.read(knownOf(row), true))
  }
}
