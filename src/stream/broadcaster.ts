import type { Bus } from "../bus.ts"
import type { StoredUpdate } from "../item/item.ts"
import type { History } from "../store/history.ts"
import { Batch, type Taken } from "./batch.ts"
import { type Format, updateBytes } from "./formats.ts"
import type { Seat } from "./seat.ts"

/** Updates are read from the history in pieces of at most this many. */
const BATCH_UPDATES = 1024
/** How much of the newest history is kept at hand for streams that are a little behind, in characters of JSON. */
const TAIL_SIZE = 2 * 1024 * 1024
/** Batches of one chunk: larger chunks save writes until the socket's own buffer is the limit. */
const CHUNK_BYTES = 256 * 1024
/** Streams that are sent a keepalive in one turn of the event loop. */
const KEEPALIVE_SLICE = 256
/** Streams that are told of a batch in one turn. 64 gave a fifth more deliveries flat out than all at once. */
const WAKE_SLICE = 64
const REPORT_PAUSE_MS = 1000
/** The longest that updates wait to gather, and only while the fan-out is busy. */
const MAX_PAUSE_MS = 10

class BatchEvent extends Event {
  readonly batch: Batch

  constructor(batch: Batch) {
    super("batch")
    this.batch = batch
  }
}

const isWhole = (seat: Seat, batch: Batch, wanted?: (update: StoredUpdate) => boolean): boolean =>
  seat.queueId === undefined && !wanted && seat.cursor <= batch.previous

/**
 * Tells all open streams what is new.
 *
 * On the doorbell it reads the history once for all of them, as one batch, keeps a bounded tail of batches, and
 * dispatches one `batch` event. Its one listener wakes the streams concerned: those that watch everything, and those
 * that watch an item of the batch. With no stream open nothing is read.
 */
export class Broadcaster extends EventTarget {
  readonly #store: History
  readonly #report: (error: unknown) => void
  readonly #keepaliveMs: number
  readonly #unlisten: () => void
  /** By queue item; under undefined, those of streams that watch everything. */
  readonly #seats = new Map<number | undefined, Set<Seat>>()
  #taken = 0
  #tail: Batch[] = []
  #tailSize = 0
  #head = 0
  #examined = 0
  /** How often the last stream has gone. */
  #rests = 0
  /** Until the broadcaster follows the history. */
  #ready: Promise<void> | undefined
  #rung = false
  #pumping = false
  /** Resolves when all streams that the latest batch concerns are awake. */
  #waking: Promise<void> = Promise.resolve()
  #dispatchedMs = 0
  #restUntilMs = 0
  #draining = false
  #keepalives: Timer | undefined

  /**
   * `keepaliveMs`: how long a stream may be silent. `report` is told when the history cannot be read; the
   * broadcaster tries again a second later.
   */
  constructor(store: History, bus: Bus, keepaliveMs: number, report: (error: unknown) => void) {
    super()
    this.#store = store
    this.#report = report
    this.#keepaliveMs = keepaliveMs
    this.#unlisten = bus.listen(() => this.#ring())
    this.addEventListener("batch", (event) => {
      if (event instanceof BatchEvent) this.#waking = this.#wakeConcerned(event.batch)
    })
  }

  /** The newest event ID that streams have been told of. */
  get head(): number {
    return this.#head
  }

  /**
   * What all waiting streams have examined: everything that streams have been told of, but for the batch that they are
   * just being woken for.
   */
  get examined(): number {
    return this.#examined
  }

  /** Whether the bell has rung for something that streams have not been told of yet. */
  get isBehind(): boolean {
    return this.#rung
  }

  get draining(): boolean {
    return this.#draining
  }

  /** How many streams are open. */
  get streams(): { global: number; item: number } {
    let global = 0
    let item = 0
    for (const { kind } of this.#all()) {
      if (kind === "global") global += 1
      if (kind === "item") item += 1
    }
    return { global, item }
  }

