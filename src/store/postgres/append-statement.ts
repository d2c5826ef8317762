import { getTableColumns } from "drizzle-orm"

import { MAX_RUNS } from "../../item/estimate/earlier-run.ts"
import { IDLE } from "../../item/stored.ts"
import { needsOf, rowColumns, type SentRow, sentRow } from "./columns.ts"
import { isOfNow } from "./database-clock.ts"
import type { Added, DecidedRow, GroupDecisions } from "./group-decisions.ts"
import { HEAD } from "./history.ts"
import { runs } from "./schema.ts"

const { id: _id, ...writable } = rowColumns
const WRITTEN = Object.values(writable).map(({ name }) => name)
/** Columns with long texts, which are sent when they have changed. */
const LONG = ["steps", "totals", "tags", "metadata", "course"] as const
const NULL_TEXT = "null"

/**
 * A column of a changed row. A long column that was not sent stays as it is, and the text `null` stands for
 * null.
 */
const value = (name: string): string =>
  LONG.some((long) => long === name) ? `nullif(coalesce(c.${name}, q.${name}), '${NULL_TEXT}')` : `c.${name}`

/**
 * One group of writes in one statement, which is one transaction. It stores every item as it was decided, or
 * leaves it out if it was changed in the meantime, is claimed while the queue is paused now, or is claimed with a key under
 * which another instance has kept an answer in the meantime; it also stores new items
 * whose key is ours, their updates, and the note that the group was committed.
 *
 * It takes the append lock (`take_turn`) as late as possible, when it knows what it appends, and holds it until its commit. So
 * event IDs are given in the order of commits and without gaps, and that lock is never held while the program
 * computes. Locks are always taken in this order: our own instance, items by ID, keys by name, the append lock. Only a group
 * that locks its items before it decides has these first. A claim also locks the row of the history, but only against a
 * pause, which takes no other lock: a pause waits for the claims that it comes too late for.
 */
export const APPEND = `
WITH me AS MATERIALIZED (
  SELECT id FROM instances WHERE id = $1 AND epoch = $3 AND $4::int8 <= ${HEAD}
    AND EXISTS (SELECT FROM history WHERE resumed_id = $22::int8 AND database_timeline() IN (timeline, 0))
    AND ${isOfNow("$26")} FOR NO KEY UPDATE),
changed AS MATERIALIZED (
  SELECT * FROM json_populate_recordset(NULL::queue_items, $5::text::json) WHERE EXISTS (SELECT FROM me)),
sole AS MATERIALIZED (
  INSERT INTO songs (song_id, version) SELECT s.song_id, s.version + 1 FROM unnest($19::int8[], $20::int8[]) s(song_id, version)
  WHERE EXISTS (SELECT FROM me) ORDER BY s.song_id
  ON CONFLICT (song_id) DO UPDATE SET version = excluded.version WHERE songs.version = excluded.version - 1
  RETURNING song_id),
running AS MATERIALIZED (
  SELECT id FROM history WHERE paused_at IS NULL FOR KEY SHARE),
locked AS MATERIALIZED (
  SELECT q.id, q.attempt FROM changed c JOIN queue_items q ON q.id = c.id AND q.version = c.version
  WHERE q.deleted_at IS NULL AND (c.id <> ALL($21::int8[]) OR c.song_id IN (SELECT song_id FROM sole))
    AND (c.id <> ALL($23::int8[]) OR EXISTS (SELECT FROM running))
  ORDER BY q.id FOR NO KEY UPDATE OF q),
keys AS MATERIALIZED (
  INSERT INTO idempotency_keys (key, digest, answer, created_at)
  SELECT k.key, k.digest, k.answer, $6::int8
  FROM unnest($8::text[], $9::text[], $10::text[], $24::int8[]) k(key, digest, answer, claimed)
  WHERE EXISTS (SELECT FROM me) AND (SELECT count(*) FROM locked) >= 0
    AND (k.claimed IS NULL OR k.claimed IN (SELECT id FROM locked)) ORDER BY k.key
  ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, answer = excluded.answer, created_at = excluded.created_at
  WHERE idempotency_keys.created_at <= $7::int8 OR idempotency_keys.answer = ANY($25::text[]) RETURNING key),
held AS MATERIALIZED (
  SELECT l.* FROM locked l WHERE NOT EXISTS (
    SELECT FROM unnest($24::int8[], $8::text[]) own(id, key)
    WHERE own.id = l.id AND own.key NOT IN (SELECT key FROM keys))),
added AS MATERIALIZED (
  SELECT n.* FROM json_populate_recordset(NULL::queue_items, $11::text::json) n
  LEFT JOIN unnest($12::int8[], $13::text[]) own(id, key) ON own.id = n.id
  WHERE EXISTS (SELECT FROM me) AND (own.key IS NULL OR own.key IN (SELECT key FROM keys))),
said AS MATERIALIZED (
  SELECT u.*, row_number() OVER (ORDER BY u.place) AS n
  FROM unnest($14::int8[], $15::int8[], $16::text[], $17::text[]) WITH ORDINALITY u(queue_id, song_id, status, data, place)
  WHERE u.queue_id IN (SELECT id FROM held UNION ALL SELECT id FROM added)),
turn AS MATERIALIZED (
  SELECT take_turn() AS before WHERE EXISTS (SELECT FROM said)),
kept AS (
  INSERT INTO updates (id, queue_id, song_id, status, data)
  SELECT turn.before + said.n, said.queue_id, said.song_id, said.status, said.data FROM said, turn),
latest AS MATERIALIZED (
  SELECT said.queue_id AS id, max(turn.before + said.n) AS last FROM said, turn GROUP BY 1),
new AS (
  INSERT INTO queue_items (id, ${WRITTEN.join(", ")}, needs, available_ms, last_update_id)
  SELECT a.id, ${WRITTEN.map((name) => `a.${name}`).join(", ")}, a.needs, a.available_ms, l.last
  FROM added a JOIN latest l ON l.id = a.id),
done AS (
  UPDATE queue_items q SET (${WRITTEN.join(", ")}, deleted_at, available_ms, version, last_update_id) =
    ROW(${WRITTEN.map(value).join(", ")}, c.deleted_at,
      CASE WHEN q.available_at IS NOT DISTINCT FROM c.available_at THEN q.available_ms ELSE c.available_ms END,
      q.version + 1, coalesce(l.last, q.last_update_id))
  FROM changed c JOIN held h ON h.id = c.id LEFT JOIN latest l ON l.id = c.id WHERE q.id = c.id),
reset AS (
  DELETE FROM outputs o USING held h, changed c
  WHERE c.id = h.id AND c.attempt > h.attempt AND o.queue_id = h.id AND o.attempt >= c.attempt),
ended AS MATERIALIZED (
  SELECT r.* FROM json_populate_recordset(NULL::runs, $18::text::json) WITH ORDINALITY r, turn
  WHERE r.queue_id IN (SELECT id FROM held)),
remembered AS (
  INSERT INTO runs (kind, look, worker, queue_id, seconds, steps, ended_at)
  SELECT kind, look, worker, queue_id, seconds, steps, ended_at FROM ended ORDER BY ordinality),
forgotten AS (
  DELETE FROM runs WHERE id IN (
    SELECT old.id FROM (
      SELECT r.id, e.more, row_number() OVER (PARTITION BY r.kind, r.look ORDER BY r.id DESC) AS n
      FROM (SELECT kind, look, count(*) AS more FROM ended GROUP BY 1, 2) e JOIN runs r USING (kind, look)) old
    WHERE old.n > ${MAX_RUNS} - old.more)),
mark AS (
  INSERT INTO groups (instance, no, kept) SELECT $1, $2, ARRAY(SELECT id FROM held UNION ALL SELECT id FROM added) FROM me)
SELECT (SELECT count(*)::int FROM me) AS me,
  (SELECT coalesce(json_agg(id), '[]')::text FROM (SELECT id FROM held UNION ALL SELECT id FROM added) k) AS kept,
  (SELECT coalesce(max(last), 0)::float8 FROM latest) AS head,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`

