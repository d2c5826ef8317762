import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Selection } from "../../src/stream/selection.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import type { Sink, StreamRequest } from "../../src/stream/stream-request.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { MemoryHistory } from "./memory-history.ts"
import { Scheduler } from "./scheduler.ts"
import { Witness } from "./witness.ts"

const ITEMS = 3
const KEEPALIVE_MS = 5

/** A client of one order, and what is known about it. */
interface Client {
  readonly witness: Witness
  readonly leave: AbortController
  readonly selection: Selection | undefined
  hasEnded: boolean
}

/** One order in which writers, readers, timers and the store take their turns. Its seed decides the order. */
export class Order {
  readonly #loop: Scheduler
  readonly #bus = new LocalBus()
  readonly #history: MemoryHistory
  readonly #broadcaster: Broadcaster
  readonly #streams: Streams
  readonly #clients: Client[] = []
  readonly #errors: unknown[] = []
  /** The newest event ID when the bell rang last. */
  #announced = 0
  #failures = 0
  /** Whether pages may fail. Then a stream may open with something that was read before. */
  readonly #mayFail: boolean
  #hasDrained = false
  /** Whether all clients resume at the same place, and so share the pages of the history. */
  readonly #isStorm: boolean

  constructor(seed: number, Kind: typeof Broadcaster) {
    const loop = new Scheduler(seed)
    this.#loop = loop
    // One database answers at once. Another one is behind a network, so its answers overtake each other.
    const isFar = loop.happens(50)
    const fails = loop.happens(20)
    this.#mayFail = fails
    this.#isStorm = loop.happens(20)
    this.#history = new MemoryHistory(
      async (name) => {
        if (isFar) await loop.pause()
        if (!fails || name !== "page" || this.#failures > 0 || !loop.happens(30)) return
        this.#failures += 1
        throw new Error("disk on fire")
      },
      1 + loop.below(6),
    )
    for (let update = 0; update < ITEMS + loop.below(4); update += 1) {
      this.#history.append((update % ITEMS) + 1, "processing")
    }
    if (loop.happens(20)) this.#history.oldest = 1 + loop.below(ITEMS)
    const onError = (error: unknown) => this.#errors.push(error)
    const options = { keepaliveMs: KEEPALIVE_MS, onError, wakeSlice: 1 + loop.below(2) }
    this.#broadcaster = new Kind(this.#history, this.#bus, options)
    const maxLag = loop.happens(30) ? 2 : 0
    const random = (): number => 0.5
    this.#streams = new Streams(this.#history, this.#broadcaster, { maxLag, random, onError })
  }

  /** Runs it; throws if a client got something that is wrong. */
  run(): void {
    const loop = this.#loop
    for (let clients = (this.#isStorm ? 4 : 2) + loop.below(3); clients > 0; clients -= 1)
      loop.later(() => this.#open())
    for (let writes = 3 + loop.below(6); writes > 0; writes -= 1) loop.later(() => this.#write())
    for (let questions = loop.below(3); questions > 0; questions -= 1) loop.later(() => this.#ask())
    for (let leaves = loop.happens(40) ? loop.below(4) : 0; leaves > 0; leaves -= 1)
      loop.later(() => this.#leave())
    if (loop.happens(20)) loop.later(() => this.#drain())
    loop.run()
    this.#check()
  }

  #write(): void {
    this.#history.append(1 + this.#loop.below(ITEMS), this.#loop.happens(20) ? "completed" : "processing")
    // A writer rings some time after its commit was answered.
    this.#loop.later(() => {
      this.#announced = this.#history.all.length
      this.#bus.notify()
    })
  }

  #open(): void {
    if (this.#hasDrained) return
    const loop = this.#loop
    const head = this.#history.all.length
    const item = 1 + loop.below(ITEMS)
    const from = this.#isStorm ? 0 : loop.happens(30) ? loop.below(head + 1) : undefined
    const queueId = loop.happens(30) ? item : undefined
    const wanted = loop.happens(20) ? ({ queue_id }: { queue_id: number }) => queue_id === item : undefined
    const selection = loop.happens(50)
      ? new Selection(queueId === undefined ? undefined : [queueId], { among: wanted })
      : undefined
    const thin = queueId === undefined && loop.happens(20) ? 10 : 0
    const untilFinished = queueId !== undefined && loop.happens(50)
    const leave = new AbortController()
    const client = {
      witness: new Witness(this.#history, {
        queueId,
        wanted,
        from,
        untilFinished,
        isThin: thin > 0,
        announced: this.#mayFail ? 0 : this.#announced,
      }),
      leave,
      selection,
      hasEnded: false,
    }
    this.#clients.push(client)
    const request = { queueId, wanted, thin, selection, lastEventId: from?.toString(), signal: leave.signal }
    void this.#read({ ...request, snapshot: true, untilFinished, format: asFrames }, client)
  }

  /**
   * Reads a stream as Bun does: it gives its sink to the generator, which sleeps while the socket is full.
   */
  async #read(request: StreamRequest<readonly Frame[]>, client: Client): Promise<void> {
    const loop = this.#loop
    let isFull = false
    const take = (frames: readonly Frame[]): Promise<void> | undefined => {
      if (isFull) throw new Error("the stream writes to a full socket")
      client.witness.take(frames)
      isFull = loop.happens(30)
      return isFull ? loop.pause().then(() => void (isFull = false)) : undefined
    }
    const sink: Sink<readonly Frame[]> | undefined = loop.happens(70)
      ? { write: (frames) => take(frames) ?? frames.length }
      : undefined
    try {
      const stream = await this.#streams.open(request)
      if (stream === null) client.witness.assertSeen()
      for (let next = await stream?.next(); next && !next.done; next = await stream?.next(sink)) {
        await take(next.value)
      }
    } catch (error) {
      this.#errors.push(error)
    }
    client.hasEnded = true
  }

  #ask(): void {
    const asking = this.#clients.filter(({ selection }) => selection)
    const client = asking[this.#loop.below(asking.length || 1)]
    client?.selection?.ask({ do: "refuse", code: "invalid", error: "what?" })
  }

  #leave(): void {
    this.#clients[this.#loop.below(this.#clients.length || 1)]?.leave.abort()
  }

  #drain(): void {
    this.#hasDrained = true
    this.#broadcaster.drain()
  }

  #check(): void {
    const strange = this.#errors.find(
      (error) => !(error instanceof Error && error.message === "disk on fire"),
    )
    if (strange !== undefined) throw strange
    for (const { witness, leave, hasEnded } of this.#clients) {
      if (this.#hasDrained && !leave.signal.aborted && !hasEnded)
        throw new Error("a stream outlives the drain")
      if (leave.signal.aborted && !hasEnded) throw new Error("a stream outlives its client")
      if (!hasEnded) witness.assertComplete()
      if (
        hasEnded &&
        !witness.hasSeenEnd &&
        !leave.signal.aborted &&
        !this.#hasDrained &&
        this.#failures === 0
      )
        throw new Error("a stream ended by itself")
    }
  }
}