  /**
   * Gives a seat its place, taken away by `leave` or when `signal` aborts, at once.
   * What it answers, where it answers anything, resolves when the broadcaster follows the history: an update stored
   * later will wake the seat.
   */
  join(seat: Seat, signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return undefined
    if (this.#taken === 0) this.#follow()
    this.#taken += 1
    seat.keeper = this
    this.#put(seat)
    signal.addEventListener("abort", seat)
    return this.#ready
  }

  /** Gives a seat up; may be called again. */
  leave(seat: Seat): void {
    if (!this.#remove(seat)) return
    this.#taken -= 1
    seat.wake("over")
    if (this.#taken === 0) this.#rest()
  }

  /** Lets a seat that watches one item, and does not wait, watch all from its cursor on. */
  widen(seat: Seat): void {
    if (!this.#remove(seat)) return
    seat.queueId = undefined
    this.#put(seat)
  }

  /**
   * Everything at hand that lies behind the seat's cursor, as one chunk of up to about 256 KiB, and moves the cursor.
   * Null when that is older than the tail: then it must be read from the history.
   */
  take(seat: Seat, format: Format, wanted?: (update: StoredUpdate) => boolean): Taken | null {
    let at = this.#tail.length
    while (at > 0 && (this.#tail[at - 1]?.head ?? 0) > seat.cursor) at -= 1
    const first = this.#tail[at]
    if (!first || first.previous > seat.cursor) return null
    if (at === this.#tail.length - 1 && isWhole(seat, first, wanted)) {
      seat.cursor = first.head
      return first.whole(format)
    }
    const pieces: Uint8Array[] = []
    let size = 0
    let last: StoredUpdate | undefined
    for (; at < this.#tail.length && size < CHUNK_BYTES; at += 1) {
      const batch = this.#tail[at]
      if (!batch) break
      const whole = isWhole(seat, batch, wanted)
      const updates = whole ? batch.updates : this.#select(batch, seat, wanted)
      for (const piece of whole
        ? [batch.whole(format).chunk]
        : updates.map((update) => updateBytes(format, update))) {
        pieces.push(piece)
        size += piece.length
      }
      last = updates.at(-1) ?? last
      seat.cursor = batch.head
    }
    const [only, ...others] = pieces
    return { chunk: others.length > 0 ? Buffer.concat(pieces) : (only ?? null), last }
  }

  /** Ends all streams: each says goodbye and closes. */
  drain(): void {
    this.#draining = true
    this.#unlisten()
    for (const seat of this.#all()) seat.wake("over")
  }

  #put(seat: Seat): void {
    const seats = this.#seats.get(seat.queueId)
    if (seats) seats.add(seat)
    else this.#seats.set(seat.queueId, new Set([seat]))
  }

  #remove(seat: Seat): boolean {
    const seats = this.#seats.get(seat.queueId)
    if (!seats?.delete(seat)) return false
    if (seats.size === 0) this.#seats.delete(seat.queueId)
    return true
  }

  *#all(): Generator<Seat> {
    for (const seats of this.#seats.values()) yield* seats
  }

  #select(batch: Batch, seat: Seat, wanted?: (update: StoredUpdate) => boolean): readonly StoredUpdate[] {
    const updates = seat.queueId === undefined ? batch.updates : (batch.byItem.get(seat.queueId) ?? [])
    if (seat.cursor <= batch.previous && !wanted) return updates
    return updates.filter((update) => update.id > seat.cursor && (wanted?.(update) ?? true))
  }

  /** In slices: what a few streams do, to their last write, is done with warm caches before others are touched. */
  async #wakeConcerned(batch: Batch): Promise<void> {
    const seats = [...this.#concerned(batch)]
    for (let from = 0; from < seats.length; from += WAKE_SLICE) {
      if (from > 0) await new Promise((resolve) => void setImmediate(resolve))
      for (const seat of seats.slice(from, from + WAKE_SLICE)) seat.wake("batch", batch.previous)
    }
  }

  *#concerned(batch: Batch): Generator<Seat> {
    yield* this.#seats.get(undefined) ?? []
    if (this.#seats.size === (this.#seats.has(undefined) ? 1 : 0)) return
    for (const queueId of batch.byItem.keys()) yield* this.#seats.get(queueId) ?? []
  }

  /** The first stream has come: follow the history from where it is now. */
  #follow(): void {
    this.#rung = false
    const ready = this.#store
      .head()
      .then((head) => {
        this.#head = head
        this.#examined = head
        if (this.#ready === ready) this.#ready = undefined
      })
      .catch(this.#report)
    this.#ready = ready
    const every = Math.min(1000, Math.max(10, this.#keepaliveMs / 15))
    this.#keepalives = setInterval(() => this.#keepalive(), every)
  }

  /** The last stream has gone: forget, and read nothing any more. */
  #rest(): void {
    clearInterval(this.#keepalives)
    this.#rests += 1
    this.#tail = []
    this.#tailSize = 0
  }

  #ring(): void {
    this.#rung = true
    if (this.#pumping || this.#taken === 0) return
    this.#pumping = true
    const pauseMs = this.#restUntilMs - performance.now()
    const pump = (): void => void this.#pump()
    // In a turn of its own at least, so that the answers to the writers go out first and their next writes gather.
    if (pauseMs > 0) setTimeout(pump, pauseMs)
    else setImmediate(pump)
  }

  async #pump(): Promise<void> {
    try {
      this.#rung = false
      for (let more = true; more && this.#taken > 0;) more = await this.#announce()
    } catch (error) {
      this.#report(error)
      setTimeout(() => this.#ring(), REPORT_PAUSE_MS)
    }
    // By the next turn the streams have written. Flat out, the fan-out rests for as long as it took, while writers
    // go on and updates gather: half the time goes to the readers, and each write to them carries more.
    setImmediate(() => {
      const nowMs = performance.now()
      this.#restUntilMs = nowMs + Math.min(nowMs - this.#dispatchedMs, MAX_PAUSE_MS)
      this.#pumping = false
      if (this.#rung) this.#ring()
    })
  }

  async #announce(): Promise<boolean> {
    const rests = this.#rests
    await this.#ready
    const previous = this.#head
    const { updates, more } = await this.#store.page({ after: previous, limit: BATCH_UPDATES })
    // All streams have gone meanwhile, and others may have come, who follow from another place.
    if (this.#rests !== rests) return true
    const last = updates.at(-1)
    if (!last) return false
    const batch = new Batch(previous, last.id, updates)
    this.#head = last.id
    this.#tail.push(batch)
    this.#tailSize += batch.size
    while (this.#tailSize > TAIL_SIZE && this.#tail.length > 1)
      this.#tailSize -= this.#tail.shift()?.size ?? 0
    this.#dispatchedMs = performance.now()
    this.dispatchEvent(new BatchEvent(batch))
    await this.#waking
    this.#examined = last.id
    return more
  }

  #keepalive(): void {
    const nowMs = performance.now()
    const isSilent = ({ kind, waiting, saidMs }: Seat): boolean =>
      kind !== "held" && waiting && saidMs <= nowMs - this.#keepaliveMs
    const silent = [...this.#all()].filter(isSilent)
    const slice = (from: number): void => {
      for (const seat of silent.slice(from, from + KEEPALIVE_SLICE)) {
        seat.saidMs = nowMs
        seat.wake("keepalive", this.#examined)
      }
      if (from + KEEPALIVE_SLICE < silent.length) setImmediate(slice, from + KEEPALIVE_SLICE)
    }
    slice(0)
  }
}
