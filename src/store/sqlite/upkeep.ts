import type { Database } from "bun:sqlite"

import {
  type DatabaseSize,
  type Ended,
  ITEMS_A_CALL,
  type Thinning,
  type Upkeep,
} from "../contract/upkeep.ts"
import { sizeOf } from "./database-path.ts"
import type { GroupCommit } from "./group-commit.ts"
import { HEAD } from "./history.ts"
import { canShrink } from "./open.ts"

const NEWEST_COMPLETED = `SELECT id FROM queue_items WHERE section = 2 AND status = 'completed' ORDER BY rank, place, id LIMIT ?`

const PASS_HOUR = `INSERT INTO hours SELECT coalesce(max(hour) + 1, 0), ${HEAD} FROM hours`

/** An item's updates, from the last one that stays, in their order. */
const FROM = `SELECT id, status FROM updates WHERE queue_id = $item AND id >=
    (SELECT coalesce(max(id), 0) FROM updates WHERE queue_id = $item AND id <= $from) ORDER BY id LIMIT $limit`

const ITEMS = `SELECT (SELECT coalesce(sum(items), 0) FROM queue_counts) AS present,
  (SELECT count(*) FROM queue_items WHERE deleted_at IS NOT NULL) AS deleted`

interface IdRow {
  readonly id: number
}

/** The Upkeep on SQLite. */
export class SqliteUpkeep implements Upkeep {
  readonly #client: Database
  readonly #group: GroupCommit
  readonly #path: string
  readonly #now: () => number
  /** All items that were changed up to this event ID were checked for too many updates. */
  #counted = 0
  /**
   * Items with too many updates. Each has the event ID that must be old enough before the item is checked
   * again.
   */
  readonly #tooMany = new Map<number, number>()

  /** `path`: the database file. `now` is the clock, in epoch milliseconds. */
  constructor(client: Database, group: GroupCommit, path: string, now: () => number) {
    this.#now = now
    this.#client = client
    this.#group = group
    this.#path = path
  }

