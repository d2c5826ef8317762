import type { Status, StoredUpdate } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import { tell } from "../wire/frames.ts"
import { type Format, frames } from "./formats.ts"
import { Seat, type SeatKind, type Wake } from "./seat.ts"
import type { Selection } from "./selection.ts"

/** What one viewer asks for. */
export interface Watch {
  /** One item's updates alone; absent for all. */
  readonly queueId?: number | undefined
  /** Which updates of the global stream are wanted; absent for all. */
  readonly wanted?: ((update: StoredUpdate) => boolean) | undefined
  /** What is wanted instead, where the viewer may choose anew while the stream is open. */
  readonly selection?: Selection | undefined
  /** As the client gave it; absent when this is no reconnect. */
  readonly lastEventId?: string | undefined
  /** Whether a new stream begins with the state of things. */
  readonly snapshot: boolean
  /** Whether the stream ends once the item is terminal and its last update was sent. */
  readonly untilFinished: boolean
  readonly format: Format
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** What a stream does next: send this, wait for the client to read, wait for news, ask the store first, or end. */
export type Next = Uint8Array | Promise<unknown> | "wait" | "behind" | "over"

/** Does what a viewer's stream can do without waiting, and says what is next. */
export type Advance = (viewer: Viewer) => Next

/** Where a stream may write by itself. What it gets is no number but a promise while the client does not read. */
interface Sink {
  write(bytes: Uint8Array): number | Promise<unknown>
}

/**
 * A stream's bytes. Where they are the body of an answer, Bun's `yield` gives the answer's own sink (its manual,
 * "Async generator streams"); elsewhere it gives nothing.
 */
export type Chunks = AsyncGenerator<Uint8Array, void, Sink | undefined>

/** What is known of the watched item when the stream opens. */
type ItemNow = { readonly update: StoredUpdate; readonly head: number } | undefined

/** A stream under way: what was asked for, its seat, and the status in the last update that was examined. */
export class Viewer extends Seat {
  readonly watch: Watch
  status: Status | undefined
  /** What was known of its item at first; of no use, and not kept, once the stream has opened. */
  first: ItemNow
  /** The farewell has been said. */
  isOver = false
  /** Where it may write by itself, once its first chunk was taken. */
  sink: Sink | undefined
  /** Until the client reads again, where it did not when the stream last wrote as it was woken. */
  blocked: Promise<unknown> | undefined
  readonly #advance: Advance

  constructor(advance: Advance, kind: SeatKind, watch: Watch, first: ItemNow) {
    super(kind, watch.queueId)
    this.#advance = advance
    this.watch = watch
    this.status = first?.update.status
    this.first = first
  }

  /** Writes what is new where that is all there is to do: the generator then sleeps on, and there is no garbage. */
  override wake(why: Wake, examined = 0): void {
    if (why === "batch" && this.sink && this.waiting) {
      this.cursor = Math.max(this.cursor, examined)
      try {
        const next = this.#advance(this)
        if (next === "wait") return
        if (next instanceof Promise) this.blocked = next
      } catch (error) {
        this.blocked = Promise.reject(error)
      }
    }
    super.wake(why, examined)
  }

  /** Which updates are wanted now; undefined for all. */
  get wanted(): Watch["wanted"] {
    const { selection, wanted } = this.watch
    return selection ? selection.wanted : wanted
  }

  /** The farewell of a stream that has nothing more to tell, for one that asked to end so. */
  get ending(): Uint8Array | undefined {
    const { watch, cursor, status } = this
    if (!watch.untilFinished || status === undefined || !isFinished(status)) return undefined
    return frames(watch.format, tell({ event: "end", last_event_id: cursor, status }))
  }
}
