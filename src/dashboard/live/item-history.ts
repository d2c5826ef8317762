import { ServerError } from "../../client/requests.ts"
import type { StreamUpdate } from "../model/hub-messages.ts"
import { Timeline } from "../model/timeline.ts"
import { server } from "./server.ts"
import { unreadHere } from "./unread-parts.ts"

const PAGE = 1000
const MAX_PAGES = 100
const AGAIN_MS = 1000

/**
 * The history of one item: it is read from its beginning, and then the stream continues it. If the stream may
 * have left something out, the missing part is read again.
 */
export class ItemHistory {
  /** What is known of the history. */
  timeline = new Timeline()
  /** Whether the history is longer than the part that is kept here. */
  truncated = false
  /** Whether there is no such item. */
  missing = false
  /** Whether all of it was read, or there is none. */
  isKnown = false
  readonly #id: number
  readonly #changed: () => void
  readonly #isWanted: () => boolean
  #meanwhile: StreamUpdate[] | null = null
  #pages = 0

  /**
   * `changed` is called when there is more to show. A request that failed is repeated while `isWanted`
   * returns true.
   */
  constructor(id: number, changed: () => void, isWanted: () => boolean) {
    this.#id = id
    this.#isWanted = isWanted
    this.#changed = changed
  }

  /** Forgets everything: the server has another history. */
  reset(): void {
    this.timeline = new Timeline()
    this.#pages = 0
    this.missing = false
    if (this.#meanwhile) this.#meanwhile.length = 0
  }

  /** Takes the updates of this item from the stream. */
  hear(updates: readonly StreamUpdate[]): void {
    const own = updates.filter(({ queue_id }) => queue_id === this.#id)
    if (this.#meanwhile) this.#meanwhile.push(...own)
    else for (const update of own) this.timeline.add(update)
  }

  /** Reads the part that is not known yet. */
  async read(): Promise<void> {
    if (this.#meanwhile) return
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    try {
      await this.#rest()
      this.isKnown = true
      unreadHere.read("history")
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#meanwhile = null
      for (const update of meanwhile) this.timeline.add(update)
      this.#changed()
    }
  }

  #failed(error: unknown): void {
    if (error instanceof ServerError && error.status === 404) {
      this.missing = this.timeline.lastId === 0
      this.isKnown = true
    } else if (this.#isWanted()) {
      unreadHere.failed("history", error)
      setTimeout(() => this.#isWanted() && void this.read(), AGAIN_MS)
    }
  }

  async #rest(): Promise<void> {
    for (;;) {
      const { timeline } = this
      const { updates } = await server.history(this.#id, timeline.lastId, PAGE)
      if (timeline !== this.timeline) continue
      for (const update of updates) timeline.add(update)
      this.#pages += 1
      this.truncated = this.#pages >= MAX_PAGES && updates.length === PAGE
      if (updates.length < PAGE || this.truncated) return
      this.#changed()
    }
  }
}
