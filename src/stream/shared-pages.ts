import type { Page } from "../store/contract/history.ts"
import { type UpdateFrame, updateFrames } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"

/** How many pages are kept. A page takes about 0.3 MB with its bytes. */
const MOST_PAGES = 8

/** Where a page begins: behind an event ID, in the history of one item or of all. */
interface PageStart {
  /** The event ID after which the page begins. */
  readonly after: number
  /** The ID of the only item whose updates are read; undefined for all items. */
  readonly queueId: number | undefined
}

/** A page of the history as frames. */
export interface FramePage {
  /** The updates, ascending. The list is the same for all streams that read the whole page. */
  readonly frames: readonly UpdateFrame[]
  /** Whether other updates follow. */
  readonly more: boolean
}

/** A page that is kept; `last` is its last event ID. */
interface KeptPage extends PageStart, FramePage {
  readonly last: number
}

/**
 * The pages that were read since the bell last rang. Many streams often resume at about the same event ID at the
 * same time, and then each page is read and encoded once: a thousand replays leave little garbage behind. A
 * stream that resumes within a page gets the rest of it, and is in step with the others from then on.
 *
 * The last page of the history is never kept, because it grows.
 */
export class SharedPages {
  readonly #broadcaster: Pick<Broadcaster, "rings">
  readonly #pages: KeptPage[] = []
  #rings = 0

  constructor(broadcaster: Pick<Broadcaster, "rings">) {
    this.#broadcaster = broadcaster
  }

  /** The page that begins there; `read` reads it if it is not kept. */
  async of(start: PageStart, read: () => Promise<Page>): Promise<FramePage> {
    const { rings } = this.#broadcaster
    if (this.#rings !== rings) this.clear()
    this.#rings = rings
    const known = this.#known(start)
    if (known) return known
    const { updates, more } = await read()
    const isKept = more && this.#broadcaster.rings === rings
    // Another stream may have read the same meanwhile.
    const other = isKept ? this.#known(start) : undefined
    if (other) return other
    const page = { ...start, frames: updateFrames(updates), more, last: updates.at(-1)?.id ?? start.after }
    if (isKept) this.#keep(page)
    return page
  }

  /** Drops all pages. */
  clear(): void {
    this.#pages.length = 0
  }

  /** The rest of a kept page behind an event ID. */
  #known({ after, queueId }: PageStart): FramePage | undefined {
    const known = this.#pages.find(
      (page) => page.queueId === queueId && page.after <= after && after < page.last,
    )
    if (!known || known.after === after) return known
    return { frames: known.frames.filter(({ update }) => update.id > after), more: true }
  }

  #keep(page: KeptPage): void {
    if (this.#pages.length >= MOST_PAGES) this.#pages.shift()
    this.#pages.push(page)
  }
}
