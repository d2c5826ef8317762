import type { StoredUpdate } from "../../item/stored.ts"
import { type Page, PAGE_BYTES } from "../contract/history.ts"

/** Rows that are read at once. A page of the longest updates then needs only a few MB while it is cut. */
const SLICE_ROWS = 64

/** Reads slices until it has `limit` rows or about PAGE_BYTES. */
export function cutPage(
  limit: number,
  read: (after: number | undefined, rows: number) => StoredUpdate[],
): Page {
  const found: StoredUpdate[] = []
  let bytes = 0
  while (found.length < limit) {
    const asked = Math.min(SLICE_ROWS, limit - found.length)
    const slice = read(found.at(-1)?.id, asked)
    for (const update of slice) {
      if (bytes >= PAGE_BYTES) return { updates: found, more: true }
      bytes += update.data.length
      found.push(update)
    }
    if (slice.length < asked) return { updates: found, more: false }
  }
  // The page is full; only the next one shows whether anything follows.
  return { updates: found, more: true }
}
