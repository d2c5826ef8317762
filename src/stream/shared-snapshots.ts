import type { Page } from "../store/contract/history.ts"
import { updateFrames } from "../wire/frames.ts"
import type { FramePage } from "./shared-pages.ts"

/** How many pages are kept. A page takes about 0.3 MB with its bytes. */
const MOST_PAGES = 8

/** A page that is kept, and its place. */
interface KeptPage extends FramePage {
  /** The event IDs of the whole snapshot. */
  readonly ids: readonly number[]
  /** The index in `ids` from which on the page was read. */
  readonly from: number
}

/**
 * The pages of large snapshots that were just read. Streams that open at about the same time send the same snapshot, and
 * then each page is read and encoded once. An update never changes, so a page need not be read again when the bell rings.
 */
export class SharedSnapshots {
  readonly #pages: KeptPage[] = []

  /**
   * The page of a snapshot from an index on; `read` reads it if it is not kept. Only the same list of event IDs, not an
   * equal one, is the same snapshot.
   */
  async of(ids: readonly number[], from: number, read: () => Promise<Page>): Promise<FramePage> {
    const known = this.#known(ids, from)
    if (known) return known
    const { updates, more } = await read()
    // Another stream may have read the same meanwhile.
    const other = this.#known(ids, from)
    if (other) return other
    const page = { ids, from, frames: updateFrames(updates), more }
    if (this.#pages.length >= MOST_PAGES) this.#pages.shift()
    this.#pages.push(page)
    return page
  }

  /** Drops all pages. */
  clear(): void {
    this.#pages.length = 0
  }

  #known(ids: readonly number[], from: number): FramePage | undefined {
    return this.#pages.find((page) => page.ids === ids && page.from === from)
  }
}
