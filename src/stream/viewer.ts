import { isFinished } from "../item/moves.ts"
import type { StoredUpdate } from "../item/stored.ts"
import { controlFrame, type Frame } from "../wire/frames.ts"
import { isFar } from "./gaps.ts"
import { HistoryReader, liveAfter, openWith, type Passage, type ReadingSeat } from "./history-reader.ts"
import { endFrame, lastSeen } from "./item-end.ts"
import type { Opening } from "./opening.ts"
import { NO_PAUSE } from "./queue-pause.ts"
import { type Leaving, Seat, type SeatKind, type WakeReason } from "./seat.ts"
import type { Wanted } from "./selection.ts"
import type { SharedByViewers } from "./shared-by-viewers.ts"
import type { Chunks, Ending, Sink, StreamRequest } from "./stream-request.ts"

const DRAIN_RETRY_MS = 500
const DRAIN_RETRY_SPREAD_MS = 1500
/** The server's idle timer, which is coarse, cuts a client that has not read for this long. */
const SLOW_MS = 45_000
const KEEPALIVE: readonly Frame[] = [{ type: "keepalive" }]

/** What a stream does next: send this chunk, wait for news, read the history, or end. */
type Next<Chunk> = Chunk | "wait" | "read" | "over"

/**
 * One open stream: a cursor over the history that runs itself. It keeps no queue of updates. As the body of an answer
 * it needs no signal of the request, which takes 400 bytes: Bun calls `return` when the client goes away.
 */
export class Viewer<Chunk extends object> extends Seat implements ReadingSeat, Chunks<Chunk> {
  readonly request: StreamRequest<Chunk>
  last: StoredUpdate | undefined
  liveAt: number | undefined
  pause = NO_PAUSE
  readonly #shared: SharedByViewers
  /** The state of its item before the stream has begun; dropped then. */
  #item: Opening | undefined
  #isBegun = false
  /** Reads the history before the stream can go on with what is new. */
  #passage: Passage | undefined
  #isReading = false
  /** A chunk that was read and not yet sent. */
  #ready: Chunk | undefined
  #sink: Sink<Chunk> | undefined
  /** Pending while the client does not read the chunk that the stream wrote when it was woken. */
  #blocked: Promise<unknown> | undefined
  #ending: Ending | undefined
  readonly #chunks = this.#run()

  /** `item` is the state of the watched item, if one is watched. */
  constructor(shared: SharedByViewers, kind: SeatKind, request: StreamRequest<Chunk>, item?: Opening) {
    super(kind, request.queueId, request.owner, request.thin)
    this.#shared = shared
    this.request = request
    this.#item = item
    // A stream that resumes may begin before the state that was read: the updates in between will change it.
    if (request.lastEventId === undefined) this.last = lastSeen(request, item?.updates ?? [])
  }

  get wanted(): Wanted {
    const { selection, wanted } = this.request
    return selection ? selection.wanted : wanted
  }

  next(sink?: Sink<Chunk>): Promise<IteratorResult<Chunk, Ending>> {
    return this.#chunks.next(sink)
  }

