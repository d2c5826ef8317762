import { sql } from "drizzle-orm"

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

/**
 * Which items a claim may get and in which order, as SQL. With `onePerSong` it passes over songs of which another
 * worker has an item.
 */
export function claimOrder(onePerSong: boolean) {
  const isFree = onePerSong ? SONG_IS_FREE : "true"
  return {
    /** See `claimable`. */
    claimable: claimable(isFree),
    /** See `firstClaimable`. */
    first: firstClaimable(isFree),
    /** How often an item of the same song was claimed: between two claims of one song the first wins. */
    songVersion: sql<string>`${sql.raw(onePerSong ? SONG_VERSION : "0")}`,
  }
}
