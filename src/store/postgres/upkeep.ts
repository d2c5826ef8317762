import {
  type DatabaseSize,
  type Ended,
  ITEMS_A_CALL,
  type Thinning,
  type Upkeep,
} from "../contract/upkeep.ts"
import type { PostgresConnections } from "./connections.ts"
import { HEAD } from "./history.ts"

// In ORDER BY a name means the converted column that is selected by it before it means the column itself, so
// columns are named with their table. A subquery as an array is an index's key; as a table it would be
// joined, and the planner may walk the whole table for it.

/** How many updates one call looks at for items that were changed. */
const UPDATES_A_CALL = 4096

/** The highest event ID that every webhook has examined, as SQL. */
const EXAMINED = `(SELECT coalesce((SELECT min(cursor) FROM webhooks), ${HEAD}))`

const BEGINS = `UPDATE history SET retain_from = coalesce(retain_from,
    CASE WHEN EXISTS (SELECT FROM queue_items) THEN $1::int8 ELSE $2::int8 END)
  RETURNING retain_from::float8 AS at`

const FINISHED = `SELECT id::float8 AS id FROM queue_items WHERE thin_at BETWEEN $1 AND $2 AND last_update_id <= $3 AND id NOT IN (
    SELECT id FROM queue_items WHERE section = 2 AND status = 'completed' ORDER BY rank, place, id LIMIT $4)
  ORDER BY thin_at LIMIT ${ITEMS_A_CALL}`

/** Removed updates leave their event IDs behind. The row of the history is locked before those of items, everywhere. */
const noted = `UPDATE history h SET pruned_id = greatest(h.pruned_id, o.highest), pruned = h.pruned + o.n, floor = greatest(h.floor, o.highest)
  FROM (SELECT coalesce(max(id), 0) AS highest, count(*) AS n FROM old) o RETURNING o.n::int AS n`

/** Removes updates of items ($1) that repeat the status of the one before and are not the last, oldest first. */
const REMOVE = `WITH locked AS MATERIALIZED (SELECT id FROM history FOR NO KEY UPDATE),
items AS MATERIALIZED (
  SELECT q.id, q.pruned_id FROM queue_items q, locked WHERE q.id = ANY($1::int8[]) ORDER BY q.id FOR NO KEY UPDATE OF q),
old AS (
  DELETE FROM updates WHERE id = ANY (ARRAY(
    SELECT u.id FROM items i CROSS JOIN LATERAL (
      SELECT u.id, u.status, lag(u.status) OVER byId AS before, lead(u.id) OVER byId AS next FROM updates u
      WHERE u.queue_id = i.id
        AND u.id >= coalesce((SELECT max(k.id) FROM updates k WHERE k.queue_id = i.id AND k.id <= i.pruned_id), 0)
      WINDOW byId AS (ORDER BY u.id)) u
    WHERE u.before = u.status AND u.next IS NOT NULL AND u.id <= $2 ORDER BY i.id, u.id LIMIT $3))
  RETURNING id, queue_id),
pruned AS (
  UPDATE queue_items q SET pruned_id = greatest(q.pruned_id, o.highest)
  FROM (SELECT queue_id, max(id) AS highest FROM old GROUP BY 1) o WHERE q.id = o.queue_id)
${noted}`

/** An item needs no further look if its last update was already old enough at the last one. */
const THINNED = `UPDATE queue_items SET thinned_id = last_update_id WHERE id = ANY($1::int8[]) AND last_update_id <= $2
  RETURNING 1 AS n`

/** Removes some of what the commands of items ($1) printed. */
const REMOVE_OUTPUT = `DELETE FROM outputs WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM outputs WHERE queue_id = ANY($1::int8[]) LIMIT $2)) RETURNING 1 AS n`

const PURGE = `WITH locked AS MATERIALIZED (SELECT id FROM history FOR NO KEY UPDATE),
repeated AS (
  DELETE FROM idempotency_keys WHERE key = ANY (ARRAY(
    SELECT key FROM idempotency_keys WHERE created_at BETWEEN $1 AND $2 LIMIT $4)) RETURNING key),
item AS MATERIALIZED (
  SELECT q.id FROM queue_items q, locked WHERE q.deleted_at BETWEEN $1 AND $2
    AND q.last_update_id <= least($3::int8, ${EXAMINED}) LIMIT 1 FOR UPDATE OF q),
old AS (
  DELETE FROM updates WHERE id = ANY (ARRAY(
    SELECT u.id FROM updates u WHERE u.queue_id = (SELECT id FROM item) ORDER BY u.id LIMIT $4)) RETURNING id),
printed AS (
  DELETE FROM outputs WHERE ctid = ANY (ARRAY(
    SELECT o.ctid FROM outputs o WHERE o.queue_id = (SELECT id FROM item) LIMIT $4)) RETURNING 1),
gone AS (
  DELETE FROM queue_items WHERE id IN (SELECT id FROM item)
    AND (SELECT count(*) FROM old) < $4 AND (SELECT count(*) FROM printed) < $4 RETURNING id),
noted AS (${noted})
SELECT ((SELECT count(*) FROM repeated) + (SELECT count(*) FROM item) + (SELECT n FROM noted))::int AS n`