  /** Gives the seat up at once; the generator alone would do so only after the next update. */
  return(): Promise<IteratorResult<Chunk, Ending>> {
    this.#ending ??= "left"
    this.keeper?.leave(this)
    return this.#chunks.return(this.#ending)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Whether nothing more is wanted, because the stream has ended or the client has gone away. */
  get isOver(): boolean {
    return (
      this.#ending !== undefined || this.request.signal?.aborted === true || this.owner?.hasEnded === true
    )
  }

  /**
   * Runs the stream from its opening to its end, and returns why it ended.
   * Keep locals out of this function: a generator holds every one of them for as long as the stream is open. And a
   * stream that waits must wait here: another asynchronous function would take 300 bytes more for each.
   */
  async *#run(): AsyncGenerator<Chunk, Ending, Sink<Chunk> | undefined> {
    try {
      for (let next = this.#advance(); next !== "over"; next = this.#advance()) {
        if (next === "read") await this.#read()
        else if (next === "wait") this.#woken(await this.wait())
        else if (next instanceof Promise) await next
        else this.#sink = yield next
        if (this.#blocked) await this.#unblocked()
      }
    } catch (error) {
      this.#ending = "failed"
      this.#shared.onError(error)
    } finally {
      this.keeper?.leave(this)
    }
    return this.#ending ?? "left"
  }

  /** A stream may be silent for long while it reads pages without any wanted updates. */
  override get isIdle(): boolean {
    return this.waiting || (this.#isReading && this.#sink !== undefined && this.#blocked === undefined)
  }

  override get leaving(): Leaving {
    if (this.#ending === "finished") return "finished"
    if (this.#ending === "failed") return "error"
    if (this.#shared.broadcaster.draining) return "drain"
    if (this.owner?.hasEnded) return "revoked"
    return !this.isIdle && performance.now() - this.saidMs > SLOW_MS ? "slow" : "client"
  }

  /**
   * Writes the new updates, if that is all there is to do. The generator sleeps on, and no garbage is left.
   */
  override wake(why: WakeReason, examined = 0): void {
    if (why === "keepalive" && this.#isReading) {
      this.#keepAlive()
      return
    }
    if (why === "batch" && this.#sink && this.waiting) {
      this.cursor = Math.max(this.cursor, examined)
      try {
        const next = this.#advance()
        if (next === "wait") return
        if (next instanceof Promise) this.#blocked = next
      } catch (error) {
        this.#blocked = Promise.reject(error)
      }
    }
    super.wake(why, examined)
  }

  /** The viewer has asked something of its selection. The stream answers between two chunks. */
  asked(): void {
    // A batch may be on its way to this stream. Updates that not all streams have examined must not be
    // skipped.
    this.wake("asked", this.#shared.broadcaster.examined)
  }

  /**
   * Writes what it can, if the stream has a sink, and returns what to do next. If that is a promise, the
   * caller must wait for it.
   */
  #advance(): Next<Chunk> | Promise<unknown> {
    for (;;) {
      const next = this.#next()
      if (typeof next === "string") return next
      this.saidMs = performance.now()
      this.#shared.metrics.bytes.add(this.request.format.size(next))
      if (!this.#sink) return next
      // This takes a tenth less time per chunk than another `yield`.
      const written = this.#sink.write(next)
      if (written instanceof Promise) return written
    }
  }

  #next(): Next<Chunk> {
    const { broadcaster, maxLag } = this.#shared
    if (this.isOver) return "over"
    if (this.#ready) return this.#takeReady(this.#ready)
    if (broadcaster.draining) return this.#end("shutdown")
    if (!this.#isBegun) return this.#begin()
    const afterLost = broadcaster.afterLost(this.cursor)
    if (afterLost !== undefined) this.#beginAgain(afterLost)
    if (this.#passage || this.request.selection?.isAsked) return "read"
    if (this.liveAt !== undefined && this.cursor >= this.liveAt) return this.#live()
    if (this.pause !== broadcaster.pause && this.kind === "global" && this.liveAt === undefined)
      return this.#sayPause()
    if (this.cursor >= broadcaster.head) return this.#hasSeenEnd ? this.#end("finished") : "wait"
    if (this.beat && this.liveAt === undefined && !this.beat.isDue(this.tookMs)) {
      this.beat.again()
      return "wait"
    }
    if (this.liveAt === undefined && isFar(broadcaster.head - this.cursor, maxLag)) return "read"
    return this.#taken() ?? this.#next()
  }

  #takeReady(chunk: Chunk): Chunk {
    this.#ready = undefined
    return chunk
  }

  /** The opening, if it is known already. During many reconnects most streams need not wait for a tick. */
  #begin(): Chunk | "read" {
    this.#isBegun = true
    const { openings } = this.#shared
    const item = this.#item
    this.#item = undefined
    if (this.request.lastEventId !== undefined) this.#shared.metrics.replays.add()
    const opening = openings.of(this.request, item)
    if (opening === null || opening instanceof Promise) {
      this.#passage = new HistoryReader(this, this.#shared).opening(item)
      return "read"
    }
    return this.#sharedChunk(openWith(opening, this, this.#shared)) ?? "read"
  }

  /** Sends `live`: everything up to the cursor was sent. */
  #live(): Chunk | "read" {
    this.liveAt = undefined
    return this.#encoded(liveAfter(this.cursor, this, this.#shared)) ?? "read"
  }

  /** Says that the queue was paused, or resumed. */
  #sayPause(): Chunk | "read" {
    this.pause = this.#shared.broadcaster.pause
    const { change } = this.pause
    this.#count(change)
    return this.request.format.shared(change) ?? "read"
  }

  /**
   * The updates that this stream sent last are gone from the history: sends a gap, then the current state.
   */
  #beginAgain(cursor: number): void {
    this.#passage = new HistoryReader(this, this.#shared).rolledBack(this.cursor)
    this.cursor = cursor
    this.last = undefined
    this.liveAt = undefined
  }

  /** The updates in the broadcaster's memory after the cursor; undefined if none of them is wanted. */
  #taken(): Chunk | "read" | undefined {
    const { format } = this.request
    const { wanted } = this
    const { tail } = this.#shared.broadcaster
    const lists = this.beat ? tail.takeThinned(this, wanted) : tail.take(this, wanted)
    if (!lists) return "read"
    const chunks: Chunk[] = []
    for (const list of lists) {
      if (this.beat) this.#noteTaken(list)
      this.#count(list)
      const chunk = wanted ? format.encode(list) : format.shared(list)
      if (chunk) chunks.push(chunk)
      this.last = lastSeen(this.request, list, this.last)
    }
    return chunks.length > 1 ? format.join(chunks) : chunks[0]
  }

  /** Reads the next piece of the history. */
  async #read(): Promise<void> {
    this.#passage ??= new HistoryReader(this, this.#shared).behind()
    this.#isReading = true
    const piece = await this.#passage.next()
    this.#isReading = false
    if (piece.done) this.#passage = undefined
    else this.#ready = this.#sharedChunk(piece.value)
  }

  #keepAlive(): void {
    const chunk = this.#keepaliveChunk()
    if (!chunk) return
    this.#shared.metrics.bytes.add(this.request.format.size(chunk))
    const written = this.#sink?.write(chunk)
    if (!(written instanceof Promise)) return
    this.#blocked = written
    // If it fails while the history is being read, the stream learns it when that is done.
    written.catch(() => undefined)
  }

