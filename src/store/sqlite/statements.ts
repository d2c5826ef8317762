import { type Database } from "bun:sqlite"

import { and, eq, isNull, type SQL, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

import { RAN_OUT, REVOKED } from "../../item/lease-token.ts"
import type { Stored } from "../../item/stored.ts"
import { SWEEP_ROWS } from "../contract/items.ts"
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
  reportColumns,
  rowColumns,
  section,
  workColumns,
} from "./columns.ts"
import { isKey, lazily, often, slot, slots } from "./prepared-statements.ts"
import { history, queueItems } from "./schema.ts"

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

/**
 * Makes every lease ?1 ms longer, and notes in the attempts that no server watched them for so long until ?2: a server that
 * starts before the next report could not know it.
 */
const LENGTHEN = `UPDATE queue_items SET lease_expires_at = lease_expires_at + ?1, course = json_set(course,
    '$.unwatchedMs', course ->> 'unwatchedMs' + max(0, ?2 - max(?2 - ?1, course ->> 'beganMs', course ->> 'outageEndedMs')),
    '$.outageEndedMs', max(?2, course ->> 'outageEndedMs'))
  WHERE section = 0 AND (lease_expires_at IS NOT NULL OR course IS NOT NULL)`

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
    /** Counts an outage of ?1 ms that ended at ?2. */
    lengthen: () => client.prepare<unknown, [number, number]>(LENGTHEN),
    /** Like `lengthen`, for the time in which items wait for their workers after a restore. */
    wait: () =>
      client.prepare<unknown, [number]>(
        `UPDATE queue_items SET available_ms = available_ms + ?1, available_at = available_at + ?1 WHERE available_ms > 0 AND (status = 'retrying' OR lease_token NOT LIKE '${REVOKED}%') AND lease_token NOT LIKE '${RAN_OUT}%' AND verdict IS NULL`,
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
