import { AppError } from "../errors.ts"
import type { QueueItem, Status } from "../item/item.ts"
import { hasWords, searchWords } from "../item/search.ts"
import type { ListPage, ListQuery } from "./contract/items.ts"

const LIST_BYTES = 4 * 1024 * 1024
/** A list of at most so many items is read without looking how long they are. */
const SHORT = 100

/** The section of the queue's order for items of a status (see `queueItems` of the schema). */
export const SECTIONS: Readonly<Record<Status, number>> = {
  processing: 0,
  queued: 1,
  retrying: 1,
  completed: 2,
  failed: 2,
}

/** The place of an item in the queue's order; lower comes first, and null has no place. */
export interface Place {
  /** The section of the item: running items, waiting items, or finished items. */
  readonly section: number | null
  /** Its priority, or the time of its end. */
  readonly rank: number | null
  /** Its turn. */
  readonly place: number | null
  /** The item. */
  readonly id: number
}

/** An item, and its place. */
export type PlacedItem = QueueItem & Place

/** A part of the queue, in its order. */
export interface Slice {
  /** The item before the first one; undefined for the beginning of the queue. */
  readonly start?: Place | undefined
  /** The last item; undefined for the end of the queue. */
  readonly end?: Place | undefined
  /**
   * Only items that may have these words; some that do not have them may be among these. Absent for all
   * items.
   */
  readonly words?: readonly string[]
}

/**
 * The parts of a word that every database finds in upper and lower case, because it folds only ASCII letters.
 * Each part is searched by itself and not all with one pattern, because matching a pattern against a long
 * text can take seconds.
 */
export const foldedParts = (word: string): string[] =>
  word.split(/[^\x20-\x7e]+/).filter((part) => part !== "")

/** The place of an item, and how many bytes those of its texts have that may be long. */
export interface WeighedPlace extends Place {
  /** The bytes of title, error and metadata. */
  readonly bytes: number
}

/** How long a slice may be. */
export interface Most {
  /** The most items. */
  readonly items: number
  /** So many items may be in it, whatever their texts. */
  readonly least: number
  /** The most bytes of text, unless it has no more than the least number of items. */
  readonly bytes: number
}

/** The last item of a slice that begins with these items; undefined if all of them are in it. */
export function endOfSlice(items: readonly WeighedPlace[], most: Most): Place | undefined {
  let sum = 0
  const tooMany = items.findIndex(({ bytes }) => (sum += bytes) > most.bytes)
  const count = Math.min(most.items, tooMany < 0 ? items.length : Math.max(most.least, tooMany))
  return count < items.length ? items[count - 1] : undefined
}

/** How a store reads the queue in its order. */
export interface Slices {
  /** The first items of a slice, at most `limit`. */
  rows(query: ListQuery, limit: number, slice: Slice): Promise<PlacedItem[]>
  /**
   * The last item of a slice that is short enough: to be searched at once, or, if `most` is given, no longer than that.
   * Undefined if the whole rest of the queue is short enough.
   */
  end(query: ListQuery, start: Place | undefined, most?: Most): Promise<Place | undefined>
}

/** The place that a page gave as its `next`. @throws AppError `invalid` for anything else */
function placeOf(after: string): Place {
  const [, section, rank, place, id] =
    /^([012])\.(-?\d{1,16})\.(-?\d{1,16}(?:\.\d{1,20})?(?:e-?\d{1,3})?)\.(\d{1,16})$/.exec(after) ?? []
  if (section === undefined) throw new AppError("invalid", `after "${after}" is not the "next" of a page`)
  return { section: Number(section), rank: Number(rank), place: Number(place), id: Number(id) }
}

/**
 * A page of rows: at most about 4 MB, and at least one item if there are rows. If others follow, the rows are one more
 * than `limit`, or `end` is the place after which these are.
 */
function pageFrom(
  rows: readonly PlacedItem[],
  limit: number,
  end?: Place,
): { items: QueueItem[]; next: string | null } {
  let size = 0
  const fitting = rows.slice(0, limit).findIndex((row) => (size += JSON.stringify(row).length) > LIST_BYTES)
  const fit = fitting < 0 ? rows.slice(0, limit) : rows.slice(0, Math.max(1, fitting))
  // All of them may have been removed since their end was read.
  const last = end || fit.length < rows.length ? (fit.at(-1) ?? end) : undefined
  const items = fit.map(({ section: _section, rank: _rank, place: _place, ...item }) => item)
  return { items, next: last ? `${last.section}.${last.rank}.${last.place}.${last.id}` : null }
}

/** One more item than the page holds, or all items that have the words if they are fewer; and how many slices were read. */
async function found(
  query: ListQuery,
  slices: Slices,
  words: readonly string[],
  from: Place | undefined,
): Promise<{ rows: PlacedItem[]; read: number }> {
  // An item that moves on during the search comes again, and is then where it is now.
  const byId = new Map<number, PlacedItem>()
  for (let start = from, read = 0; ;) {
    const end = query.signal?.aborted ? undefined : await slices.end(query, start)
    if (query.signal?.aborted) return { rows: [...byId.values()], read }
    read += 1
    const most = query.limit + 1 - byId.size
    const slice = await slices.rows(query, most, { start, end, words })
    for (const row of slice) {
      byId.delete(row.id)
      if (hasWords(row, words)) byId.set(row.id, row)
    }
    // A slice with as many rows as allowed was not searched to its end.
    const next = slice.length === most ? slice.at(-1) : end
    if (byId.size > query.limit || !next) return { rows: [...byId.values()], read }
    start = next
  }
}

/** A page without a search. Not more items are read than it shows: a thousand may have a hundred megabytes. */
async function listed(query: ListQuery, slices: Slices, start: Place | undefined): Promise<ListPage> {
  const { limit } = query
  const most = { items: limit + 1, least: 1, bytes: LIST_BYTES }
  const end = limit > SHORT ? await slices.end(query, start, most) : undefined
  const rows = await slices.rows(query, limit + 1, { start, end })
  return { ...pageFrom(rows, limit, end), slices: 0 }
}

/** One page of the queue; see `Items.list`. @throws AppError `invalid` (rejects) */
export async function pageOf(query: ListQuery, slices: Slices): Promise<ListPage> {
  const { limit, after, search } = query
  const start = after === undefined ? undefined : placeOf(after)
  const words = searchWords(search ?? "")
  if (words.length === 0) return listed(query, slices, start)
  const { rows, read } = await found(query, slices, words, start)
  return { ...pageFrom(rows, limit), slices: read }
}
