import type { Directive, ItemChange, NewItem, QueueItem, Report, Result } from "../item/item.ts"
import type { Claimed, QueuePage, WorkerAnswer } from "../wire/answers.ts"
import type { ClaimRequest, FailRequest } from "../wire/requests.ts"
import { Asker, ServerError } from "./ask.ts"
import { type OpenStream, type Watched, watching, type WatchOptions } from "./watching.ts"

export type { Watched, WatchOptions } from "./watching.ts"
export type { Claimed, ClaimRequest, Directive, FailRequest, Result, WorkerAnswer }
export { ServerError }

/** The right to write one item: its ID, and the token of the lease. */
export interface Held {
  readonly id: number
  readonly token: string
}

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
  list(query: Readonly<Record<string, string>>): Promise<QueuePage> {
    return this.#server.json("GET", `/queue?${new URLSearchParams(query)}`)
  }

  /** @throws ServerError */
  get(id: number): Promise<QueueItem> {
    return this.#server.json("GET", `/queue/${id}`)
  }

  /**
   * Claims an item, waiting for one as long as asked; null when there was none.
   * @throws ServerError
   */
  claim(request: ClaimRequest, signal?: AbortSignal): Promise<Claimed | null> {
    return this.#server.json("POST", "/queue/claim", { body: request, signal, heldS: request.wait ?? 0 })
  }

  /** Reports progress, and renews the lease. @throws ServerError */
  report(held: Held, report: Report): Promise<WorkerAnswer> {
    return this.#work(held, "progress", report)
  }

  /**
   * Renews the lease. With `waitS` the answer is held that many seconds, at most 60 and at most half the lease, or
   * until there is a directive to stop.
   * @throws ServerError
   */
  heartbeat({ id, token }: Held, waitS = 0, signal?: AbortSignal): Promise<WorkerAnswer> {
    const path = `/queue/${id}/heartbeat?wait=${waitS}`
    return this.#server.json("POST", path, { headers: { lease: token }, signal, heldS: waitS })
  }

  /** Ends the lease with success. @throws ServerError */
  complete(held: Held, result: Result = {}): Promise<WorkerAnswer> {
    return this.#work(held, "complete", result)
  }

  /** Ends the lease with a failure. @throws ServerError */
  fail(held: Held, failure: FailRequest): Promise<WorkerAnswer> {
    return this.#work(held, "fail", failure)
  }

  /** Gives the item back. @throws ServerError */
  release(held: Held): Promise<WorkerAnswer> {
    return this.#work(held, "release", {})
  }

  /** Calls an item off; its worker is told to stop. @throws ServerError */
  cancel(id: number): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/cancel`)
  }

  /** Puts a terminal or retrying item back into the queue. @throws ServerError */
  retry(id: number): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/retry`)
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

  #work({ id, token }: Held, verb: string, body: object): Promise<WorkerAnswer> {
    return this.#server.json("POST", `/queue/${id}/${verb}`, { body, headers: { lease: token } })
  }
}
