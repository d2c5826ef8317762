import type { Database } from "bun:sqlite"

import { and, asc, eq, isNull, type SQL, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import type { Status } from "../../item/item.ts"
import type { ListQuery } from "../contract/items.ts"
import { foldedParts, type Place, type PlacedItem, SECTIONS, type Slice, type Slices } from "../list-order.ts"
import { deleted_at, itemColumns, place, rank, section } from "./columns.ts"
import { rowsOf } from "./rows-of-columns.ts"
import { queueItems } from "./schema.ts"

/** About how long a search may compute in one turn of the event loop. */
const SEARCH_MS = 10
/** The number of items that a search reads in one turn: the first number, the least and the most. */
const SEARCH_ROWS = { first: 100, least: 10, most: 2000 }

/**
 * Every item that contains the word, and a few more: in this query, letters beyond ASCII match any letter.
 */
function candidates(word: string): SQL | undefined {
  const texts = sql`'#' || id || char(10) || 'song ' || song_id || char(10) || title || char(10) || error_message || char(10) || worker || char(10) || tags || char(10) || metadata`
  return and(...foldedParts(word).map((part) => sql`instr(lower(${texts}), ${part}) > 0`))
}

/**
 * The items after a place, or up to it. The items of one status are in one section, and have an index without the
 * section. The index begins and ends at such a comparison, but not at its negation.
 */
function beside(
  sign: ">" | "<=",
  { section: s, rank: r, place: p, id }: Place,
  status: Status | undefined,
): SQL {
  const compared = sql.raw(sign)
  if (status === undefined)
    return sql`(${section}, ${rank}, ${place}, ${queueItems.id}) ${compared} (${s}, ${r}, ${p}, ${id})`
  if (s === SECTIONS[status])
    return sql`(${rank}, ${place}, ${queueItems.id}) ${compared} (${r}, ${p}, ${id})`
  return (s ?? 0) < SECTIONS[status] === (sign === ">") ? sql`true` : sql`false`
}

const PLACED = { ...itemColumns, section, rank, place }
const placedRows = rowsOf(PLACED)

/** Reads the queue in its order. */
export class Listing implements Slices {
  readonly #db: ReturnType<typeof drizzle>
  #turn: Promise<void> = Promise.resolve()
  /** The number of items in the next slice. With many words or long texts, each item takes longer. */
  #sliceRows = SEARCH_ROWS.first

  constructor(client: Database) {
    this.#db = drizzle(client)
  }

  /** Only one slice of all searches together is read in each turn of the event loop. */
  async end(query: ListQuery, start: Place | undefined): Promise<Place | undefined> {
    this.#turn = this.#turn.then(() => new Promise((turn) => void setImmediate(turn)))
    await this.#turn
    return this.#db
      .select({ section, rank, place, id: queueItems.id })
      .from(queueItems)
      .where(this.#where(query, start))
      .orderBy(asc(section), asc(rank), asc(place), asc(queueItems.id))
      .limit(1)
      .offset(this.#sliceRows - 1)
      .get()
  }

  async rows(query: ListQuery, limit: number, { start, end, words = [] }: Slice): Promise<PlacedItem[]> {
    const before = process.threadCpuUsage()
    const selected = this.#db
      .select(PLACED)
      .from(queueItems)
      .where(and(this.#where(query, start), end && beside("<=", end, query.status), ...words.map(candidates)))
      .orderBy(asc(section), asc(rank), asc(place), asc(queueItems.id))
      .limit(limit)
    const rows = placedRows(selected.values())
    if (words.length > 0) this.#adapt(process.threadCpuUsage(before))
    return rows
  }

  /**
   * The time is that of this thread alone, in microseconds. So other work of the machine does not make the
   * slices smaller.
   */
  #adapt({ user, system }: NodeJS.CpuUsage): void {
    const wanted = Math.round(this.#sliceRows * Math.min(2, (SEARCH_MS * 1000) / (user + system)))
    this.#sliceRows = Math.min(SEARCH_ROWS.most, Math.max(SEARCH_ROWS.least, wanted))
  }

  #where({ status, songId }: ListQuery, start: Place | undefined): SQL | undefined {
    // A deleted item has no section, so it is beyond no place.
    const any = start ? undefined : sql`${section} >= 0`
    return and(
      status === undefined
        ? any
        : and(isNull(deleted_at), eq(queueItems.status, status), eq(section, SECTIONS[status])),
      songId === undefined ? undefined : eq(queueItems.song_id, songId),
      start && beside(">", start, status),
    )
  }
}
