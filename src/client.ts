import { Asker, ServerError } from "./ask.ts"
import type { ItemChange, NewItem, QueueItem } from "./progress.ts"
import { type OpenStream, type Watched, watching, type WatchOptions } from "./watching.ts"

export type { Control, Watched, WatchOptions } from "./watching.ts"
export { ServerError }

/** A client of one server. `base` is its URL without the path. */
export class Client {
  readonly #server: Asker

  constructor(base: string) {
    this.#server = new Asker(base)
  }

  /** @throws ServerError */
  add(item: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
    return this.#server.json("POST", "/queue", { body: item, headers })
  }

  /** @throws ServerError */
  update(id: number, change: ItemChange): Promise<QueueItem> {
    return this.#server.json("PUT", `/queue/${id}`, { body: change })
  }

  /** One page of the queue. @throws ServerError */
  list(query: Readonly<Record<string, string>>): Promise<{ queue: QueueItem[]; next: string | null }> {
    return this.#server.json("GET", `/queue?${new URLSearchParams(query)}`)
  }

  /** @throws ServerError */
  get(id: number): Promise<QueueItem> {
    return this.#server.json("GET", `/queue/${id}`)
  }

  /**
   * The item once it is finished, or as it is after `timeoutS` seconds (at most 3,600).
   * @throws ServerError
   */
  finished(id: number, timeoutS: number, signal?: AbortSignal): Promise<QueueItem> {
    const path = `/queue/${id}?wait=finished&timeout=${timeoutS}`
    return this.#server.json("GET", path, { signal, heldS: timeoutS })
  }

  /** @throws ServerError */
  async remove(id: number): Promise<void> {
    await this.#server.json("DELETE", `/queue/${id}`)
  }

  /**
   * The stream of one item, of some or of all. It reconnects by itself from where it was, whatever the server or a
   * proxy answers meanwhile (5xx and 429 too), and tells when it has to. It waits as long as the server asks for,
   * twice as long after each failure, and 10 s at most unless `Retry-After` says more.
   * @throws ServerError when the server refuses for good (an unknown item, say)
   */
  watch(options: WatchOptions = {}): AsyncGenerator<Watched, void, undefined> {
    const open: OpenStream = (path, headers, signal) => this.#server.ask("GET", path, { headers, signal })
    return watching(open, options)
  }
}
