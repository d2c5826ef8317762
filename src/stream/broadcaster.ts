import type { Bus } from "../bus/bus.ts"
import { AppError } from "../errors.ts"
import type { History, Lost } from "../store/contract/history.ts"
import { Batch } from "./batch.ts"
import { lossOf } from "./gaps.ts"
import { Keepalives } from "./keepalives.ts"
import { type PauseFrames, QueuePause } from "./queue-pause.ts"
import type { Seat } from "./seat.ts"
import { Seats } from "./seats.ts"
import type { Owner } from "./stream-limits.ts"
import { StreamMetrics } from "./stream-metrics.ts"
import { Tail } from "./tail.ts"

/** Updates are read from the history in pieces of at most this many. */
const BATCH_UPDATES = 1024
/**
 * How many streams are woken for a batch in one tick. At full load 64 gave a fifth more deliveries than all
 * at once.
 */
const WAKE_SLICE = 64
const RETRY_MS = 1000
/** How long a stream waits at most for a read that is under way before it opens with what is in memory. */
const CATCH_UP_MS = 1000
/**
 * How many times as long as a fan-out took updates then gather for the next one. Flat out (16 publishers, 100 readers) 3
 * gave a sixth more deliveries than 1, and 6 a twentieth more than 3.
 */
const PAUSE_TIMES = 6
/** How long updates gather at most, and only while the fan-out is busy. */
const MAX_PAUSE_MS = 10

/** A promise that its maker resolves; it resolves after `CATCH_UP_MS` in any case. */
function expected(): PromiseWithResolvers<void> {
  const waiting = Promise.withResolvers<void>()
  const late = setTimeout(waiting.resolve, CATCH_UP_MS)
  void waiting.promise.then(() => clearTimeout(late))
  return waiting
}

/** How a broadcaster behaves. */
export interface BroadcasterOptions {
  /** A stream gets a keepalive after this many milliseconds of silence. */
  readonly keepaliveMs: number
  /** Called with each error of reading the history; the broadcaster tries again a second later. */
  readonly onError: (error: unknown) => void
  /** How many streams are woken for a batch in one tick of the event loop; default 64. */
  readonly wakeSlice?: number
  /** The metrics of streams; by default nothing is counted. */
  readonly metrics?: StreamMetrics
  /** Resolves with since when the queue is paused, RFC 3339 UTC, or null. Default: it is never paused. */
  readonly pausedAt?: () => Promise<string | null>
}

/**
 * Wakes all open streams when there is something new.
 *
 * When the bell rings it reads the history once for all of them, as one batch, keeps a bounded tail of batches, and wakes
 * the streams concerned: those that watch everything, and those that watch an item of the batch. While no stream is open
 * nothing is read.
 */
export class Broadcaster {
  /** The newest updates, for streams that are a little behind. */
  readonly tail = new Tail()
  /** The metrics of streams. */
  readonly metrics: StreamMetrics
  readonly #history: History
  readonly #onError: (error: unknown) => void
  readonly #keepalives: Keepalives
  readonly #wakeSlice: number
  readonly #unlisten: () => void
  readonly #seats = new Seats((seats) => void this.#wakeThinned(seats))
  readonly #pauses: QueuePause
  #head = 0
  #examined = 0
  /** The event IDs whose updates were lost. */
  #lost: readonly Lost[] = []
  /** How many times following the history has begun. An older read belongs to streams that have left. */
  #followed = 0
  /** Whether `head` is known, from which the history is followed. */
  #isFollowing = false
  /** Pending until the broadcaster follows the history. */
  #ready: Promise<void> | undefined
  #rings = 0
  /** Whether the bell has rung since the history was last read. */
  #isRung = false
  /** When the bell first rang since then, in milliseconds of `performance.now()`. */
  #rungMs = 0
  /**
   * When the bell first rang for what is being read and delivered now, in milliseconds of
   * `performance.now()`.
   */
  #answeredMs = 0
  #pumping = false
  #isReading = false
  /** Resolves when the present read has ended; undefined if nothing waits for it. */
  #read: PromiseWithResolvers<void> | undefined
  /** Resolves when the next read has ended. */
  #nextRead: PromiseWithResolvers<void> | undefined
  #wakingSinceMs = 0
  #pauseUntilMs = 0
  #draining = false

  constructor(history: History, bus: Bus, options: BroadcasterOptions) {
    const { keepaliveMs, onError, metrics = new StreamMetrics(), pausedAt = async () => null } = options
    this.metrics = metrics
    this.#wakeSlice = options.wakeSlice ?? WAKE_SLICE
    this.#history = history
    this.#onError = onError
    this.#keepalives = new Keepalives(keepaliveMs, this)
    this.#pauses = new QueuePause(pausedAt, () => this.#sayPause(), onError)
    this.#unlisten = bus.listen(() => this.#ring())
  }

  /** The newest event ID that was read for all streams. */
  get head(): number {
    return this.#head
  }

