import { pause } from "../../client/missed-keepalives.ts"
import { ServerError } from "../../client/requests.ts"
import type { QueueItem } from "../../item/item.ts"
import { isWaiting } from "../../item/moves.ts"
import { State } from "../model/apply-updates.ts"
import type { Counts, FromHub, MissedUpdates, Stats, StreamUpdate, ToHub } from "../model/hub-messages.ts"
import { type ListName, LISTS } from "../model/lists.ts"
import { ListReading } from "./list-reading.ts"
import { OwedLists } from "./owed-lists.ts"
import { server } from "./server.ts"
import { StreamTrust } from "./stream-trust.ts"
import { UnreadParts } from "./unread-parts.ts"

/**
 * After updates, the figures of the queue are requested at most this often; without updates, this often. In
 * milliseconds.
 */
const COUNT_MS = 1000
const COUNT_AGAIN_MS = 5000
/** If fewer waiting items than this are known, more are read before they run out. */
const FEW_WAITING = 200
const TICK_MS = 1000
const SAY_AGAIN_MS = 2000
const PROBE_MS = 5000
const HIDDEN_PROBE_MS = 30_000
/** If the clock jumps this far between two ticks, the machine has slept. */
const SLEPT_MS = 15_000
const LOOK_AGAIN_MS = 150
/** If there are more items than this, they are not requested one by one. */
const MAX_SINGLY = 8
const RELOAD_EVERY_MS = 1000

/** Sends a message to one tab, or to all. */
type Send = (message: FromHub, tab?: string) => void

/**
 * Holds a stream and the state that its updates give: in a SharedWorker for all tabs of a browser, or in one
 * tab for that tab alone.
 */
export class Hub {
  readonly #send: Send
  readonly #state = new State()
  readonly #tabs = new Map<string, { visible: boolean }>()
  readonly #link: StreamTrust
  #timer: ReturnType<typeof setInterval>
  #stats: Stats | null = null
  #counts: Counts | null = null
  #countedMs = Number.NEGATIVE_INFINITY
  #isCountDue = false
  /**
   * Since when the queue is paused, as the live stream says; undefined while none is live. The figures may
   * know this sooner, but only the stream reports each change.
   */
  #pausedAt: string | null | undefined
  #queue = new ListReading()
  /** Updates that arrive while more of a list is being read; null while it is not. */
  #readingOn: StreamUpdate[] | null = null
  #loaded = false
  #isReloading = false
  /** Updates that arrive while the queue is being read; null while it is not. */
  #meanwhile: StreamUpdate[] | null = []
  /** Updates that arrive while single items are being read; null while none are. */
  #overtaking: StreamUpdate[] | null = null
  /** The history to which the state belongs. */
  #history = ""
  /** Ends the requests of one reading of the queue, and drops its result: a newer one has begun. */
  #reading = new AbortController()
  #readMs = 0
  readonly #unsure = new Set<number>()
  readonly #unread = new UnreadParts()
  readonly #owed = new OwedLists((list) => this.#more(list))
  #looking = false
  #wasLive = false
  #tickMs = Date.now()
  #saidMs = 0
  #probeMs = 0

