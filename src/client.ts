import type { ItemChange, NewItem, QueueItem } from "./progress.ts"
import { ServerError, serverErrorOf } from "./server-error.ts"
import { type Ask, type Watched, watching, type WatchOptions } from "./watching.ts"

export { type Control, type Watched, type WatchOptions } from "./watching.ts"
export { ServerError }

/** A client of one server. `base` is its URL without the path. */
export class Client {
  readonly #base: string

  constructor(base: string) {
    this.#base = `${base.replace(/\/+$/, "")}/api/v1`
  }

  /** @throws ServerError */
  async add(item: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
    return (await this.#ask("POST", "/queue", item, headers)).json()
  }

  /** @throws ServerError */
  async update(id: number, change: ItemChange): Promise<QueueItem> {
    return (await this.#ask("PUT", `/queue/${id}`, change)).json()
  }

  /** One page of the queue. @throws ServerError */
  async list(query: Readonly<Record<string, string>>): Promise<{ queue: QueueItem[]; next: string | null }> {
    return (await this.#ask("GET", `/queue?${new URLSearchParams(query)}`)).json()
  }

  /**
   * The stream of one item, of some or of all. It reconnects by itself from where it was, whatever the server or a
   * proxy answers meanwhile (5xx and 429 too), and tells when it has to. It waits as long as the server asks for,
   * twice as long after each failure, and 10 s at most unless `Retry-After` says more.
   * @throws ServerError when the server refuses for good (an unknown item, say)
   */
  watch(options: WatchOptions = {}): AsyncGenerator<Watched, void, undefined> {
    const ask: Ask = (path, headers, signal) => this.#ask("GET", path, undefined, headers, signal)
    return watching(ask, options)
  }

  async #ask(
    method: string,
    path: string,
    body?: NewItem | ItemChange,
    headers: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      const { origin } = new URL(this.#base)
      throw new ServerError(
        0,
        `no server answers at ${origin}; start one with "track-studio serve"`,
        "",
        "",
        { cause },
      )
    })
    if (answer.ok) return answer
    throw await serverErrorOf(answer)
  }
}
