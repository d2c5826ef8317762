import { type Database } from "bun:sqlite"

import {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  type InferSelectModel,
  isNull,
  lt,
  type SQL,
  sql,
} from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

import type { Stored } from "../../item/item.ts"
import { queueItems, updates } from "./schema.ts"

const SWEEP_ROWS = 100

const {
  pruned_id: _pruned,
  thinned_id: _thinned,
  thin_at: _thinAt,
  ...readColumns
} = getTableColumns(queueItems)
const { last_update_id, deleted_at, section, rank, ...rowColumns } = readColumns
const { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, lease_extended, ...rest } = rowColumns
const {
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
  ...itemColumns
} = rest
export { deleted_at, itemColumns, rank, section }
const workColumns = {
  lease_token,
  lease_holder,
  verdict,
  lease_ms,
  lease_expires_at,
  lease_extended,
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
}

// What a report changes. Written alone it leaves the indexes of the queue's order be, and takes a fifth of the time.
const {
  current_step,
  progress,
  message,
  error_message,
  eta_seconds,
  eta_low_seconds,
  eta_high_seconds,
  eta_runs,
  time_progress,
  stalled,
  basis,
  step,
  unit,
  media,
  updated_at,
} = itemColumns
const shown = {
  current_step,
  progress,
  message,
  error_message,
  eta_seconds,
  eta_low_seconds,
  eta_high_seconds,
  eta_runs,
  time_progress,
  stalled,
  basis,
  step,
  unit,
  media,
  updated_at,
}
const paced = { done, rate, moved_at, lease_expires_at, lease_extended }
const keysBeside = <K extends string>(all: Record<K, unknown>, some: object): K[] =>
  // Object.keys forgets which keys they are.
  (Object.keys(all) as K[]).filter((key) => !(key in some))
/** What a report leaves as it is. */
const otherItemKeys = keysBeside(itemColumns, shown)
/** As `otherItemKeys`, of what is stored beside the item. The course has a statement of its own. */
const otherWorkKeys = keysBeside(workColumns, { ...paced, course })

/** Whether a change touches nothing but what a report may change. */
export const isReport = (before: Stored, { item, work }: Stored): boolean =>
  otherItemKeys.every((key) => item[key] === before.item[key]) &&
  otherWorkKeys.every((key) => work[key] === before.work[key])

const updateColumns = getTableColumns(updates)
/** The newest event ID, as SQL. */
export const HEAD = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'updates'), 0)"

/** A placeholder whose value is encoded as the column wants it. */
const slot = (key: string, column: SQLiteColumn): SQL => sql`${sql.param(sql.placeholder(key), column)}`
const slots = <T extends Record<string, SQLiteColumn>>(columns: T): { [K in keyof T]: SQL } =>
  // Object.fromEntries forgets the keys it was given.
  Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, slot(key, column)])) as {
    [K in keyof T]: SQL
  }

/** The same values, each made at its first use and then kept. */
function lazily<T extends Record<string, () => unknown>>(
  makers: T,
): { readonly [K in keyof T]: ReturnType<T[K]> } {
  const made = {}
  for (const [key, make] of Object.entries(makers)) {
    const get = (): unknown => {
      const value = make()
      Object.defineProperty(made, key, { value })
      return value
    }
    Object.defineProperty(made, key, { get, configurable: true })
  }
  // Each key of the makers has been defined, as what its maker returns.
  return made as { [K in keyof T]: ReturnType<T[K]> }
}

/**
 * Everything that is asked often, prepared once: unprepared, drizzle builds the text anew, 17 times slower. Preparing
 * all of it would be a third of the server's start, so each waits for its first use.
 */
