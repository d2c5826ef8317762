import { and, asc, eq, isNull, type SQL, sql } from "drizzle-orm"

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
  type WeighedPlace,
} from "../list-order.ts"
import { deleted_at, itemColumns, place, rank, section } from "./columns.ts"
import type { PostgresConnections } from "./connections.ts"
import { queueItems } from "./schema.ts"

/** Items that a search looks at in one statement. */
const SEARCH_ROWS = 2000

/**
 * Every item that has the word, and a few more: the C collation folds only ASCII, so other letters match
 * anything.
 */
function candidates(word: string): SQL | undefined {
  const texts = sql`concat_ws(chr(10), '#' || id, 'song ' || song_id, title, error_message, worker, tags, metadata) COLLATE "C"`
  return and(...foldedParts(word).map((part) => sql`strpos(lower(${texts}), ${part}) > 0`))
}

/**
 * The items beyond a place, or up to it. Those of one status are of one section, and have an index without it. The index
 * begins and ends at such a comparison, but not at its negation.
 */
function beside(
  sign: ">" | "<=",
  { section: s, rank: r, place: p, id }: Place,
  status: Status | undefined,
): SQL {
  const [own, there] = [sql`${rank}, ${place}, ${queueItems.id}`, sql`${r}::int8, ${p}::float8, ${id}::int8`]
  const compared = sql.raw(sign)
  if (status === undefined) return sql`(${section}, ${own}) ${compared} (${s}::int, ${there})`
  if (s === SECTIONS[status]) return sql`(${own}) ${compared} (${there})`
  return (s ?? 0) < SECTIONS[status] === (sign === ">") ? sql`true` : sql`false`
}

const WEIGHED = {
  section,
  rank,
  place,
  id: queueItems.id,
  bytes: sql<number>`octet_length(${queueItems.title}) + octet_length(${queueItems.error_message}) + octet_length(${queueItems.metadata})`,
}

/** Reads the queue in its order. */
export class Listing implements Slices {
  readonly #link: PostgresConnections

  /** Reads on `link`. */
  constructor(link: PostgresConnections) {
    this.#link = link
  }

  async end(query: ListQuery, start: Place | undefined, most?: Most): Promise<Place | undefined> {
    if (most) return endOfSlice(await this.#weighed(query, start, most.items + 1), most)
    const last = this.#link.db
      .select({ section, rank, place, id: queueItems.id })
      .from(queueItems)
      .where(this.#where(query, start))
      .orderBy(asc(section), asc(rank), asc(place), asc(queueItems.id))
      .limit(1)
      .offset(SEARCH_ROWS - 1)
    return (await this.#link.get(last))[0]
  }

  rows(query: ListQuery, limit: number, { start, end, words = [] }: Slice): Promise<PlacedItem[]> {
    const rows = this.#link.db
      .select({ ...itemColumns, section, rank, place })
      .from(queueItems)
      .where(and(this.#where(query, start), end && beside("<=", end, query.status), ...words.map(candidates)))
      .orderBy(asc(section), asc(rank), asc(place), asc(queueItems.id))
      .limit(limit)
    return this.#link.get(rows)
  }

  #weighed(query: ListQuery, start: Place | undefined, limit: number): Promise<WeighedPlace[]> {
    const places = this.#link.db
      .select(WEIGHED)
      .from(queueItems)
      .where(this.#where(query, start))
      .orderBy(asc(section), asc(rank), asc(place), asc(queueItems.id))
      .limit(limit)
    return this.#link.get(places)
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
