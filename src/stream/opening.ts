import type { History } from "../store/history.ts"
import { type Frame, tell } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"
import { type Format, frames, joined } from "./formats.ts"

const SHARED_UPDATES = 64
const SHARED_VARIANTS = 16
const RETRY_MS = 2000

/** How streams open at one event ID: equal but for their reconnection times. */
interface Snapshot {
  readonly head: number
  readonly openings: readonly Uint8Array[]
}

/** The first bytes of a stream, and the event ID that they reach to. */
export interface Shared {
  readonly head: number
  readonly bytes: Uint8Array
}

/** How streams begin. */
export class Openings {
  readonly #store: History
  readonly #broadcaster: Broadcaster
  readonly #random: () => number
  readonly #snapshots = new Map<Format, Snapshot>()

  /** `random` gives numbers from 0 up to 1; they spread reconnects. */
  constructor(store: History, broadcaster: Broadcaster, random: () => number) {
    this.#store = store
    this.#broadcaster = broadcaster
    this.#random = random
  }

  /** The greeting of one stream. */
  hello(): Frame {
    return { type: "hello", retryMs: Math.round(RETRY_MS * (0.75 + 0.5 * this.#random())) }
  }

  /** What ends the opening: from `head` on everything is new. */
  live(head: number): Frame {
    return tell({ event: "live", last_event_id: head, history: this.#store.historyId })
  }

  /**
   * The greeting, the state of everything, and `live`: made once for all streams that open before the next update, so
   * that a storm of reconnects reads the history once, and some times over, with different reconnection times, so
   * that the next storm is none. Null where that would be large.
   */
  async shared(format: Format): Promise<Shared | null> {
    const head = this.#broadcaster.isBehind ? await this.#store.head() : this.#broadcaster.head
    const known = this.#snapshots.get(format)
    if (known?.head === head) return this.#one(known)
    const made = await this.#snapshot(format)
    if (made) this.#snapshots.set(format, made)
    return made && this.#one(made)
  }

  /** The same, where it is at hand: most streams of a storm need not even wait for a turn. */
  ready(format: Format): Shared | null {
    const known = this.#snapshots.get(format)
    const isNew = known?.head === this.#broadcaster.head && !this.#broadcaster.isBehind
    return known && isNew ? this.#one(known) : null
  }

  #one({ head, openings }: Snapshot): Shared | null {
    const bytes = openings[Math.floor(this.#random() * openings.length)]
    return bytes ? { head, bytes } : null
  }

  async #snapshot(format: Format): Promise<Snapshot | null> {
    const { ids, head } = await this.#store.latest({ of: "open" })
    if (ids.length > SHARED_UPDATES) return null
    const { updates } = await this.#store.updates(ids)
    if (updates.length < ids.length) return null
    const state = Buffer.concat([joined(format, updates), frames(format, this.live(head))])
    const openings = Array.from({ length: SHARED_VARIANTS }, () =>
      Buffer.concat([frames(format, this.hello()), state]),
    )
    return { head, openings }
  }
}
