import type { QueueItem, Status } from "../../item/item.ts"
import { ORDERS } from "../model/apply-updates.ts"
import { type Ends, type ListName, LISTS, statusesOf } from "../model/lists.ts"
import { EVERYTHING, isWanted, type Query } from "../model/query.ts"
import { server } from "./server.ts"

/** Items of one status that are read at once. */
const PAGE = 500
/** Pages that are read at once for the running items, and for a list of which only a few items are wanted. */
const MAX_PAGES = 10

/** How far the items of one status have been read. */
interface ReadSoFar {
  readonly status: Status
  /** Where the next page begins; undefined before the first one, null after the last. */
  next: string | null | undefined
  last: QueueItem | null
}

const UNREAD: Pick<ReadSoFar, "next" | "last"> = { next: undefined, last: null }

/** One list of the server: the items of some statuses in one order, read page by page. */
class Pages {
  readonly #parts: readonly ReadSoFar[]
  readonly #order: (a: QueueItem, b: QueueItem) => number
  readonly #wanted: Query

  constructor(statuses: readonly Status[], list: ListName, wanted: Query) {
    this.#parts = statuses.map((status) => ({ status, ...UNREAD }))
    this.#order = ORDERS[list]
    this.#wanted = wanted
  }

  /** The last item up to which all are known; null once all are, and `unread` before any was read. */
  get end(): Ends[ListName] {
    if (this.#parts.some(({ next }) => next === undefined)) return "unread"
    const lasts = this.#parts.flatMap(({ next, last }) => (next !== null && last ? [last] : []))
    return lasts.sort(this.#order)[0] ?? null
  }

  /** Reads the next page of each status. */
  async more(signal?: AbortSignal): Promise<QueueItem[]> {
    const found: QueueItem[] = []
    for (let page = 0; page < MAX_PAGES && found.length === 0; page += 1) {
      const open = this.#parts.filter(({ next }) => next !== null)
      if (open.length === 0) break
      const read = open.map(async (part) => ({ part, ...(await this.#read(part, signal)) }))
      // Only when all have come: if one fails, all are requested again.
      for (const { part, queue, next } of await Promise.all(read)) {
        part.next = next
        part.last = queue.at(-1) ?? null
        found.push(...queue.filter((item) => isWanted(item, this.#wanted)))
      }
    }
    return found
  }

  /** Begins again. */
  restart(): void {
    for (const part of this.#parts) Object.assign(part, UNREAD)
  }

  #read(part: ReadSoFar, signal?: AbortSignal): ReturnType<typeof server.list> {
    const { text } = this.#wanted
    const query = {
      status: part.status,
      limit: String(PAGE),
      ...(text !== "" && { q: text }),
      ...(typeof part.next === "string" && { after: part.next }),
    }
    return server.list(query, signal)
  }
}

/** What a first reading has found. */
interface Beginning {
  readonly items: readonly QueueItem[]
  /** The lists that could not be read, with the error. */
  readonly failed: ReadonlyMap<ListName, unknown>
}

/** Reads the wanted part of the queue: the beginning of each list, and more of a list on request. */
export class ListReading {
  readonly #pages: Readonly<Record<ListName, Pages>>

  /** By default everything. */
  constructor(wanted: Query = EVERYTHING) {
    const statuses = statusesOf(wanted)
    const pages = (list: ListName): Pages => new Pages(statuses[list], list, wanted)
    this.#pages = { running: pages("running"), waiting: pages("waiting"), finished: pages("finished") }
  }

  /** How far the lists are known. */
  get ends(): Ends {
    const { running, waiting, finished } = this.#pages
    return { running: running.end, waiting: waiting.end, finished: finished.end }
  }

  /** The beginning of each list, and all that is running. @throws ServerError */
  async begin(signal?: AbortSignal): Promise<QueueItem[]> {
    return (await Promise.all(LISTS.map((list) => this.more(list, signal)))).flat()
  }

  /** The same, as far as it can be read. */
  async tryToBegin(signal?: AbortSignal): Promise<Beginning> {
    const failed = new Map<ListName, unknown>()
    const read = LISTS.map((list) =>
      this.more(list, signal).catch((error: unknown): QueueItem[] => {
        failed.set(list, error)
        return []
      }),
    )
    return { items: (await Promise.all(read)).flat(), failed }
  }

  /** The next items of a list; all that is running. @throws ServerError */
  async more(list: ListName, signal?: AbortSignal): Promise<QueueItem[]> {
    const pages = this.#pages[list]
    const items = await pages.more(signal)
    try {
      for (let page = 1; list === "running" && page < MAX_PAGES && pages.end !== null; page += 1)
        items.push(...(await pages.more(signal)))
    } catch (error) {
      // What was read is lost with this error.
      pages.restart()
      throw error
    }
    return items
  }
}
