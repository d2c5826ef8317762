import type { Lost } from "../contract/history.ts"
import type { RolledBack } from "../contract/store.ts"
import type { PostgresConnections } from "./connections.ts"

/**
 * New event IDs begin this far above the newest that an instance has seen. No other instance can have seen so
 * many more.
 */
const JUMP = 1_000_000

/**
 * Sequences of numbers that people keep: of items, tokens and deliveries. Their new numbers begin as far
 * above.
 */
const SEQUENCES = ["queue_items_ids", "tokens_ids", "deliveries_ids"]

/**
 * The event IDs of lost updates, as SQL: of each range the last ID before it, and its last one. A version without the
 * column `lost`, a database that was moved here, and the statement of the documentation set one range, which then counts.
 */
export const LOST = `CASE WHEN h.resumed_id = coalesce(h.lost[cardinality(h.lost)], 0) THEN h.lost
  ELSE ARRAY[h.restored_id, h.resumed_id] END`

/** The era, which is the last of these event IDs, and all of them as JSON, as SQL. */
export const ERA = `(SELECT h.resumed_id::float8 FROM history h) AS era,
  (SELECT array_to_json(${LOST})::text FROM history h) AS lost`

/** A row of `ERA`. */
export interface Era {
  /** The last event ID that no update has since the database went back; 0 if it never did. */
  readonly era: number
  /** See `rangesIn`. */
  readonly lost: string
}

/** The ranges of lost event IDs, from `LOST` as JSON. */
export function rangesIn(json: string): readonly Lost[] {
  const ends: number[] = JSON.parse(json)
  return ends.flatMap((after, i) => {
    const upTo = i % 2 === 0 ? ends[i + 1] : undefined
    return upTo === undefined ? [] : [{ after, upTo, reason: "rolled_back" }]
  })
}

/**
 * Notes that event IDs were lost if the newest one is below $1. It notes the same if another server has taken over since:
 * the instances that knew what that server lacks may all be gone. Returns the new floor and the new era. It
 * locks the row of the history before it takes the append lock: a transaction that waits for that row holds no item
 * for which a group could wait.
 */
const RAISE = `WITH held AS MATERIALIZED (
  SELECT database_timeline() NOT IN (timeline, 0) AS is_other FROM history FOR NO KEY UPDATE),
turn AS MATERIALIZED (SELECT take_turn() AS head, is_other FROM held),
raised AS (
  UPDATE history h SET timeline = coalesce(nullif(database_timeline(), 0), h.timeline), floor = t.newest + ${JUMP} + 1,
    restored_id = least(h.restored_id, t.head), resumed_id = t.newest + ${JUMP},
    lost = ${LOST} || ARRAY[t.head, t.newest + ${JUMP}],
    pruned = h.pruned + t.newest + ${JUMP} + 1 - t.head
  FROM (SELECT head, is_other, greatest(head, $1::int8) AS newest FROM turn) t
  WHERE t.is_other OR t.head < $1::int8
  RETURNING h.floor::float8 AS floor, h.resumed_id::float8 AS era, array_to_json(h.lost)::text AS lost)
SELECT floor, era, lost, (SELECT count(setval(name::regclass, nextval(name::regclass) + ${JUMP}))
  FROM unnest(ARRAY[${SEQUENCES.map((name) => `'${name}'`).join(", ")}]) name) AS numbered
FROM raised`

/** Whether `RAISE` would note anything; takes no lock. */
const IS_BACK = `SELECT FROM history h WHERE database_timeline() NOT IN (timeline, 0)
  OR greatest(floor, (SELECT max(id) FROM updates)) < $1::int8`

/**
 * Knows the newest event ID that this instance has seen. If the database has only lower IDs, it has lost
 * acknowledged updates: a backup was restored, or a late standby took over. Then new event IDs begin far
 * above, so that none means two things. They do so, too, after any standby has taken over, as the server's timeline shows.
 */
export class RolledBackCheck {
  #newest = 0
  #era: number
  readonly #onBack: (back: RolledBack) => void

  /**
   * `onBack` is called when the database has gone back, or another server has taken over. Then nothing that is kept of it
   * in memory is valid any more.
   */
  constructor(era: number, onBack: (back: RolledBack) => void) {
    this.#era = era
    this.#onBack = onBack
  }

  /**
   * The first event ID after the database went back the last time; 0 if it never did. What was read in
   * another era is not valid, because an item may have the same version again with other content.
   */
  get era(): number {
    return this.#era
  }

  /** The newest event ID that was seen. */
  get newest(): number {
    return this.#newest
  }

  /** Notes that an event ID was seen. */
  note(eventId: number): void {
    if (eventId > this.#newest) this.#newest = eventId
  }

  /**
   * Takes the newest event ID of the database. Returns it, or the ID from which new ones begin if the
   * database has gone back.
   */
  async checked(link: PostgresConnections, head: number): Promise<number> {
    if (head < this.#newest) await this.raise(link)
    else this.note(head)
    return Math.max(head, this.#newest)
  }

  /** Checks whether the database has gone back. If so, new event IDs begin above all that were seen. */
  async raise(link: PostgresConnections): Promise<void> {
    const [row] = await link.ask<Era & { floor: number }>(RAISE, [this.#newest])
    if (!row) return
    this.begin(row)
    this.note(row.floor)
  }

  /**
   * Checks the same before a token or a delivery gets its number, so that none was given before. The statement that
   * stores items checks this itself.
   */
  async beforeNumber(link: PostgresConnections): Promise<void> {
    const found = await link.ask(IS_BACK, [this.#newest])
    if (found.length > 0) await this.raise(link)
  }

  /** Takes the era of the database: another instance may have noticed that it has gone back. */
  begin({ era, lost }: Era): void {
    if (era === this.#era) return
    const ranges = rangesIn(lost).filter(({ upTo }) => upTo > this.#era || upTo === era)
    this.#era = era
    const newest = this.#newest
    // An instance that was cut off meanwhile may have seen what was lost before an earlier era.
    const range = ranges.find(({ after, upTo }) => newest > after && newest <= upTo) ?? ranges.at(-1)
    // It may have seen more than the one that noticed it, or read updates of the new era already.
    const to = range ? Math.max(range.upTo - JUMP, newest <= range.upTo ? newest : 0) : 0
    const isAnyLost = range !== undefined && to > range.after
    this.#onBack({ idsBeginAbove: era, lost: isAnyLost ? { from: range.after + 1, to } : null })
  }
}
