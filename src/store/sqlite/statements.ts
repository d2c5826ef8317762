import { type Database } from "bun:sqlite"

import { and, asc, eq, isNull, type SQL, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

import type { Stored } from "../../item/stored.ts"
import { SWEEP_ROWS } from "../contract/items.ts"
import type { Candidate, Found } from "./claim-order.ts"
import {
  available_ms,
  course,
  deleted_at,
  itemColumns,
  last_update_id,
  lease_expires_at,
  moved_at,
  needs,
  pacedColumns,
  place,
  rank,
  reportColumns,
  rowColumns,
  section,
  workColumns,
} from "./columns.ts"
import { isKey, lazily, often, slot, slots } from "./prepared.ts"
import { history, queueItems } from "./schema.ts"
import type { WaitingItems } from "./waiting-sets.ts"

/**
 * Whether no worker has an item of the same song, as SQL. Only a few songs are with workers, and they are
 * looked up once for a statement.
 */
const SONG_IS_FREE =
  "song_id NOT IN (SELECT song_id FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL)"

/** Whether the queue is not paused, as SQL. */
const RUNNING = "NOT EXISTS (SELECT 1 FROM history WHERE paused_at IS NOT NULL)"

/** The values of an item that are written. */
interface Written extends Stored {
  /** Values that only the store knows, by column. */
  readonly rest?: Readonly<Record<string, unknown>>
}

function valueOf(name: string): (from: Written) => unknown {
  if (isKey(name, itemColumns)) return ({ item }) => item[name]
  if (isKey(name, workColumns)) return ({ work }) => work[name]
  return ({ rest }) => rest?.[name]
}

/** Statements that write queue items. */
export function writes(client: Database) {
  const db = drizzle(client)
  const { id: _id, ...draftColumns } = itemColumns
  const { id: _rowId, ...storedColumns } = rowColumns
  const write = (set: Record<string, SQL>) =>
    often(
      client,
      db
        .update(queueItems)
        .set(set)
        .where(sql`${queueItems.id} = ${slot("id", queueItems.id)}`),
      valueOf,
    )
  const slotted = (columns: Record<string, SQLiteColumn>) => write(slots(columns))
  // The steady time at which an item becomes available is computed once, when that is decided.
  const available = sql`CASE WHEN ${queueItems.available_at} IS ${slot("available_at", queueItems.available_at)} THEN ${available_ms} ELSE ${slot("available_ms", available_ms)} END`
  return lazily({
    insertItem: () =>
      db
        .insert(queueItems)
        .values({ ...slots({ ...draftColumns, available_ms, needs }), last_update_id: 0 })
        .returning({ id: queueItems.id })
        .prepare(),
    // Not drizzle's "returning": it takes twice as long as the row id, which SQLite returns anyway.
    insertUpdate: () =>
      client.prepare<unknown, [number, number, string, string]>(
        "INSERT INTO updates (queue_id, song_id, status, data) VALUES (?, ?, ?, ?)",
      ),
    writeItem: () =>
      write({ ...slots({ ...storedColumns, last_update_id, deleted_at }), available_ms: available }),
    writeLease: () => slotted(pacedColumns),
    writeCourse: () => slotted({ course }),
    writeReport: () => slotted({ ...reportColumns, last_update_id }),
    signOfLife: () =>
      db
        .update(history)
        .set(slots({ alive_at: history.alive_at }))
        .prepare(),
  })
}

/** Statements that read items and the database's state. */
export function reads(client: Database) {
  const db = drizzle(client)
  return lazily({
    row: () =>
      db
        .select(rowColumns)
        .from(queueItems)
        .where(and(eq(queueItems.id, sql.placeholder("id")), isNull(deleted_at)))
        .prepare(),
    /**
     * The item directly before a place among the waiting items. The item that is being moved does not count.
     */
    ahead: () =>
      client.prepare<{ place: number }, [number, number, number]>(
        "SELECT place FROM queue_items INDEXED BY queue_items_order WHERE section = 1 AND rank = ? AND place < ? AND id <> ? ORDER BY place DESC LIMIT 1",
      ),
    pausedAt: () => db.select({ paused_at: history.paused_at }).from(history).prepare(),
    changes: () => client.prepare<{ changes: number }, []>("SELECT total_changes() AS changes"),
    version: () => client.prepare<{ data_version: number }, []>("PRAGMA data_version"),
  })
}

/** How many items become claimable in one transaction. */
const ITEMS_A_RIPENING = 500

/** Statements for claims. With `onePerSong`, they pass over songs that have another leased item. */
export function claims(client: Database, onePerSong: boolean) {
  const free = onePerSong ? `${RUNNING} AND ${SONG_IS_FREE}` : RUNNING
  const db = drizzle(client)
  const seek = (isFree: string) =>
    client.prepare<Candidate, [Uint8Array]>(
      `SELECT id, rank, place, needs FROM queue_items INDEXED BY queue_items_ready WHERE section = 1 AND ${isFree} AND available_ms IS NULL AND needs >= ? ORDER BY needs, rank, place, id LIMIT 1`,
    )
  return lazily({
    /** The first row of the queue's order that waits only for a worker. */
    first: () =>
      db
        .select(rowColumns)
        .from(queueItems)
        .where(
          sql`${section} = 1 AND ${sql.raw(free)} AND (${available_ms} IS NULL OR ${available_ms} <= ${sql.placeholder("now")})`,
        )
        .orderBy(asc(rank), asc(place), asc(queueItems.id))
        .limit(1)
        .prepare(),
    /** See `firstFitting`. */
    seek: () => seek(free),
    /** See `WaitingSets`. */
    seekAny: () => seek("true"),
    /** See `firstFitting`. */
    after: () =>
      client.prepare<Found, [number, number, number, number]>(
        `SELECT id, rank, place, needs, (${free} AND available_ms IS NULL) AS isReady FROM queue_items INDEXED BY queue_items_order WHERE section = 1 AND (rank, place, id) > (?, ?, ?) ORDER BY rank, place, id LIMIT ?`,
      ),
    ripe: () =>
      client.prepare<unknown, [number]>("SELECT 1 FROM queue_items WHERE available_ms <= ? LIMIT 1"),
    /** Lets items whose time has come be claimed, some of them at a time: thousands may have been added for one time. */
    ripen: () =>
      client.prepare<Candidate, [number]>(
        `UPDATE queue_items SET available_ms = NULL WHERE id IN (SELECT id FROM queue_items WHERE available_ms <= ? ORDER BY available_ms LIMIT ${ITEMS_A_RIPENING}) RETURNING id, rank, place, needs`,
      ),
  })
}

/** Finds waiting items by the statements for claims. */
export const waitingItems = (statements: ReturnType<typeof claims>): WaitingItems => ({
  seek: (from) => statements.seek.get(from),
  seekAny: (from) => statements.seekAny.get(from),
  after: ({ rank, place, id }, most) => statements.after.all(rank, place, id, most),
})

/** Statements for leases, and for items that are being worked on. */
export function leases(client: Database) {
  const db = drizzle(client)
  const dueOf = (where: SQL) =>
    db
      .select(rowColumns)
      .from(queueItems)
      .where(sql`${section} = 0 AND ${where}`)
      .limit(SWEEP_ROWS)
      .prepare()
  const by = sql.placeholder("by")
  return lazily({
    leased: () =>
      client.prepare<unknown, []>(
        "SELECT 1 FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL LIMIT 1",
      ),
    /** Makes every lease longer. */
    lengthen: () =>
      client.prepare<unknown, [number]>(
        "UPDATE queue_items SET lease_expires_at = lease_expires_at + ? WHERE section = 0 AND lease_expires_at IS NOT NULL",
      ),
    /** Like `lengthen`, for the time in which items wait for their workers after a restore. */
    wait: () =>
      client.prepare<unknown, [number]>(
        "UPDATE queue_items SET available_ms = available_ms + ?1, available_at = available_at + ?1 WHERE available_ms > 0 AND status = 'retrying' AND lease_token IS NOT NULL AND verdict IS NULL",
      ),
    isLeaseDue: () =>
      client.prepare<unknown, [number]>(
        "SELECT 1 FROM queue_items WHERE section = 0 AND lease_expires_at <= ? LIMIT 1",
      ),
    isStallDue: () =>
      client.prepare<unknown, [number]>(
        "SELECT 1 FROM queue_items WHERE section = 0 AND stalled = 0 AND moved_at <= ? LIMIT 1",
      ),
    leaseDue: () => dueOf(sql`${lease_expires_at} <= ${by}`),
    stallDue: () => dueOf(sql`${queueItems.stalled} = 0 AND ${moved_at} <= ${by}`),
  })
}
