import type { Database } from "bun:sqlite"

import {
  type Figures,
  type Finished,
  finishedOf,
  type OutcomeRow,
  type Standings,
  standingsOf,
} from "../contract/figures.ts"
import { SliceTurns } from "./slice-turns.ts"

/** So many finished items are read in one tick of the event loop. */
const SLICE_ITEMS = 2000

/** If `outcome` and `deleted_at` are named as the index names them, only the index is read. */
const FINISHED =
  "queue_items INDEXED BY queue_items_finished WHERE outcome IS NOT NULL AND deleted_at IS NULL"

/**
 * The figures of the whole queue. Triggers count the standings; the figures of a period of time are read from
 * one index.
 */
export class SqliteFigures implements Figures {
  readonly #client: Database
  readonly #turns = new SliceTurns()

  constructor(client: Database) {
    this.#client = client
  }

  async standing(): Promise<Standings> {
    const rows = this.#client
      .query<{ standing: string; items: number }, []>("SELECT standing, items FROM queue_counts")
      .all()
    return standingsOf(rows)
  }

  async songs(): Promise<number> {
    // From each song to the next one in the index, over all of its items.
    const row = this.#client
      .query<{ songs: number }, []>(
        `WITH RECURSIVE song(at) AS (SELECT min(song_id) FROM queue_items
          UNION ALL SELECT (SELECT min(song_id) FROM queue_items WHERE song_id > song.at) FROM song WHERE song.at IS NOT NULL)
        SELECT count(song.at) AS songs FROM song`,
      )
      .get()
    return row?.songs ?? 0
  }

  async oldestWaiting(): Promise<string | null> {
    // From each priority to the next one in the index: to read every waiting item would take too long.
    const row = this.#client
      .query<{ at: number | null }, []>(
        `WITH RECURSIVE ranks(rank) AS (SELECT min(rank) FROM queue_items WHERE section = 1
          UNION ALL SELECT (SELECT min(rank) FROM queue_items WHERE section = 1 AND rank > ranks.rank) FROM ranks
            WHERE ranks.rank IS NOT NULL LIMIT 64)
        SELECT min((SELECT coalesce(requeued_at, queued_at) FROM queue_items WHERE section = 1 AND rank = ranks.rank ORDER BY place, id LIMIT 1)) AS at
        FROM ranks WHERE ranks.rank IS NOT NULL`,
      )
      .get()
    return row?.at == null ? null : new Date(row.at).toISOString()
  }

  async leases(): Promise<number> {
    const row = this.#client
      .query<{ leases: number }, []>(
        "SELECT count(*) AS leases FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL",
      )
      .get()
    return row?.leases ?? 0
  }

  /** In slices: a year may have very many items, and a write must not wait until all of them are counted. */
  async finished(sinceMs: number): Promise<Finished> {
    const rows: OutcomeRow[] = []
    for (let fromMs = sinceMs; ; await this.#turns.next(rows)) {
      const endMs = this.#endOfSlice(fromMs)
      rows.push(...this.#slice(fromMs, endMs))
      if (endMs === Infinity) return finishedOf(rows)
      fromMs = endMs
    }
  }

  /** The end of a slice that begins at a time. All items that finished in one millisecond are in the same slice. */
  #endOfSlice(fromMs: number): number {
    const next = this.#client
      .query<{ at: number }, [number, number]>(
        `SELECT completed_at AS at FROM ${FINISHED} AND completed_at >= ? ORDER BY completed_at LIMIT 1 OFFSET ?`,
      )
      .get(fromMs, SLICE_ITEMS)
    return next ? Math.max(next.at, fromMs + 1) : Infinity
  }

  #slice(fromMs: number, endMs: number): OutcomeRow[] {
    return this.#client
      .query<OutcomeRow, [number, number]>(
        `SELECT outcome, count(*) AS items, min(completed_at - started_at) AS least,
          max(completed_at - started_at) AS most, total(completed_at - started_at) AS sum
        FROM ${FINISHED} AND completed_at >= ? AND completed_at < ? GROUP BY outcome`,
      )
      .all(fromMs, endMs)
  }
}
