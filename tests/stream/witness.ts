import type { StoredUpdate } from "../../src/item/stored.ts"
import type { Wanted } from "../../src/stream/selection.ts"
import type { Frame } from "../../src/wire/frames.ts"
import type { MemoryHistory } from "./memory-history.ts"

/** The parts of a client's request that decide what the client must get. */
export interface Expected {
  readonly queueId?: number | undefined
  readonly wanted?: Wanted
  /** The event ID after which it resumes; absent for a new stream. */
  readonly from?: number | undefined
  /** Whether the stream ends once its item is finished. */
  readonly untilFinished: boolean
  /** Whether it may leave out updates of an item that is updated again. */
  readonly isThin: boolean
  /**
   * The newest event ID that had been announced when the stream was requested. The event ID of `live` must
   * not be lower.
   */
  readonly announced: number
}

/**
 * Reads a stream like a client, and throws as soon as an update is lost, doubled, or out of order without a
 * gap.
 */
export class Witness {
  readonly #history: MemoryHistory
  readonly #expected: Expected
  /** The event ID up to which everything has come; undefined during a snapshot. */
  #at: number | undefined
  #snapshot: number[] = []
  /**
   * Whether the stream has said that updates were left out. Then only the newest update of each item must
   * have come.
   */
  #mayHaveSkipped = false
  /** Whether it was too slow. */
  #wasSlow = false
  /** Whether the client knows that its item is finished, and that nothing more follows. */
  hasSeenEnd = false

  constructor(history: MemoryHistory, expected: Expected) {
    this.#history = history
    this.#expected = expected
    this.#at = expected.from
    this.#mayHaveSkipped = expected.isThin
  }

  /** Takes a chunk. */
  take(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.type === "update") this.#update(frame.update)
      if (frame.type !== "control") continue
      const { control } = frame
      if (control.event === "live") this.#live(control.last_event_id)
      if (control.event === "gap" && control.reason === "slow") this.#wasSlow = this.#mayHaveSkipped = true
      else if (control.event === "gap") this.#missedStart()
      if (control.event === "end") this.assertSeen()
    }
  }

  /** The stream is over. Throws unless its last update says that the item is finished. */
  assertSeen(): void {
    this.hasSeenEnd = true
    const seen = this.#history.all.slice(0, this.#at).filter((update) => this.#isMine(update))
    const status = seen.at(-1)?.status
    if (status !== "completed") throw new Error(`the stream ended when its item was ${status}`)
  }

  /** Throws if an update that belongs to the stream has not come. */
  assertComplete(): void {
    const missing = this.#at === undefined ? "the opening" : this.#next(this.#at)?.id
    if (missing !== undefined) throw new Error(`${missing} never came`)
    const latest = this.#history.all.findLast((update) => this.#isMine(update))
    if (this.#expected.untilFinished && latest?.status === "completed") throw new Error("the end never came")
  }

  #missedStart(): void {
    const { from } = this.#expected
    if (from === undefined || from >= this.#history.oldest - 1)
      throw new Error(`no update after ${from} is missing`)
    this.#at = undefined
  }

  #live(head: number): void {
    const { announced } = this.#expected
    if (head < announced) throw new Error(`live at ${head}, though ${announced} had been announced`)
    if (this.#at === undefined) {
      const state = this.#stateAt(head)
      if (`${state}` !== `${this.#snapshot}`)
        throw new Error(`the state at ${head} is ${state}, not ${this.#snapshot}`)
    } else {
      const missing = this.#next(this.#at)?.id ?? head + 1
      if (missing <= head) throw new Error(`live at ${head} without ${missing}`)
    }
    this.#at = head
  }

  #update({ id }: StoredUpdate): void {
    if (this.#at === undefined) {
      this.#snapshot.push(id)
      return
    }
    const wanted = this.#next(this.#at)?.id
    const isTold = this.#mayHaveSkipped && id > this.#at && !this.#isNewestBetween(this.#at, id)
    if (id !== wanted && !isTold) throw new Error(`${id} came instead of ${wanted}`)
    this.#at = id
  }

  /** Whether an update between these two is the newest of its item. */
  #isNewestBetween(after: number, before: number): boolean {
    const latest = this.#history.latestByItem()
    return this.#history.all.slice(after, before - 1).some(
      (update) =>
        this.#isMine(update) &&
        // However thin a stream is, it has every update that ends an item, unless it was too slow.
        (latest.get(update.queue_id) === update || (!this.#wasSlow && update.status === "completed")),
    )
  }

  #isMine(update: StoredUpdate): boolean {
    const { queueId, wanted } = this.#expected
    return (queueId ?? update.queue_id) === update.queue_id && (wanted?.(update) ?? true)
  }

  #next(after: number): StoredUpdate | undefined {
    for (let at = after; at < this.#history.all.length; at += 1) {
      const update = this.#history.all[at]
      if (update && this.#isMine(update)) return update
    }
    return undefined
  }

  #stateAt(head: number): number[] {
    const latest = new Map(this.#history.all.slice(0, head).map((update) => [update.queue_id, update]))
    const isShown = (update: StoredUpdate): boolean =>
      this.#isMine(update) && (this.#expected.queueId !== undefined || update.status !== "completed")
    return [...latest.values()]
      .filter(isShown)
      .map(({ id }) => id)
      .sort((a, b) => a - b)
  }
}
