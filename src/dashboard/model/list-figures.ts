import type { Counts } from "../../wire/answers.ts"
import { type Ends, type ListName, totalsOf } from "./lists.ts"
import type { Query } from "./query.ts"
import { count } from "./wording.ts"

/** What is known of the lists that a query shows. */
export interface KnownLists {
  /** How far they are known. */
  readonly ends: Ends
  /** The figures of the queue; null while they are not known. */
  readonly counts: Counts | null
  /** The query. */
  readonly wanted: Query
}

/** How long a list is. */
export interface ListFigures {
  /** The number in its heading; empty for none. */
  readonly count: string
  /** Whether other items follow that are not known here. */
  readonly isCut: boolean
  /** How many items there are in all; undefined if that is not known. */
  readonly total: number | undefined
}

/** So many known items of a list, as far as it is known. */
export const asFarAsKnown = (known: number, end: Ends[ListName]): string =>
  `${count(known)}${end === null ? "" : "+"}`

/**
 * How long a list is of which so many items are known; so many of them are shown `apart`, in a list of their own, which
 * the heading counts as well.
 */
export function figuresOf(
  list: ListName,
  known: number,
  { ends: { [list]: end }, counts, wanted }: KnownLists,
  apart = 0,
): ListFigures {
  const all = counts ? totalsOf(counts, wanted)[list] : undefined
  const whole = all === undefined ? "" : count(all)
  if (end === "unread") return { count: whole, isCut: false, total: undefined }
  const isCut = end !== null
  const some = asFarAsKnown(known, end)
  if (wanted.text !== "") {
    const isPart = all !== undefined && all > known
    return { count: known === 0 ? "" : isPart ? `${some} of ${whole}` : some, isCut, total: undefined }
  }
  if (!isCut || all === undefined)
    return { count: known === 0 && !isCut ? "" : some, isCut, total: undefined }
  return { count: whole, isCut, total: all - apart }
}
