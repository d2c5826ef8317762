import type { QueueItem } from "./item.ts"

/** A search has at most this many characters. */
export const LONGEST_SEARCH = 200

/** The words of a search, in lower case, each once; none for an empty one. */
export const searchWords = (search: string): string[] => [
  ...new Set(
    search
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== ""),
  ),
]

/** The texts of an item that a search looks at. */
const textsOf = ({ id, song_id, title, error_message, worker, tags, metadata }: QueueItem): string =>
  [`#${id}`, `song ${song_id}`, title, error_message, worker, JSON.stringify(tags), JSON.stringify(metadata)]
    .join("\n")
    .toLowerCase()

/** Whether an item has all of these words, in its number, song, title, error, worker, tags or metadata. */
export function hasWords(item: QueueItem, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const texts = textsOf(item)
  return words.every((word) => texts.includes(word))
}
