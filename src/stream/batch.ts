import type { StoredUpdate } from "../item/item.ts"
import { type Format, joined } from "./formats.ts"

/** What `take` found for a stream. */
export interface Taken {
  readonly chunk: Uint8Array | null
  /** The last update of the chunk. */
  readonly last: StoredUpdate | undefined
}

type Whole = Taken & { readonly chunk: Uint8Array }

/** What was new in one turn: the updates in `(previous, head]`. */
export class Batch {
  readonly previous: number
  readonly head: number
  readonly updates: readonly StoredUpdate[]
  readonly #whole = new Map<Format, Whole>()
  #byItem: Map<number, StoredUpdate[]> | undefined

  constructor(previous: number, head: number, updates: readonly StoredUpdate[]) {
    this.previous = previous
    this.head = head
    this.updates = updates
  }

  /** The updates by queue item, sorted out at the first asking. */
  get byItem(): ReadonlyMap<number, readonly StoredUpdate[]> {
    this.#byItem ??= Map.groupBy(this.updates, (update) => update.queue_id)
    return this.#byItem
  }

  /** Characters of JSON held. */
  get size(): number {
    return this.updates.reduce((sum, update) => sum + update.data.length, 0)
  }

  /** All updates in one piece, joined at the first asking and shared by all streams. */
  whole(format: Format): Whole {
    let whole = this.#whole.get(format)
    if (!whole) {
      whole = { chunk: joined(format, this.updates), last: this.updates.at(-1) }
      this.#whole.set(format, whole)
    }
    return whole
  }
}
