import type { QueueItem } from "../item/item.ts"

/** A worker, and which items it takes: those whose tags are all among its own. */
export interface Present {
  /** Its name. */
  readonly worker: string
  /** What it offers. */
  readonly tags: readonly string[]
}

/** Entries about items beyond which those of items that ended are forgotten. */
const MANY = 10_000

/** Which workers are there, as far as their claims show it: after a restart less is known. */
export class Presence {
  readonly #waiting = new Set<Present>()
  readonly #taken = new Map<number, readonly string[] | null>()

  /** The workers whose claims wait now, one for each claim. */
  get waiting(): readonly Present[] {
    return [...this.#waiting]
  }

  /** Notes that a worker's claim waits, until it is disposed of. */
  wait(present: Present): Disposable {
    // One worker may wait with several claims.
    const entry = { ...present }
    this.#waiting.add(entry)
    return { [Symbol.dispose]: () => void this.#waiting.delete(entry) }
  }

  /** Notes with which tags an item was claimed; null if it was claimed by its number. */
  took(id: number, tags: readonly string[] | null): void {
    this.#taken.delete(id)
    this.#taken.set(id, tags)
    const [oldest] = this.#taken.keys()
    if (this.#taken.size > MANY && oldest !== undefined) this.#taken.delete(oldest)
  }

  /**
   * Who takes the next item when this one, which is being worked on, is done; null if nobody does: who claimed an item by
   * its number takes no other.
   */
  afterwards({ id, worker, tags }: QueueItem): Present | null {
    const known = this.#taken.get(id)
    if (known === null) return null
    return { worker, tags: known ?? tags }
  }
}