/** A run that a completed attempt of its kind is replacing is left out, so that neither waits for the other. */
const FORGET_RUNS = `DELETE FROM runs WHERE id = ANY (ARRAY(
    SELECT r.id FROM runs r WHERE r.id <= (SELECT n.id FROM runs n ORDER BY n.id DESC LIMIT 1 OFFSET $1)
    ORDER BY r.id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1 AS n`

/**
 * The instance that finds the timer due and moves it on does the work. One that is due later than it can be was set by a clock
 * that was ahead.
 */
const TAKE_TIMER = `INSERT INTO timers (name, due_at) VALUES ($1, $2::int8 + $3::int8)
  ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at
    WHERE timers.due_at <= $2::int8 OR timers.due_at > excluded.due_at RETURNING name`

const PASS_MINUTES = `WITH noted AS (UPDATE history SET minutes = (minutes + $1::int8) % 60 RETURNING minutes)
  INSERT INTO hours SELECT coalesce(max(hour) + 1, 0), ${HEAD} FROM hours HAVING (SELECT minutes FROM noted) < $1::int8`

const NEWEST_AGO = `SELECT h.newest_id::float8 AS id FROM hours h WHERE h.hour <= (SELECT max(hour) FROM hours) - $1::int8
  ORDER BY h.hour DESC LIMIT 1`

const CHANGED = `SELECT u.id::float8 AS id, u.queue_id::float8 AS queue_id FROM updates u WHERE u.id > $1 ORDER BY u.id LIMIT ${UPDATES_A_CALL}`

/** Which of these items ($1) keep more updates than $2. */
const TOO_MANY = `SELECT i.id::float8 AS id FROM unnest($1::int8[]) i(id) WHERE (
  SELECT count(*) FROM (SELECT FROM updates u WHERE u.queue_id = i.id LIMIT $2::int8 + 1) few) > $2::int8`

/** The first event ID above $2 of each of these items ($1) that has one. */
const LATER = `SELECT u.queue_id::float8 AS id, min(u.id)::float8 AS next FROM updates u
  WHERE u.queue_id = ANY($1::int8[]) AND u.id > $2 GROUP BY u.queue_id`

const ITEMS = `SELECT (SELECT coalesce(sum(c.items), 0) FROM queue_counts c)::float8 AS present,
  (SELECT count(*) FROM queue_items q WHERE q.deleted_at IS NOT NULL)::float8 AS deleted`

interface IdRow {
  readonly id: number
}
interface CountRow {
  readonly n: number
}

/** The Upkeep on PostgreSQL, which itself gives room back within its files. */
export class PostgresUpkeep implements Upkeep {
  readonly #link: PostgresConnections
  readonly #now: () => number
  /** Items that were changed up to this event ID were looked at for having too many updates. */
  #counted = 0
  /** Items with too many updates. Each is left alone until the update with this event ID is old enough. */
  readonly #tooMany = new Map<number, number>()

  /** `now` is the database's clock, in epoch milliseconds. */
  constructor(link: PostgresConnections, now: () => number) {
    this.#link = link
    this.#now = now
  }

  async beginsAt(graceMs: number): Promise<number> {
    const nowMs = this.#now()
    const [row] = await this.#link.run<{ at: number }>(BEGINS, [nowMs + graceMs, nowMs])
    return row?.at ?? nowMs
  }

  async takeTimer(name: string, everyMs: number): Promise<boolean> {
    const rows = await this.#link.run(TAKE_TIMER, [name, this.#now(), everyMs])
    return rows.length > 0
  }

  async passMinutes(minutes: number): Promise<void> {
    await this.#link.run(PASS_MINUTES, [minutes])
  }

  async newestAgo(hours: number): Promise<number> {
    const [row] = await this.#link.run<IdRow>(NEWEST_AGO, [hours])
    return row?.id ?? 0
  }