  beginsAt(graceMs: number): Promise<number> {
    return this.#group.run(() => {
      const nowMs = this.#now()
      const row = this.#client
        .query<{ retain_from: number }, [number, number]>(
          `UPDATE history SET retain_from = coalesce(retain_from,
            CASE WHEN EXISTS (SELECT 1 FROM queue_items) THEN ? ELSE ? END) RETURNING retain_from`,
        )
        .get(nowMs + graceMs, nowMs)
      return row?.retain_from ?? nowMs
    })
  }

  async takeTimer(): Promise<boolean> {
    return true
  }

  async passMinutes(minutes: number): Promise<void> {
    await this.#group.run(() => {
      const sql = "UPDATE history SET minutes = (minutes + ?) % 60 RETURNING minutes"
      const row = this.#client.query<{ minutes: number }, [number]>(sql).get(minutes)
      if (row && row.minutes < minutes) this.#client.query(PASS_HOUR).run()
    })
  }

  async newestAgo(hours: number): Promise<number> {
    const sql = `SELECT newest_id AS id FROM hours WHERE hour <= (SELECT max(hour) FROM hours) - ? ORDER BY hour DESC LIMIT 1`
    return this.#client.query<IdRow, [number]>(sql).get(hours)?.id ?? 0
  }

  thin(thinning: Thinning): Promise<number> {
    return this.#group.run(() => {
      const upTo = Math.min(thinning.upTo, this.#examinedByAll())
      const removed = this.#thinFinished(thinning, upTo)
      return removed > 0 ? removed : this.#thinLongest(thinning, upTo)
    })
  }

  purge(deleted: readonly Ended[], limit: number): Promise<number> {
    return this.#group.run(() => deleted.reduce((done, ended) => done || this.#purge(ended, limit), 0))
  }

  async forgetRuns(keep: number, limit: number): Promise<number> {
    const tooMany = (): number => {
      const sql = "SELECT count(*) AS n FROM (SELECT 1 FROM runs LIMIT ?)"
      return (this.#client.query<{ n: number }, [number]>(sql).get(keep + limit)?.n ?? 0) - keep
    }
    if (tooMany() <= 0) return 0
    // It counts once more in the transaction: runs may have gone meanwhile.
    return this.#group.run(() => {
      const oldest = "SELECT id FROM runs WHERE id > 0 ORDER BY id LIMIT ?"
      const sql = `DELETE FROM runs WHERE id IN (${oldest})`
      return this.#client.query<unknown, [number]>(sql).run(Math.max(0, tooMany())).changes
    })
  }

  async items(): Promise<{ readonly present: number; readonly deleted: number }> {
    const row = this.#client.query<{ present: number; deleted: number }, []>(ITEMS).get()
    return row ?? { present: 0, deleted: 0 }
  }

  async finished({ fromMs, toMs, upTo }: Ended, limit: number): Promise<readonly number[]> {
    // `rank` of a finished item is minus the time of its end: the highest rank ended first.
    return this.#client
      .query<IdRow, [number, number, number, number]>(
        `SELECT id FROM queue_items WHERE section = 2 AND rank BETWEEN ? AND ? AND last_update_id <= ?
          ORDER BY rank DESC, place DESC, id DESC LIMIT ?`,
      )
      .all(-toMs, -fromMs, upTo, limit)
      .map(({ id }) => id)
  }

  async size(): Promise<DatabaseSize> {
    const wal = sizeOf(`${this.#path}-wal`)
    const page = this.#pragma("page_size")
    const free = this.#pragma("freelist_count") * page
    return { used: this.#pragma("page_count") * page - free + wal, wal, free }
  }

  async checkpoint(): Promise<void> {
    this.#client.run("PRAGMA wal_checkpoint(TRUNCATE)")
  }

  async shrink(bytes: number): Promise<number> {
    const page = this.#pragma("page_size")
    // See `compactDatabase` for a file that cannot.
    if (!canShrink(this.#client) || this.#pragma("freelist_count") === 0) return 0
    return this.#group.run(() => {
      // Each step of the statement gives back one page: all steps must be taken.
      this.#client.query(`PRAGMA incremental_vacuum(${Math.max(1, Math.floor(bytes / page))})`).all()
      return this.#pragma("freelist_count") * page
    })
  }

  /** Removes the rest of one deleted item, and answers that cannot be repeated any more. */
  #purge({ fromMs, toMs, upTo }: Ended, limit: number): number {
    const keys = "SELECT key FROM idempotency_keys WHERE created_at BETWEEN ? AND ? LIMIT ?"
    const repeated = this.#client
      .query<unknown, [number, number, number]>(`DELETE FROM idempotency_keys WHERE key IN (${keys})`)
      .run(fromMs, toMs, limit)
    const gone = this.#client
      .query<IdRow, [number, number, number]>(
        "SELECT id FROM queue_items WHERE deleted_at BETWEEN ? AND ? AND last_update_id <= ? LIMIT 1",
      )
      .get(fromMs, toMs, Math.min(upTo, this.#examinedByAll()))
    if (!gone) return repeated.changes
    const ids = this.#client
      .query<IdRow, [number, number]>("SELECT id FROM updates WHERE queue_id = ? ORDER BY id LIMIT ?")
      .all(gone.id, limit)
      .map(({ id }) => id)
    this.#remove(gone.id, ids)
    const removed = ids.length + this.#removeOutput(gone.id, limit - ids.length)
    if (removed < limit) this.#client.query("DELETE FROM queue_items WHERE id = ?").run(gone.id)
    return repeated.changes + removed + 1
  }

  #thinFinished({ finished, keepCompleted, limit }: Thinning, upTo: number): number {
    const due = this.#client.query<IdRow, [number, number, number, number, number]>(
      `SELECT id FROM queue_items WHERE thin_at BETWEEN ? AND ? AND last_update_id <= ?
        AND id NOT IN (${NEWEST_COMPLETED}) ORDER BY thin_at LIMIT ?`,
    )
    const items = finished.flatMap((ended) =>
      due.all(ended.fromMs, ended.toMs, ended.upTo, keepCompleted, ITEMS_A_CALL),
    )
    let [removed, checked] = [0, 0]
    for (const { id } of items) {
      if (removed >= limit) break
      const ids = this.#removable(id, upTo, limit - removed)
      this.#remove(id, ids)
      removed += ids.length + this.#removeOutput(id, limit - removed - ids.length)
      if (removed < limit) checked += this.#setThinned(id, upTo)
    }
    // Most items have nothing to remove. Checking them is work, too: after 0 the caller would check no further items.
    return removed + checked
  }

  /**
   * An item needs no more thinning when its last update was old enough to be checked. Returns 1 for such an item,
   * and 0 for any other.
   */
  #setThinned(id: number, upTo: number): number {
    return this.#client
      .query("UPDATE queue_items SET thinned_id = last_update_id WHERE id = ? AND last_update_id <= ?")
      .run(id, upTo).changes
  }

  #thinLongest({ perItem, limit }: Thinning, upTo: number): number {
    if (perItem === 0) return 0
    const changed = this.#client
      .query<{ id: number; last: number }, [number, number]>(
        "SELECT id, last_update_id AS last FROM queue_items WHERE last_update_id > ? ORDER BY last_update_id LIMIT ?",
      )
      .all(this.#counted, ITEMS_A_CALL)
    this.#counted = changed.at(-1)?.last ?? this.#counted
    for (const { id } of changed) {
      if (!this.#tooMany.has(id) && this.#count(id, perItem + 1) > perItem) this.#tooMany.set(id, 0)
    }
    for (const [id, next] of this.#tooMany) {
      if (next > upTo) continue
      const excess = this.#count(id, perItem + limit) - perItem
      const ids = excess > 0 ? this.#removable(id, upTo, Math.min(excess, limit)) : []
      this.#remove(id, ids)
      if (ids.length > 0) return ids.length
      const later = excess > 0 ? this.#firstAfter(id, upTo) : null
      // The rest is few enough, or every update of the rest changes the status.
      if (later === null) this.#tooMany.delete(id)
      else this.#tooMany.set(id, later)
    }
    // To advance is work, too, even if nothing was removed.
    return changed.length
  }

  /** The first event ID of an item above another one; null if there is none. */
  #firstAfter(item: number, id: number): number | null {
    const sql = "SELECT min(id) AS id FROM updates WHERE queue_id = ? AND id > ?"
    return this.#client.query<{ id: number | null }, [number, number]>(sql).get(item, id)?.id ?? null
  }

  #count(id: number, most: number): number {
    const row = this.#client
      .query<{ n: number }, [number, number]>(
        "SELECT count(*) AS n FROM (SELECT 1 FROM updates WHERE queue_id = ? LIMIT ?)",
      )
      .get(id, most)
    return row?.n ?? 0
  }

  /**
   * Updates of an item up to `upTo` that repeat the status of the previous update and are not the last, the
   * oldest first. It returns fewer than `limit` if there are no more. It reads hardly more than it returns,
   * because all other work waits meanwhile.
   */
  #removable(item: number, upTo: number, limit: number): number[] {
    const sql = "SELECT pruned_id AS pruned, last_update_id AS last FROM queue_items WHERE id = ?"
    const row = this.#client.query<{ pruned: number; last: number }, [number]>(sql).get(item)
    if (!row) return []
    const updates = this.#client.query<{ id: number; status: string }, Record<string, number>>(FROM)
    const ids: number[] = []
    let [from, before] = [row.pruned, ""]
    for (;;) {
      const page = updates.all({ $item: item, $from: from, $limit: limit + 1 })
      for (const { id, status } of page) {
        if (id > upTo || id === row.last || ids.length === limit) return ids
        // A page begins with the update at which the previous page ended.
        if (status === before && id > from) ids.push(id)
        before = status
      }
      if (page.length <= limit) return ids
      from = page.at(-1)?.id ?? upTo
    }
  }

  #remove(item: number, ids: readonly number[]): void {
    const highest = ids.at(-1)
    if (highest === undefined) return
    this.#client
      .query("DELETE FROM updates WHERE id IN (SELECT value FROM json_each(?))")
      .run(JSON.stringify(ids))
    this.#client.query("UPDATE queue_items SET pruned_id = max(pruned_id, ?) WHERE id = ?").run(highest, item)
    this.#client
      .query("UPDATE history SET pruned_id = max(pruned_id, ?), pruned = pruned + ?")
      .run(highest, ids.length)
  }

  /** Removes pieces of the output of an item's commands; returns how many. */
  #removeOutput(item: number, limit: number): number {
    const rows = "SELECT rowid FROM outputs WHERE queue_id = ? LIMIT ?"
    return this.#client
      .query<unknown, [number, number]>(`DELETE FROM outputs WHERE rowid IN (${rows})`)
      .run(item, limit).changes
  }

  /** The highest event ID that every webhook has examined. */
  #examinedByAll(): number {
    return (
      this.#client
        .query<{ id: number }, []>(`SELECT coalesce((SELECT min(cursor) FROM webhooks), ${HEAD}) AS id`)
        .get()?.id ?? 0
    )
  }

  #pragma(name: "page_size" | "page_count" | "freelist_count"): number {
    return this.#client.query<Record<string, number>, []>(`PRAGMA ${name}`).get()?.[name] ?? 0
  }
}
