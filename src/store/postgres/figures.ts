import {
  type Figures,
  type Finished,
  finishedOf,
  type OutcomeRow,
  type Standings,
  standingsOf,
} from "../contract/figures.ts"
import type { PostgresConnections } from "./connections.ts"

/** From each song to the next one in the index, over all of its items. */
const SONGS = `WITH RECURSIVE song(at) AS (SELECT min(song_id) FROM queue_items
    UNION ALL SELECT (SELECT min(song_id) FROM queue_items WHERE song_id > song.at) FROM song WHERE song.at IS NOT NULL)
  SELECT count(song.at)::int AS songs FROM song`

/** From each priority to the next one in the index, 64 at most. */
const OLDEST = `WITH RECURSIVE ranks(rank, n) AS (SELECT min(rank), 1 FROM queue_items WHERE section = 1
    UNION ALL SELECT (SELECT min(rank) FROM queue_items WHERE section = 1 AND rank > ranks.rank), n + 1 FROM ranks
    WHERE ranks.rank IS NOT NULL AND n < 64)
  SELECT min((SELECT coalesce(requeued_at, queued_at) FROM queue_items WHERE section = 1 AND rank = ranks.rank ORDER BY place, id LIMIT 1))::float8 AS at
  FROM ranks WHERE ranks.rank IS NOT NULL`

const LEASES =
  "SELECT count(*)::int AS leases FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL"

const FINISHED = `SELECT outcome, count(*)::int AS items, min(completed_at - started_at)::float8 AS least,
    max(completed_at - started_at)::float8 AS most, coalesce(sum(completed_at - started_at), 0)::float8 AS sum
  FROM queue_items WHERE completed_at >= $1 AND outcome IS NOT NULL AND deleted_at IS NULL GROUP BY outcome`

/** The whole queue in figures: standing ones are counted by triggers, those of a time are read from one index. */
export class PostgresFigures implements Figures {
  readonly #link: PostgresConnections

  /** Reads on `link`. */
  constructor(link: PostgresConnections) {
    this.#link = link
  }

  async standing(): Promise<Standings> {
    const rows = await this.#link.run<{ standing: string; items: number }>(
      "SELECT standing, items::float8 AS items FROM queue_counts",
    )
    return standingsOf(rows)
  }

  async songs(): Promise<number> {
    const [row] = await this.#link.run<{ songs: number }>(SONGS)
    return row?.songs ?? 0
  }

  async oldestWaiting(): Promise<string | null> {
    const [row] = await this.#link.run<{ at: number | null }>(OLDEST)
    return typeof row?.at === "number" ? new Date(row.at).toISOString() : null
  }

  async leases(): Promise<number> {
    const [row] = await this.#link.run<{ leases: number }>(LEASES)
    return row?.leases ?? 0
  }

  async finished(sinceMs: number): Promise<Finished> {
    const rows = await this.#link.run<OutcomeRow>(FINISHED, [sinceMs])
    return finishedOf(rows)
  }
}