  /**
   * The event ID up to which every waiting stream has examined the history. While a batch is being delivered slice by
   * slice this is the head before that batch: a stream that is woken for another reason may not have had its slice yet,
   * so pass `examined`, never `head`, or that stream skips the batch.
   */
  get examined(): number {
    return this.#examined
  }

  /** The newest event ID that was read for all streams; undefined while no stream is open. */
  get heard(): number | undefined {
    return this.#isFollowing ? this.#head : undefined
  }

  /**
   * The first event ID after the lost ones if this event ID is among them, because its stream has then shown
   * something that is no longer true; otherwise undefined.
   */
  afterLost(eventId: number): number | undefined {
    const loss = lossOf(eventId, this.#lost)
    return loss && loss.upTo + 1
  }

  /**
   * Whether the tail has every update after this event ID. A server of this history must have given that ID.
   * A stream that resumes there needs no read of the history.
   */
  covers(eventId: number): boolean {
    if (!this.#isFollowing || eventId > this.#head || lossOf(eventId, this.#lost)) return false
    return eventId === this.#head || this.tail.reachesTo(eventId)
  }

  /**
   * Resolves when everything was read for which the bell has rung, or after one second at the latest.
   * Undefined if it was read already, or if no stream is open.
   */
  caughtUp(): Promise<void> | undefined {
    if (!this.#isFollowing) return undefined
    if (this.#isRung) return (this.#nextRead ??= expected()).promise
    return this.#isReading ? (this.#read ??= expected()).promise : undefined
  }

  /** Whether the queue is paused. */
  get pause(): PauseFrames {
    return this.#pauses.now
  }

  /** How often the bell has rung: what was read after the last ring is up to date. */
  get rings(): number {
    return this.#rings
  }

  /** Whether the server stops, so that streams must end. */
  get draining(): boolean {
    return this.#draining
  }

  /** How many streams are open. */
  get streams(): { global: number; item: number } {
    let global = 0
    let item = 0
    for (const { kind } of this.all()) {
      if (kind === "global") global += 1
      if (kind === "item") item += 1
    }
    return { global, item }
  }

  /**
   * Adds a seat, until `leave`, or until `signal` aborts, if it is given. If a promise is returned, it resolves once the
   * broadcaster follows the history: an update that is stored later wakes the seat. If the history cannot be
   * read it rejects, and the seat must be given up.
   * @throws AppError `unavailable` (rejects)
   */
  join(seat: Seat, signal?: AbortSignal): Promise<void> | undefined {
    if (signal?.aborted) return undefined
    if (this.#seats.size === 0) this.#follow()
    seat.keeper = this
    if (seat.owner) seat.owner.streams += 1
    this.#seats.put(seat)
    if (seat.kind !== "held") this.metrics.opened.add()
    seat.signal = signal
    signal?.addEventListener("abort", seat)
    return this.#ready
  }

  /** Gives a seat up; a second call does nothing. */
  leave(seat: Seat): void {
    if (!this.#seats.remove(seat)) return
    // The signal may depend on that of a token, which would keep it, and the seat, as long as the token is valid.
    seat.signal?.removeEventListener("abort", seat)
    if (seat.owner) seat.owner.streams -= 1
    if (seat.kind !== "held") this.metrics.closed.of(seat.leaving).add()
    seat.wake("over")
    if (this.#seats.size === 0) this.#unfollow()
  }

  /** How many seats are taken, those of held answers among them. */
  get seats(): number {
    return this.#seats.size
  }

  /** Ends the streams of an owner who may no longer watch. */
  dismiss(owner: Owner): void {
    owner.hasEnded = true
    for (const seat of [...this.all()]) if (seat.owner === owner) this.leave(seat)
  }

  /** Lets a seat that watches one item, and does not wait, watch all items after its cursor. */
  widen(seat: Seat): void {
    if (!this.#seats.remove(seat)) return
    seat.queueId = undefined
    this.#seats.put(seat)
  }

  /** Ends all streams: each says `shutdown` and closes. */
  drain(): void {
    this.#draining = true
    this.#unlisten()
    this.#pauses.rest()
    for (const seat of this.all()) seat.wake("over")
  }

  /** All seats that are taken. */
  all(): Iterable<Seat> {
    return this.#seats.all()
  }

  /**
   * Streams are woken in slices: a few of them do all their work, up to their last write, while the caches of
   * the processor are warm.
   */
  #wakeAll(seats: readonly Seat[], examined: number): Promise<void> {
    return this.#inSlices(seats, (slice) => {
      for (const seat of slice) seat.wake("batch", examined)
      // Streams that waited have written by now.
      this.metrics.delivered.observe((performance.now() - this.#answeredMs) / 1000, slice.length)
    })
  }

  /** Streams that get few updates wait for them on purpose, so this is not counted as a delivery. */
  #wakeThinned(seats: readonly Seat[]): Promise<void> {
    return this.#inSlices(seats, (slice) => slice.forEach((seat) => seat.wake("batch")))
  }

  async #inSlices(seats: readonly Seat[], wake: (slice: readonly Seat[]) => void): Promise<void> {
    for (let from = 0; from < seats.length; from += this.#wakeSlice) {
      if (from > 0) await new Promise((resolve) => void setImmediate(resolve))
      wake(seats.slice(from, from + this.#wakeSlice))
    }
  }

  /** The first stream has joined, so the history is followed from its head on. */
  #follow(): void {
    this.#isRung = false
    this.#isFollowing = false
    this.#ready = this.#findHead(this.#followed)
    this.#keepalives.start()
  }

  async #findHead(followed: number): Promise<void> {
    try {
      const [{ newest, lost }] = await Promise.all([this.#history.bounds(), this.#pauses.read()])
      if (this.#followed !== followed) return
      this.#head = newest
      this.#examined = newest
      this.#lost = lost
      this.#isFollowing = true
      this.#ready = undefined
    } catch (error) {
      this.#onError(error)
      throw new AppError("unavailable", "the history cannot be read now; try again", { cause: error })
    }
  }

  /** The last stream has left, so the tail is dropped and nothing more is read. */
  #unfollow(): void {
    this.#keepalives.stop()
    this.#pauses.rest()
    // A head that is still being read must not count as the head of the present following.
    this.#followed += 1
    this.#isFollowing = false
    this.tail.clear()
  }

  #ring(): void {
    this.#rings += 1
    if (!this.#isRung) this.#rungMs = performance.now()
    this.#isRung = true
    if (this.#seats.size === 0) return
    this.#pauses.look()
    if (this.#pumping) return
    this.#pumping = true
    const pauseMs = this.#pauseUntilMs - performance.now()
    const pump = (): void => void this.#pump()
    // This is never done in the present tick: first the writers get their answers, and their next writes
    // gather.
    if (pauseMs > 0) setTimeout(pump, pauseMs)
    else setImmediate(pump)
  }

  async #pump(): Promise<void> {
    try {
      this.#isRung = false
      this.#isReading = true
      this.#read = this.#nextRead
      this.#nextRead = undefined
      this.#answeredMs = this.#rungMs
      for (let more = true; more && this.#seats.size > 0;) more = await this.#announce()
    } catch (error) {
      this.#onError(error)
      setTimeout(() => this.#ring(), RETRY_MS)
    }
    this.#isReading = false
    this.#read?.resolve()
    this.#read = undefined
    // By the next tick the streams have written. Under full load the fan-out then pauses, while writers go on and updates
    // gather: a seventh of the time goes to the readers, and each write to them carries more.
    setImmediate(() => {
      const nowMs = performance.now()
      this.#pauseUntilMs = nowMs + Math.min(PAUSE_TIMES * (nowMs - this.#wakingSinceMs), MAX_PAUSE_MS)
      this.#pumping = false
      if (this.#isRung) this.#ring()
    })
  }

  async #announce(): Promise<boolean> {
    const followed = this.#followed
    await this.#ready?.catch(() => undefined)
    // Without a head the whole history would be new. But then no stream is open, because none was let in.
    if (!this.#isFollowing) return false
    const previous = this.#head
    const { updates, more } = await this.#history.page({ after: previous, limit: BATCH_UPDATES })
    const [first, last] = [updates[0], updates.at(-1)]
    // At the head event IDs have no gaps, so a jump can mean that the database lost some updates.
    const isStrange = first ? first.id > previous + 1 : (await this.#history.head()) !== previous
    const bounds = isStrange ? await this.#history.bounds() : undefined
    // All streams have left since then, and new streams follow the history from another place.
    if (this.#followed !== followed || this.#seats.size === 0) return true
    if (bounds && this.#hasLost(previous, bounds.lost)) return true
    if (!last) return false
    const batch = new Batch(previous, last.id, updates)
    this.#head = last.id
    this.tail.push(batch)
    this.#wakingSinceMs = performance.now()
    const waking = this.#wakeAll([...this.#seats.concerned(batch)], previous)
    for (const beat of this.#seats.beats()) beat.batch()
    await waking
    this.#examined = last.id
    return more
  }

  /**
   * Whether announced updates are gone. Then all streams begin again after the event IDs of the lost updates.
   */
  #hasLost(previous: number, lost: readonly Lost[]): boolean {
    // Another instance may have sent what was lost here unseen.
    this.#lost = lost
    const loss = lossOf(previous, lost)
    if (!loss) return false
    this.#head = loss.upTo + 1
    this.#examined = this.#head
    this.#rings += 1
    this.tail.clear()
    for (const seat of [...this.all()]) seat.wake("batch")
    return true
  }

  /** Lets the streams of all items say whether the queue is paused. */
  #sayPause(): void {
    const concerned = [...this.all()].filter(({ kind }) => kind === "global")
    void this.#inSlices(concerned, (slice) => {
      for (const seat of slice) seat.wake("asked", this.examined)
    })
  }
}
