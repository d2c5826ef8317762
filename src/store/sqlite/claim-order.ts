import { type Database } from "bun:sqlite"

import { asc, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import type { Candidate, Found } from "./claim-by-tags.ts"
import { available_ms, place, rank, rowColumns, section } from "./columns.ts"
import { lazily } from "./prepared-statements.ts"
import { queueItems } from "./schema.ts"
import type { WaitingItems } from "./waiting-sets.ts"

/**
 * Whether no worker has an item of the same song, as SQL. Only a few songs are with workers, and they are
 * looked up once for a statement.
 */
const SONG_IS_FREE =
  "song_id NOT IN (SELECT song_id FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL)"

/** Whether the queue is not paused, as SQL. */
const RUNNING = "NOT EXISTS (SELECT 1 FROM history WHERE paused_at IS NOT NULL)"

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
