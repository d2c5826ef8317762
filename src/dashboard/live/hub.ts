import { ServerError } from "../../client/client.ts"
import type { QueueItem } from "../../item/item.ts"
import { isFinished } from "../../item/moves.ts"
import type { FromHub, Gap, Stats, StreamUpdate, ToHub } from "../model/messages.ts"
import { State } from "../model/state.ts"
import { Link } from "./link.ts"
import { server } from "./server.ts"

const MAX_PAGES = 5
const TICK_MS = 1000
const BEAT_MS = 2000
const PROBE_MS = 5000
const HIDDEN_PROBE_MS = 30_000
/** A clock that jumps this far between two ticks has slept. */
const SLEPT_MS = 15_000
const LOOK_AGAIN_MS = 150
/** More items than this are not asked for one by one. */
const MAX_SINGLY = 8
const RELOAD_EVERY_MS = 1000

/** Speaks to one tab, or to all. */
type Send = (message: FromHub, tab?: string) => void

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Holds a stream and the state it adds up to: in a SharedWorker for all tabs of a browser, or in a tab for itself. */
export class Hub {
  readonly #send: Send
  readonly #state = new State()
  readonly #tabs = new Map<string, { visible: boolean }>()
  readonly #link: Link
  #timer: ReturnType<typeof setInterval>
  #stats: Stats | null = null
  #loaded = false
  /** Updates that arrive while the queue is being read; null while it is not. */
  #meanwhile: StreamUpdate[] | null = []
  /** Updates that arrive while single items are being read. */
  #overtaking: StreamUpdate[] = []
  /** The history that the state belongs to. */
  #history = ""
  /** Grows with each reading of the queue, so that one that was overtaken is dropped. */
  #reading = 0
  #readMs = 0
  readonly #unsure = new Set<number>()
  #looking = false
  #wasLive = false
  #tickMs = Date.now()
  #beatMs = 0
  #probeMs = 0

  constructor(send: Send) {
    this.#send = send
    this.#link = new Link(server, {
      updates: (updates) => this.#updates(updates),
      reload: () => void this.#reload(),
      gap: (gap) => this.#gap(gap),
      changed: () => this.#turned(),
    })
    void this.#link.run()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Takes a word from a tab. */
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
        return
    }
  }

  /** Ends the stream until `wake`, and keeps what is known. */
  pause(): void {
    clearInterval(this.#timer)
    this.#link.pause()
  }

  /** Goes on after a pause. */
  wake(): void {
    clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#link.wake()
  }

  /** Ends the stream for good. */
  close(): void {
    clearInterval(this.#timer)
    this.#link.close()
  }

  #whole(): FromHub {
    const { items, truncated } = this.#state
    const { connection } = this.#link
    return {
      type: "state",
      items: [...items.values()],
      truncated,
      connection,
      stats: this.#stats,
      loaded: this.#loaded,
    }
  }

  #turned(): void {
    const isLive = this.#link.connection.state === "live"
    const isNew = isLive && !this.#wasLive
    this.#wasLive = isLive
    this.#beat()
    if (isNew) void this.#probe()
    // What could not be read while there was no stream.
    this.#doubt([])
  }

  #beat(): void {
    this.#beatMs = Date.now()
    this.#send({ type: "connection", connection: this.#link.connection })
  }

  #tick(): void {
    const nowMs = Date.now()
    const slept = nowMs - this.#tickMs > SLEPT_MS
    this.#tickMs = nowMs
    this.#link.tick()
    const everyMs = [...this.#tabs.values()].some(({ visible }) => visible) ? PROBE_MS : HIDDEN_PROBE_MS
    if (slept || nowMs - this.#probeMs >= everyMs) void this.#probe()
    if (nowMs - this.#beatMs >= BEAT_MS) this.#beat()
  }

  async #probe(): Promise<void> {
    this.#probeMs = Date.now()
    const stats = await this.#link.probe()
    if (!stats) return
    this.#stats = stats
    this.#send({ type: "stats", stats })
  }

  #gap(gap: Gap): void {
    if (this.#loaded) this.#send({ type: "gap", gap })
  }

  #updates(updates: readonly StreamUpdate[]): void {
    this.#meanwhile?.push(...updates)
    if (!this.#loaded) return
    this.#overtaking.push(...updates)
    const { unsure } = this.#state.apply(updates)
    this.#send({ type: "updates", updates })
    this.#doubt(unsure)
  }

  #doubt(ids: Iterable<number>): void {
    for (const id of ids) this.#unsure.add(id)
    if (this.#unsure.size > 0) void this.#look()
  }

  /** Reads the whole queue, and goes on from there with what the stream said meanwhile. */
  async #reload(): Promise<void> {
    const reading = ++this.#reading
    this.#readMs = Date.now()
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    const { history } = this.#link.connection
    if (history !== this.#history) {
      // An item of another history is another item, whatever its id.
      this.#history = history
      this.#loaded = false
      this.#state.replace([], false)
      this.#send(this.#whole())
    }
    for (;;) {
      try {
        const { items, truncated } = await readQueue()
        if (reading !== this.#reading) return
        this.#state.replace(items, truncated)
        break
      } catch {
        await pause(LOOK_AGAIN_MS * 4)
        if (reading !== this.#reading) return
      }
    }
    this.#unsure.clear()
    this.#meanwhile = null
    this.#loaded = true
    const { unsure } = this.#state.apply(meanwhile)
    this.#send(this.#whole())
    this.#doubt(unsure)
  }

  /** Reads the items of which the updates do not tell everything. */
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
    const reading = this.#reading
    const overtaking: StreamUpdate[] = []
    this.#overtaking = overtaking
    const removed: number[] = []
    const found = await Promise.all(
      ids.map((id) =>
        server.get(id).catch((error: unknown) => {
          if (error instanceof ServerError && error.status === 404) removed.push(id)
          else this.#unsure.add(id)
          return undefined
        }),
      ),
    )
    if (reading !== this.#reading) return
    const read = found.filter((item) => item !== undefined)
    this.#state.put(read, removed)
    // An answer may be slower than the stream, which has the last word.
    const asked = new Set(ids)
    const { unsure } = this.#state.apply(overtaking.filter(({ queue_id }) => asked.has(queue_id)))
    for (const id of unsure) this.#unsure.add(id)
    const items = read.flatMap(({ id }) => this.#state.items.get(id) ?? [])
    removed.push(...read.filter(({ id }) => !this.#state.items.has(id)).map(({ id }) => id))
    this.#send({ type: "items", items, removed })
  }
}

/** The queue as the server has it: every item that is not finished, and the latest that are, within bounds. */
async function readQueue(): Promise<{ items: QueueItem[]; truncated: boolean }> {
  const items: QueueItem[] = []
  let next: string | null = null
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await server.list({ limit: "1000", ...(next !== null && { after: next }) })
    items.push(...answer.queue)
    next = answer.next
    const last = items.at(-1)
    if (next === null || (last && isFinished(last.status))) return { items, truncated: false }
  }
  return { items, truncated: true }
}