  constructor(send: Send) {
    this.#send = send
    this.#link = new StreamTrust(server, {
      updates: (updates) => this.#updates(updates),
      reload: () => void this.#reload(),
      paused: (at) => this.#paused(at),
      gap: (gap) => this.#gap(gap),
      changed: () => this.#turned(),
    })
    this.#unread.changed = () => this.#send({ type: "unread", unread: this.#unread.parts })
    void this.#link.run()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Takes a message from a tab. */
  receive(tab: string, message: ToHub): void {
    switch (message.type) {
      case "hello":
      case "visible": {
        const shown = message.visible && this.#tabs.get(tab)?.visible !== true
        this.#tabs.set(tab, { visible: message.visible })
        if (message.type === "hello") this.#send(this.#whole(), tab)
        if (shown) void this.#probe()
        return
      }
      case "bye":
        this.#tabs.delete(tab)
        return
      case "retry":
        this.#link.retry()
        this.#owed.now()
        this.#count()
        return
      case "count":
        this.#count()
        return
      case "more":
        void this.#more(message.list)
        return
    }
  }

  /** Ends the stream until `wake`, and keeps what is known. */
  pause(): void {
    clearInterval(this.#timer)
    this.#link.pause()
  }

  /** Continues after a pause. */
  wake(): void {
    clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#link.wake()
  }

  /** Ends the stream for good. */
  close(): void {
    // What is being read comes too late, and is not read again.
    this.#reading.abort()
    this.#owed.clear()
    clearInterval(this.#timer)
    this.#link.close()
  }

  #whole(): FromHub {
    const { items, ends } = this.#state
    const { connection } = this.#link
    return {
      type: "state",
      items: [...items.values()],
      ends,
      connection,
      stats: this.#stats,
      counts: this.#counts,
      loaded: this.#loaded,
      unread: this.#unread.parts,
    }
  }

  #turned(): void {
    const isLive = this.#link.connection.state === "live"
    const isNew = isLive && !this.#wasLive
    this.#wasLive = isLive
    if (!isLive) this.#pausedAt = undefined
    this.#sayConnection()
    if (isNew) void this.#probe()
    // Whether the queue was paused meanwhile.
    if (isNew) this.#count()
    if (isNew) this.#unread.forget((part) => this.#owed.has(part))
    if (isNew) this.#owed.now()
    // The server that was asked for the lists may never answer.
    if (isNew && this.#isReloading) void this.#reload()
    // Reads what could not be read while there was no stream.
    this.#doubt([])
  }

  #sayConnection(): void {
    this.#saidMs = Date.now()
    this.#send({ type: "connection", connection: this.#link.connection })
  }

  #tick(): void {
    const nowMs = Date.now()
    const slept = nowMs - this.#tickMs > SLEPT_MS
    this.#tickMs = nowMs
    this.#link.tick()
    const everyMs = this.#isOnScreen ? PROBE_MS : HIDDEN_PROBE_MS
    if (slept || nowMs - this.#probeMs >= everyMs) void this.#probe()
    if (performance.now() - this.#countedMs >= COUNT_AGAIN_MS) this.#count()
    if (nowMs - this.#saidMs >= SAY_AGAIN_MS) this.#sayConnection()
  }

  async #probe(): Promise<void> {
    this.#probeMs = Date.now()
    const stats = await this.#link.probe()
    if (!stats) return
    this.#stats = stats
    this.#send({ type: "stats", stats })
  }

  /** Whether a tab is on the screen. */
  get #isOnScreen(): boolean {
    return [...this.#tabs.values()].some(({ visible }) => visible)
  }

  /** Requests the figures of the queue soon, if a tab is on the screen. */
  #count(): void {
    if (this.#isCountDue || !this.#isOnScreen) return
    this.#isCountDue = true
    const waitMs = Math.max(0, this.#countedMs + COUNT_MS - performance.now())
    setTimeout(() => void this.#ask(), waitMs)
  }

  async #ask(): Promise<void> {
    this.#countedMs = performance.now()
    try {
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
      const counts = await this.#unread.note("figures", server.counts(timeZone))
      this.#counts = this.#pausedAt === undefined ? counts : { ...counts, paused_at: this.#pausedAt }
      this.#send({ type: "counts", counts: this.#counts })
    } catch {
      // The next update asks again, or a tick.
    } finally {
      this.#isCountDue = false
    }
  }

  /** The queue was paused or resumed: that changes no other figure. */
  #paused(at: string | null): void {
    this.#pausedAt = at
    if (!this.#counts || this.#counts.paused_at === at) return
    this.#counts = { ...this.#counts, paused_at: at }
    this.#send({ type: "counts", counts: this.#counts })
  }

  /** Reads more of a list, for all tabs. */
  async #more(list: ListName): Promise<void> {
    if (this.#readingOn || this.#meanwhile) return
    const meanwhile: StreamUpdate[] = []
    this.#readingOn = meanwhile
    const [{ signal }, queue] = [this.#reading, this.#queue]
    try {
      const read = await queue.more(list, signal)
      if (signal.aborted) return
      this.#state.extend(read, queue.ends)
      // The stream may be ahead of a slow answer, so its updates are applied last.
      const { unsure } = this.#state.apply(meanwhile)
      const items = read.flatMap(({ id }) => this.#state.items.get(id) ?? [])
      this.#send({ type: "more", items, ends: queue.ends })
      this.#doubt(unsure)
      this.#owed.delete(list)
      this.#unread.read(list)
    } catch (error) {
      if (!signal.aborted) this.#owe(list, error)
    } finally {
      this.#readingOn = null
    }
  }

  #owe(list: ListName, error: unknown): void {
    this.#owed.add(list)
    this.#unread.failed(list, error)
  }

  /** Waiting items leave the list at its front, so more are read when only a few known ones are left. */
  #refill(): void {
    const { items, ends } = this.#state
    if (ends.waiting === null || this.#owed.has("waiting")) return
    let waiting = 0
    for (const { status } of items.values()) if (isWaiting(status)) waiting += 1
    if (waiting < FEW_WAITING) void this.#more("waiting")
  }

  #gap(gap: MissedUpdates): void {
    if (this.#loaded) this.#send({ type: "gap", gap })
  }

  #updates(updates: readonly StreamUpdate[]): void {
    this.#meanwhile?.push(...updates)
    if (!this.#loaded) return
    this.#readingOn?.push(...updates)
    this.#overtaking?.push(...updates)
    const { unsure, lists } = this.#state.apply(updates)
    this.#send({ type: "updates", updates })
    if (lists || unsure.size > 0) this.#count()
    if (lists) this.#refill()
    this.#doubt(unsure)
  }

  #doubt(ids: Iterable<number>): void {
    for (const id of ids) this.#unsure.add(id)
    if (this.#unsure.size > 0) void this.#look()
  }

  /** Reads the whole queue, and then applies the updates that the stream sent meanwhile. */
  async #reload(): Promise<void> {
    this.#reading.abort()
    this.#reading = new AbortController()
    const { signal } = this.#reading
    this.#isReloading = true
    this.#readMs = Date.now()
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    const { history } = this.#link.connection
    if (history !== this.#history) {
      // An item of another history is another item, even if it has the same id.
      this.#history = history
      this.#loaded = false
      this.#counts = null
      this.#state.replace([])
      this.#send(this.#whole())
    }
    this.#owed.clear()
    for (let times = 0; ; times += 1) {
      // The lists will have what these have brought.
      meanwhile.length = 0
      const queue = new ListReading()
      const { items, failed } = await queue.tryToBegin(signal)
      if (signal.aborted) return
      if (failed.size < LISTS.length) {
        this.#begin(queue, items, meanwhile, failed)
        return
      }
      for (const [list, error] of failed) this.#unread.failed(list, error)
      await this.#owed.wait(times)
      if (signal.aborted) return
    }
  }

  /** Begins with what was read; what could not be read follows. */
  #begin(
    queue: ListReading,
    items: readonly QueueItem[],
    meanwhile: readonly StreamUpdate[],
    failed: ReadonlyMap<ListName, unknown>,
  ): void {
    this.#queue = queue
    this.#state.replace(items, queue.ends)
    this.#unsure.clear()
    this.#meanwhile = null
    this.#isReloading = false
    this.#loaded = true
    for (const list of LISTS) if (!failed.has(list)) this.#unread.read(list)
    const { unsure } = this.#state.apply(meanwhile)
    this.#send(this.#whole())
    this.#count()
    this.#doubt(unsure)
    for (const [list, error] of failed) this.#owe(list, error)
  }

  /** Reads the items that their updates do not describe completely. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      while (this.#unsure.size > 0 && !this.#meanwhile && this.#link.connection.state === "live") {
        if (this.#unsure.size > MAX_SINGLY) {
          await pause(Math.max(0, this.#readMs + RELOAD_EVERY_MS - Date.now()))
          if (!this.#meanwhile) await this.#reload()
        } else {
          const ids = [...this.#unsure]
          this.#unsure.clear()
          await this.#take(ids)
          await pause(LOOK_AGAIN_MS)
        }
      }
    } finally {
      this.#looking = false
    }
  }

  async #take(ids: readonly number[]): Promise<void> {
    const { signal } = this.#reading
    const overtaking: StreamUpdate[] = []
    this.#overtaking = overtaking
    const removed: number[] = []
    const found = await Promise.all(
      ids.map((id) =>
        server.get(id, signal).catch((error: unknown) => {
          if (error instanceof ServerError && error.status === 404) removed.push(id)
          else if (!signal.aborted) this.#unsure.add(id)
          return undefined
        }),
      ),
    )
    this.#overtaking = null
    if (signal.aborted) return
    const read = found.filter((item) => item !== undefined)
    this.#state.put(read, removed)
    // The stream may be ahead of a slow answer, so its updates are applied last.
    const asked = new Set(ids)
    const { unsure } = this.#state.apply(overtaking.filter(({ queue_id }) => asked.has(queue_id)))
    for (const id of unsure) this.#unsure.add(id)
    const items = read.flatMap(({ id }) => this.#state.items.get(id) ?? [])
    removed.push(...read.filter(({ id }) => !this.#state.items.has(id)).map(({ id }) => id))
    this.#send({ type: "items", items, removed })
  }
}
