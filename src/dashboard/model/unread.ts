import { type ListName, LISTS } from "./lists.ts"
import { at } from "./wording.ts"

/** A part of the page that is filled by requests of its own, and not by the stream alone. */
export type PagePart = ListName | "figures" | "workers" | "starts" | "search" | "item" | "history"

/** A part whose requests fail, and why, as a sentence without its full stop. */
export interface Unread {
  /** The part. */
  readonly part: PagePart
  /** Why its requests fail. */
  readonly reason: string
  /** When it was loaded last, in epoch milliseconds of this machine; undefined if it never was. */
  readonly readMs: number | undefined
}

/** Parts of which what was loaded last stays on the page, and no stream makes it newer. */
const KEPT: readonly PagePart[] = ["figures", "workers"]

const NAMES: Readonly<Record<PagePart, string>> = {
  running: "the running items",
  waiting: "the waiting items",
  finished: "the finished items",
  figures: "the figures",
  workers: "the workers",
  starts: "the start times",
  search: "the search results",
  item: "this item",
  history: "the history of this item",
}

/**
 * What could not be loaded and why, and how old is what is shown of it: `Can't load the finished items and the figures:
 * ...`; empty if all is loaded.
 */
export function unreadWords(unread: readonly Unread[], nowMs: number): string {
  const [first] = unread
  if (!first) return ""
  const parts = unread.map(({ part }) => part)
  const isNone = LISTS.every((list) => parts.includes(list))
  const others = parts.filter((part) => !isNone || !LISTS.some((list) => list === part))
  const names = [...(isNone ? ["the queue"] : []), ...others.map((part) => NAMES[part])]
  const last = names.pop() ?? ""
  const all = names.length === 0 ? last : `${names.join(", ")} and ${last}`
  const readMs = unread.flatMap(({ part, readMs: ms }) => (KEPT.includes(part) ? (ms ?? []) : []))
  const old = readMs.length === 0 ? "" : `. Those shown are as of ${at(Math.min(...readMs), nowMs)}`
  return `Can't load ${all}: ${first.reason}${old}`
}
