import type { QueueItem } from "../../item/item.ts"
import { State } from "../model/apply-updates.ts"
import type { StreamUpdate } from "../model/hub-messages.ts"
import { type ListName, LISTS } from "../model/lists.ts"
import type { Query } from "../model/query.ts"
import { ListReading } from "./list-reading.ts"
import { server } from "./server.ts"
import { unreadHere } from "./unread-parts.ts"

/** The results are requested again at most this often, in milliseconds. */
const EVERY_MS = 1000
/** If the server does not answer, the request is repeated after this time, in milliseconds. */
const AGAIN_MS = 2000

/**
 * The items that the server finds for the reader's query. Updates keep them current; some updates make a new
 * request necessary.
 */
export class Search {
  /** The query. */
  readonly wanted: Query
  /** The items that were found. */
  readonly state = new State()
  /** Whether the server has answered. */
  isLoaded = false
  /** Whether nothing has the wanted standing, but other items have the words. */
  isElsewhere = false
  readonly #changed: () => void
  readonly #ending = new AbortController()
  #reading: ListReading
  /** How often more of each list was requested. */
  readonly #depth: Record<ListName, number> = { running: 0, waiting: 0, finished: 0 }
  /** Updates that arrive during a request to the server; null if there is none. */
  #meanwhile: StreamUpdate[] | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #askedMs = Number.NEGATIVE_INFINITY

  /** `changed` is called when the results are different. */
  constructor(wanted: Query, changed: () => void) {
    this.wanted = wanted
    this.#changed = changed
    this.#reading = new ListReading(wanted)
    void this.#ask()
  }

  /** Takes updates from the stream. */
  hear(updates: readonly StreamUpdate[]): void {
    this.#meanwhile?.push(...updates)
    // An item that did not match before may match now, but not because of a report of its worker.
    const isOther = updates.some(
      ({ queue_id, status }) => status !== "processing" && !this.state.items.has(queue_id),
    )
    const { lists } = this.state.apply(updates)
    if (lists || isOther) this.refresh()
  }

  /** The server has another history, so the results no longer exist. */
  forget(): void {
    this.state.replace([])
    this.refresh()
  }

  /** Takes items as the server has them now. */
  put(items: readonly QueueItem[], removed: readonly number[]): void {
    this.state.put(
      items.filter(({ id }) => this.state.items.has(id)),
      removed,
    )
  }

  /** Repeats the request soon. */
  refresh(): void {
    this.#after(Math.max(0, this.#askedMs + EVERY_MS - performance.now()))
  }

  /** Reads more of a list. */
  async more(list: ListName): Promise<void> {
    this.#depth[list] += 1
    const reading = this.#reading
    const items = await reading.more(list, this.#ending.signal).catch(() => [])
    if (reading !== this.#reading) return
    this.state.extend(items, reading.ends)
    this.#changed()
  }

  /** Makes no more requests. */
  end(): void {
    clearTimeout(this.#timer)
    this.#ending.abort()
    unreadHere.read("search")
  }

  #after(ms: number): void {
    if (this.#timer !== undefined || this.#ending.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (document.hidden) this.#after(AGAIN_MS)
      else void this.#ask()
    }, ms)
  }

  async #hasOthers(signal: AbortSignal): Promise<boolean> {
    const { text, which } = this.wanted
    if (text === "" || which === "all") return false
    return (await server.list({ q: text, limit: "1" }, signal)).queue.length > 0
  }

  async #ask(): Promise<void> {
    if (this.#meanwhile) return this.#after(EVERY_MS)
    const { signal } = this.#ending
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    this.#askedMs = performance.now()
    const reading = new ListReading(this.wanted)
    try {
      const items = await reading.begin(signal)
      for (const list of LISTS)
        for (let i = 0; i < this.#depth[list]; i += 1) items.push(...(await reading.more(list, signal)))
      this.isElsewhere = items.length === 0 && (await this.#hasOthers(signal))
      this.#reading = reading
      this.state.replace(items, reading.ends)
      // The stream may be ahead of a slow answer, so its updates are applied last.
      this.state.apply(meanwhile)
      this.isLoaded = true
      unreadHere.read("search")
    } catch (error) {
      if (!signal.aborted) unreadHere.failed("search", error)
      this.#after(AGAIN_MS)
    } finally {
      this.#meanwhile = null
    }
    if (!signal.aborted) this.#changed()
  }
}