/** The answer of the statement. */
export interface Appended {
  /**
   * 1; or 0 if this instance was shut out, the database has gone back, a standby has taken over or the clock has jumped, and
   * nothing was written.
   */
  readonly me: number
  /** The items that were stored, as JSON. */
  readonly kept: string
  /** The newest event ID that was given; 0 if none was. */
  readonly head: number
  /** The database's time, in epoch milliseconds. */
  readonly now: number
}

/** When a group is decided; times are in epoch milliseconds of the database. */
export interface Decided {
  /** The era in which its rows and numbers were read; see `RolledBackCheck`. */
  readonly era: number
  /** The time of the decision. */
  readonly nowMs: number
  /** Idempotency keys from this time or earlier may be used again. */
  readonly oldestMs: number
}

function changedRow({ now, before, change, availableMs }: DecidedRow): SentRow {
  const { item, work } = now
  const row = { ...item, ...work }
  const old = { ...before.stored.item, ...before.stored.work }
  const longs = LONG.map((key) => {
    const isSame = row[key] === old[key]
    return [key, isSame ? null : row[key] === null ? NULL_TEXT : JSON.stringify(row[key])] as const
  })
  return {
    ...sentRow(rowColumns, row),
    ...Object.fromEntries(longs),
    version: before.version,
    deleted_at: change?.deleted ? Date.parse(item.updated_at) : null,
    available_ms: availableMs,
  }
}

/** The parameters of the statement after the first four, made from the decisions of a group. */
export function parametersOf(
  decisions: GroupDecisions,
  { era, nowMs, oldestMs }: Decided,
): readonly unknown[] {
  const { adds, keys, said, changed, soleClaims } = decisions
  const addedRow = ({ item, availableMs }: Added): SentRow => ({
    ...sentRow(rowColumns, { ...item, ...IDLE }),
    needs: needsOf(item.tags),
    available_ms: availableMs,
  })
  return [
    JSON.stringify(changed.map(changedRow)),
    nowMs,
    oldestMs,
    keys.map(({ key }) => key),
    keys.map(({ digest }) => digest),
    keys.map(({ answer }) => answer),
    JSON.stringify(adds.map(addedRow)),
    adds.map(({ item }) => item.id),
    adds.map(({ key }) => key ?? null),
    said.map(({ queue_id }) => queue_id),
    said.map(({ song_id }) => song_id),
    said.map(({ status }) => status),
    said.map(({ data }) => data),
    JSON.stringify(decisions.runs.map((run) => sentRow(getTableColumns(runs), run))),
    soleClaims.map(({ song_id }) => song_id),
    soleClaims.map(({ version }) => version),
    soleClaims.map(({ id }) => id),
    era,
    decisions.claims,
    keys.map(({ claimed }) => claimed),
    keys.flatMap(({ former }) => former ?? []),
  ]
}
