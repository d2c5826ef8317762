import { RAN_OUT, REVOKED } from "../../item/lease-token.ts"
import { SLOW_MS } from "../outages-extend-leases.ts"
import { isOfNow } from "./database-clock.ts"

/**
 * Because of measuring errors a lease can last this much longer than its length. A lease that lasts longer
 * was given before the clock went back.
 */
const SKEW_MS = 1000

/** So many outages are kept, for instances that start later or have not noticed one. Short ones are those of one instance. */
const KEPT_OUTAGES = 50

/**
 * Stores a sign of life at $1. If $2 is given, it extends every lease, and the wait of items for their
 * workers after a restore, by the outage from $2 to $4. Time that any instance has counted already, up to the
 * stored sign of life, is not counted again; so after an outage that ended before now, $4 is what is stored. A lease that would last longer than its length, because the
 * server's clock has gone back, is shortened to its length. Returns the database's time, whether this was
 * done: not if this instance has not noticed yet that the server's clock has jumped ($3 is its own clock), how much of the
 * outage was counted, and the beginnings and ends of the latest outages that were counted before.
 */
export const ALIVE = `WITH before AS MATERIALIZED (
  SELECT CASE WHEN $2::int8 IS NULL THEN 0 ELSE greatest(0, $4::int8 - greatest($2::int8, coalesce(alive_at, 0))) END AS took
  FROM history WHERE ${isOfNow("$3")} FOR NO KEY UPDATE),
leased AS MATERIALIZED (
  SELECT q.id, before.took FROM queue_items q, before
  WHERE q.section = 0 AND q.lease_expires_at IS NOT NULL
    AND (before.took > 0 OR (q.lease_ms > 0 AND q.lease_expires_at > $1::int8 + q.lease_ms + ${SKEW_MS}))
  ORDER BY q.id FOR NO KEY UPDATE OF q),
lengthened AS (
  UPDATE queue_items q SET version = q.version + 1,
    lease_expires_at = CASE WHEN q.lease_ms > 0 AND q.lease_expires_at + leased.took > $1::int8 + q.lease_ms + ${SKEW_MS}
      THEN $1::int8 + q.lease_ms ELSE q.lease_expires_at + leased.took END
  FROM leased WHERE q.id = leased.id),
waiting AS MATERIALIZED (
  SELECT q.id, before.took FROM queue_items q, before
  WHERE before.took > 0 AND q.section = 1 AND q.available_ms > 0
    AND (q.status = 'retrying' OR q.lease_token NOT LIKE '${REVOKED}%') AND q.lease_token NOT LIKE '${RAN_OUT}%' AND q.verdict IS NULL
  ORDER BY q.id FOR NO KEY UPDATE OF q),
postponed AS (
  UPDATE queue_items q SET available_ms = q.available_ms + waiting.took, available_at = q.available_at + waiting.took,
    version = q.version + 1
  FROM waiting WHERE q.id = waiting.id),
noted AS (UPDATE history SET alive_at = CASE WHEN history.alive_at > $1::int8 + ${SKEW_MS} THEN $1::int8
    ELSE greatest(history.alive_at, $4::int8) END
FROM before RETURNING history.id),
counted AS (
  INSERT INTO outages (since_ms, ended_ms) SELECT $4::int8 - took, $4::int8 FROM before WHERE took > ${SLOW_MS} ON CONFLICT DO NOTHING),
forgotten AS (
  DELETE FROM outages USING before WHERE outages.ended_ms > $1::int8 + ${SKEW_MS} OR (before.took > 0
    AND outages.ended_ms NOT IN (SELECT ended_ms FROM outages ORDER BY ended_ms DESC LIMIT ${KEPT_OUTAGES})))
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now, EXISTS (SELECT FROM noted) AS counted,
  (SELECT took::float8 FROM before) AS took,
  (SELECT json_agg(json_build_object('sinceMs', since_ms, 'endedMs', ended_ms))::text FROM outages
    WHERE ended_ms <= $1::int8 + ${SKEW_MS}) AS outages`