  #keepaliveChunk(): Chunk | undefined {
    this.#count(KEEPALIVE)
    return this.request.format.shared(KEEPALIVE)
  }

  #woken(why: WakeReason): void {
    if (why === "keepalive") this.#ready = this.#keepaliveChunk()
  }

  async #unblocked(): Promise<void> {
    await this.#blocked
    this.#blocked = undefined
  }

  get #hasSeenEnd(): boolean {
    return this.last !== undefined && isFinished(this.last.status)
  }

  /** The last frame of the stream. */
  #end(ending: "finished" | "shutdown"): Chunk | "over" {
    this.#ending = ending
    const last = ending === "finished" ? this.last : undefined
    return this.#encoded([last ? endFrame(last, this.cursor) : this.#shutdown()]) ?? "over"
  }

  #encoded(frames: readonly Frame[]): Chunk | undefined {
    this.#count(frames)
    return this.request.format.encode(frames)
  }

  /** Streams that want the same get the same list of an opening, or of a page of everything, and so share its bytes. */
  #sharedChunk(frames: readonly Frame[]): Chunk | undefined {
    if (this.beat) this.#noteTaken(frames)
    if (this.request.selection || this.beat) return this.#encoded(frames)
    this.#count(frames)
    return this.request.format.shared(frames)
  }

  #noteTaken(frames: readonly Frame[]): void {
    if (frames.some(({ type }) => type === "update")) this.tookMs = performance.now()
  }

  #count({ length }: readonly Frame[]): void {
    if (this.kind !== "held") this.#shared.metrics.frames.add(length)
  }

  #shutdown(): Frame {
    const spreadMs = DRAIN_RETRY_SPREAD_MS * this.#shared.random()
    return controlFrame({ event: "shutdown", retry_ms: Math.round(DRAIN_RETRY_MS + spreadMs) })
  }
}
