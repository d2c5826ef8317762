import { AppError } from "../errors.ts"
import type { QueueItem, Status } from "../item/item.ts"

const LIST_BYTES = 4 * 1024 * 1024

/** The section of the queue's order in which items of a status lie (see `queueItems` of the schema). */
export const SECTIONS: Readonly<Record<Status, number>> = {
  processing: 0,
  queued: 1,
  retrying: 1,
  completed: 2,
  failed: 2,
}

/** Where an item stands in the queue's order; lower comes first, and null stands nowhere. */
export interface Place {
  /** What is being worked on, what waits, and what is finished. */
  readonly section: number | null
  /** Its priority, or the end of its work. */
  readonly rank: number | null
  /** Its turn. */
  readonly place: number | null
  /** The item. */
  readonly id: number
}

/** An item, and where it stands. */
export type PlacedItem = QueueItem & Place

/** The place that a page gave as its `next`. @throws AppError `invalid` for anything else */
export function placeOf(after: string): Place {
  const [, section, rank, place, id] =
    /^([012])\.(-?\d{1,16})\.(-?\d{1,16}(?:\.\d{1,20})?(?:e-?\d{1,3})?)\.(\d{1,16})$/.exec(after) ?? []
  if (section === undefined) throw new AppError("invalid", `after "${after}" is not the "next" of a page`)
  return { section: Number(section), rank: Number(rank), place: Number(place), id: Number(id) }
}

/** A page of rows, which are one more than `limit` if others follow: at most about 4 MB, and at least one item. */
export function listPage(
  rows: readonly PlacedItem[],
  limit: number,
): { items: QueueItem[]; next: string | null } {
  let size = 0
  const fitting = rows.slice(0, limit).findIndex((row) => (size += JSON.stringify(row).length) > LIST_BYTES)
  const shown = fitting < 0 ? rows.slice(0, limit) : rows.slice(0, Math.max(1, fitting))
  const last = shown.length < rows.length ? shown.at(-1) : undefined
  const items = shown.map(({ section: _section, rank: _rank, place: _place, ...item }) => item)
  return { items, next: last ? `${last.section}.${last.rank}.${last.place}.${last.id}` : null }
}