export function statements(client: Database) {
  const db = drizzle(client)
  const { id: _id, ...draftColumns } = itemColumns
  const { id: _rowId, ...storedColumns } = rowColumns
  const alive = and(eq(queueItems.id, sql.placeholder("id")), isNull(queueItems.deleted_at))
  const newer = sql`${updates.id} > ${sql.placeholder("after")}`
  const pageOf = (where: SQL | undefined) =>
    db
      .select(updateColumns)
      .from(updates)
      .where(where)
      .orderBy(asc(updates.id))
      .limit(sql.placeholder("limit"))
      .prepare()
  const write = <T extends Record<string, SQLiteColumn>>(columns: T) =>
    db
      .update(queueItems)
      .set(slots(columns))
      .where(eq(queueItems.id, sql.placeholder("id")))
      .prepare()
  const dueOf = (where: SQL) =>
    db
      .select(rowColumns)
      .from(queueItems)
      .where(sql`${section} = 0 AND ${where}`)
      .limit(SWEEP_ROWS)
      .prepare()
  return lazily({
    row: () => db.select(rowColumns).from(queueItems).where(alive).prepare(),
    insertItem: () =>
      db
        .insert(queueItems)
        .values({ ...slots(draftColumns), last_update_id: 0 })
        .returning({ id: queueItems.id })
        .prepare(),
    version: () => client.prepare<{ data_version: number }, []>("PRAGMA data_version"),
    // Not drizzle's: its "returning" takes twice as long as the row id that SQLite hands back anyway.
    insertUpdate: () =>
      client.prepare<unknown, [number, number, string, string]>(
        "INSERT INTO updates (queue_id, song_id, status, data) VALUES (?, ?, ?, ?)",
      ),
    writeItem: () => write({ ...storedColumns, last_update_id, deleted_at }),
    writeLease: () => write(paced),
    writeProgress: () => write({ ...shown, ...paced, last_update_id }),
    writeCourse: () => write({ course }),
    claimable: () =>
      db
        .select(rowColumns)
        .from(queueItems)
        .where(
          sql`${section} = 1 AND NOT EXISTS (SELECT 1 FROM history WHERE paused_at IS NOT NULL)
          AND (${queueItems.available_at} IS NULL OR ${queueItems.available_at} <= ${sql.placeholder("now")})
          AND (${sql.placeholder("tags")} IS NULL OR ${queueItems.tags} = '[]' OR NOT EXISTS (
            SELECT 1 FROM json_each(${queueItems.tags}) AS needed
            WHERE needed.value NOT IN (SELECT value FROM json_each(${sql.placeholder("tags")}))))`,
        )
        .orderBy(asc(rank), asc(queueItems.id))
        .limit(1)
        .prepare(),
    leaseDue: () =>
      dueOf(
        sql`${lease_expires_at} <= ${sql.placeholder("by")} AND ${lease_expires_at} > ${sql.placeholder("after")}`,
      ),
    stallDue: () => dueOf(sql`${stalled} = 0 AND ${moved_at} <= ${sql.placeholder("by")}`),
    page: () => pageOf(newer),
    itemPage: () => pageOf(and(eq(updates.queue_id, sql.placeholder("queueId")), newer)),
    updates: () => pageOf(sql`${updates.id} IN (SELECT value FROM json_each(${sql.placeholder("ids")}))`),
    previous: () =>
      db
        .select(updateColumns)
        .from(updates)
        .where(and(eq(updates.queue_id, sql.placeholder("queueId")), lt(updates.id, sql.placeholder("id"))))
        .orderBy(desc(updates.id))
        .limit(1)
        .prepare(),
    latestOfItem: () =>
      db
        .select({ ...updateColumns, head: sql<number>`${sql.raw(HEAD)}` })
        .from(queueItems)
        .innerJoin(updates, eq(updates.id, last_update_id))
        .where(alive)
        .prepare(),
  })
}

type Row = Omit<
  InferSelectModel<typeof queueItems>,
  "last_update_id" | "pruned_id" | "thinned_id" | "thin_at" | "deleted_at" | "section" | "rank"
>

/** A row as the domain knows it. */
export function storedOf(row: Row): Stored {
  const { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, lease_extended, ...some } = row
  const { rescues, done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course, ...item } =
    some
  const lease = { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, lease_extended }
  const pace = { done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course }
  return { item, work: { ...lease, rescues, ...pace } }
}