  async thin(thinning: Thinning): Promise<number> {
    const upTo = Math.min(thinning.upTo, await this.#examinedByAll())
    const done = await this.#thinFinished(thinning, upTo)
    return done > 0 ? done : this.#thinLongest(thinning, upTo)
  }

  async purge(deleted: readonly Ended[], limit: number): Promise<number> {
    for (const { fromMs, toMs, upTo } of deleted) {
      const [row] = await this.#link.run<CountRow>(PURGE, [fromMs, toMs, upTo, limit])
      if (row && row.n > 0) return row.n
    }
    return 0
  }

  async forgetRuns(keep: number, limit: number): Promise<number> {
    return (await this.#link.run<CountRow>(FORGET_RUNS, [keep, limit])).length
  }

  async items(): Promise<{ readonly present: number; readonly deleted: number }> {
    const [row] = await this.#link.run<{ present: number; deleted: number }>(ITEMS)
    return row ?? { present: 0, deleted: 0 }
  }

  async finished({ fromMs, toMs, upTo }: Ended, limit: number): Promise<readonly number[]> {
    // `rank` of a finished item is minus the time of its end: the highest rank ended first.
    const rows = await this.#link.run<IdRow>(
      `SELECT q.id::float8 AS id FROM queue_items q WHERE q.section = 2 AND q.rank BETWEEN $1 AND $2 AND q.last_update_id <= $3
        ORDER BY q.rank DESC, q.place DESC, q.id DESC LIMIT $4`,
      [-toMs, -fromMs, upTo, limit],
    )
    return rows.map(({ id }) => id)
  }

  async size(): Promise<DatabaseSize> {
    const [row] = await this.#link.run<CountRow>("SELECT pg_database_size(current_database())::float8 AS n")
    return { used: row?.n ?? 0, wal: 0, free: 0 }
  }

  async checkpoint(): Promise<void> {
    // PostgreSQL does that by itself.
  }

  async shrink(): Promise<number> {
    // PostgreSQL itself uses free space again, after its vacuum.
    return 0
  }

  async #thinFinished({ finished, keepCompleted, limit }: Thinning, upTo: number): Promise<number> {
    const items: IdRow[] = []
    for (const { fromMs, toMs, upTo: last } of finished)
      items.push(...(await this.#link.run<IdRow>(FINISHED, [fromMs, toMs, last, keepCompleted])))
    if (items.length === 0) return 0
    const ids = items.map(({ id }) => id)
    const removed = await this.#remove(ids, upTo, limit)
    const printed =
      removed < limit ? (await this.#link.run<CountRow>(REMOVE_OUTPUT, [ids, limit - removed])).length : 0
    if (removed + printed >= limit) return removed + printed
    return removed + printed + (await this.#link.run<CountRow>(THINNED, [ids, upTo])).length
  }

  async #thinLongest({ perItem, limit }: Thinning, upTo: number): Promise<number> {
    if (perItem === 0) return 0
    const changed = await this.#link.run<{ id: number; queue_id: number }>(CHANGED, [this.#counted])
    this.#counted = changed.at(-1)?.id ?? this.#counted
    for (const { queue_id } of changed) if (!this.#tooMany.has(queue_id)) this.#tooMany.set(queue_id, 0)
    const looked = [...this.#tooMany].flatMap(([id, next]) => (next > upTo ? [] : [id]))
    if (looked.length === 0) return changed.length
    const many = await this.#link.run<IdRow>(TOO_MANY, [looked, perItem])
    for (const { id } of many) {
      const excess = (await this.#count(id, perItem + limit)) - perItem
      const removed = await this.#remove([id], upTo, Math.min(excess, limit))
      if (removed > 0) return removed
    }
    for (const id of looked) this.#tooMany.delete(id)
    const later = await this.#link.run<{ id: number; next: number }>(LATER, [many.map(({ id }) => id), upTo])
    for (const { id, next } of later) this.#tooMany.set(id, next)
    // Moving on is work, too, even if nothing was removed.
    return changed.length
  }

  async #count(id: number, most: number): Promise<number> {
    const [row] = await this.#link.run<CountRow>(
      "SELECT count(*)::int AS n FROM (SELECT FROM updates WHERE queue_id = $1 LIMIT $2) few",
      [id, most],
    )
    return row?.n ?? 0
  }

  async #remove(ids: readonly number[], upTo: number, limit: number): Promise<number> {
    const [row] = await this.#link.run<CountRow>(REMOVE, [[...ids], upTo, limit])
    return row?.n ?? 0
  }

  async #examinedByAll(): Promise<number> {
    const [row] = await this.#link.run<IdRow>(`SELECT ${EXAMINED}::float8 AS id`)
    return row?.id ?? 0
  }
}
