import type { Database } from "bun:sqlite"

import { and, asc, eq, isNull, type SQL, sql, sum } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import type { Status } from "../../item/item.ts"
import type { ListQuery } from "../contract/items.ts"
import {
  endOfSlice,
  foldedParts,
  type Most,
  type Place,
  type PlacedItem,
  SECTIONS,
  type Slice,
  type Slices,
} from "../list-order.ts"
import { deleted_at, itemColumns, place, rank, section } from "./columns.ts"
import { rowsOf } from "./rows-of-columns.ts"
import { queueItems } from "./schema.ts"
import { SliceTurns } from "./slice-turns.ts"

/** About how long a search may compute in one tick of the event loop. */
const SEARCH_MS = 4
/** The number of items that a search reads in one tick: the first number, the least and the most. */
const SEARCH_ROWS = { first: 100, least: 10, most: 2000 }
/** Of more items than the least number, a search reads only as many in one tick as have so many bytes of text. */
const SEARCH_BYTES = 1024 * 1024

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

/**
 * The order of the queue. The items of one status have their section in common, so their order leaves it out: with it,
 * SQLite would read all other items of that section, too.
 */
function orderOf({ status }: ListQuery): SQL[] {
  const order = [asc(rank), asc(place), asc(queueItems.id)]
  return status === undefined ? [asc(section), ...order] : order
}

const PLACE = { section, rank, place, id: queueItems.id }
const bytes = sql<number>`octet_length(${queueItems.title}) + octet_length(${queueItems.error_message}) + octet_length(${queueItems.metadata})`

const PLACED = { ...itemColumns, section, rank, place }
const placedRows = rowsOf(PLACED)

/** Reads the queue in its order. */
export class Listing implements Slices {
  readonly #db: ReturnType<typeof drizzle>
  readonly #turns = new SliceTurns()
  /** The number of items in the next slice. With many words or long texts, each item takes longer. */
  #sliceRows = SEARCH_ROWS.first
  /** What this thread had computed before the present slice, which `end` begins and `rows` reads in the same tick. */
  #before: NodeJS.CpuUsage | undefined

  constructor(client: Database) {
    this.#db = drizzle(client)
  }

  /** Only one slice of all searches together is read at a time, and other work has some ticks between two slices. */
  async end(query: ListQuery, start: Place | undefined, given?: Most): Promise<Place | undefined> {
    if (!given) {
      await this.#turns.next(query, query.signal)
      // The server may have closed the database meanwhile.
      if (query.signal?.aborted) return undefined
      this.#before = process.threadCpuUsage()
    }
    const most = given ?? { items: this.#sliceRows, least: SEARCH_ROWS.least, bytes: SEARCH_BYTES }
    return given ? this.#weighedEnd(query, start, most) : this.#searchedEnd(query, start, most)
  }

  async rows(query: ListQuery, limit: number, { start, end, words = [] }: Slice): Promise<PlacedItem[]> {
    const selected = this.#db
      .select(PLACED)
      .from(queueItems)
      .where(and(this.#where(query, start), end && beside("<=", end, query.status), ...words.map(candidates)))
      .orderBy(...orderOf(query))
      .limit(limit)
    const rows = placedRows(selected.values())
    if (words.length > 0) this.#adapt(process.threadCpuUsage(this.#before))
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

  /** Most slices are short in bytes: then their items need not be weighed one by one, which takes as long as a search. */
  #searchedEnd(query: ListQuery, start: Place | undefined, most: Most): Place | undefined {
    const where = this.#where(query, start)
    const slice = this.#db
      .select({ bytes: bytes.as("bytes") })
      .from(queueItems)
      .where(where)
      .orderBy(...orderOf(query))
      .limit(most.items)
      .as("slice")
    const total = this.#db
      .select({ bytes: sum(slice.bytes).mapWith(Number) })
      .from(slice)
      .get()
    if ((total?.bytes ?? 0) > most.bytes) return this.#weighedEnd(query, start, most)
    const last = this.#db
      .select(PLACE)
      .from(queueItems)
      .where(where)
      .orderBy(...orderOf(query))
    return last
      .limit(1)
      .offset(most.items - 1)
      .get()
  }

  #weighedEnd(query: ListQuery, start: Place | undefined, most: Most): Place | undefined {
    const items = this.#db
      .select({ ...PLACE, bytes })
      .from(queueItems)
      .where(this.#where(query, start))
      .orderBy(...orderOf(query))
      .limit(most.items + 1)
      .all()
    return endOfSlice(items, most)
  }

  #where({ status, songId }: ListQuery, start: Place | undefined): SQL | undefined {
    // A deleted item has no section, so it is beyond no place.
    const any = start ? undefined : sql`${section} >= 0`
    return and(
      status === undefined ? any : and(isNull(deleted_at), eq(queueItems.status, status)),
      songId === undefined
        ? undefined
        : and(eq(queueItems.song_id, songId), status && eq(section, SECTIONS[status])),
      start && beside(">", start, status),
    )
  }
}
