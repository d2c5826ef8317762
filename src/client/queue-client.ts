import type { ItemChange, NewItem, QueueItem } from "../item/item.ts"
import type { BatchAnswer, Counts, HistoryPage, Me, QueuePage, WorkerSeen } from "../wire/answers.ts"
import type { QueueForecastAnswer, ReadItem } from "../wire/forecast.ts"
import type { Health, Stats } from "../wire/health-and-stats.ts"
import type { BatchRequest, MoveRequest, RetryRequest } from "../wire/requests.ts"
import { isItemOf, isPageAfter, SHAPES } from "./answer-shapes.ts"
import { type OutputOptions, type Printed, printedAt } from "./read-output.ts"
import type { OpenConnection } from "./reconnecting.ts"
import { Requests, type WhyUnanswered } from "./requests.ts"
import { type Watched, watching, type WatchOptions } from "./watching.ts"

const drainPath = (worker: string): string => `/workers/${encodeURIComponent(worker)}/drain`

/** How a client introduces itself. */
export interface ClientOptions {
  /**
   * An access token, `tsk_...`, sent as `Authorization: Bearer` with each request, or a function that returns
   * it before each request, so that it can be replaced; default none.
   */
  readonly token?: string | (() => string | undefined) | undefined
}

/**
 * The part of a client with which people look at a queue and change it: all that a page needs.
 *
 * Every method throws a ServerError when the server refuses, does not answer, or something else answers in its place.
 * Every method takes a signal last: its abort ends the request at once, and the method throws the signal's reason.
 */
export class QueueClient {
  readonly #server: Requests

  /**
   * `base` is the URL of the server, for example `http://localhost:8080`. It includes the path if a proxy
   * serves the server below a path. `why` is said of a request without an answer.
   */
  constructor(base: string, { token }: ClientOptions = {}, why?: WhyUnanswered) {
    this.#server = new Requests(base, token, why)
  }

  /** Adds an item. Repeating it with the same `idempotencyKey` within 24 hours returns the item of the first time. */
  add(item: NewItem, idempotencyKey?: string, signal?: AbortSignal): Promise<QueueItem> {
    const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
    return this.#server.json("POST", "/queue", SHAPES.item, { body: item, headers, signal })
  }

  /** Changes the given keys of an item, and returns the changed item. */
  update(id: number, change: ItemChange, signal?: AbortSignal): Promise<QueueItem> {
    return this.#server.json("PUT", `/queue/${id}`, isItemOf(id), { body: change, signal })
  }

  /** Flags a problem with an item's video; null removes the flag. */
  async flag(id: number, flag: QueueItem["flag"], signal?: AbortSignal): Promise<void> {
    await this.#server.json("PUT", `/queue/${id}/flag`, SHAPES.done, { body: { flag }, signal })
  }

  /** One page of the queue; `query` takes the parameters of `GET /queue`. */
  list(query: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<QueuePage> {
    const path = `/queue?${new URLSearchParams(query)}`
    return this.#server.json("GET", path, isPageAfter(query["after"]), { signal })
  }

  /** One item. */
  get(id: number, signal?: AbortSignal): Promise<ReadItem> {
    return this.#server.json("GET", `/queue/${id}`, isItemOf(id), { signal })
  }

  /** When the waiting items start, as far as it is known; the first `limit` (1 to 1,000) of them. */
  forecast(limit = 200, signal?: AbortSignal): Promise<QueueForecastAnswer> {
    return this.#server.json("GET", `/queue/forecast?limit=${limit}`, SHAPES.forecast, { signal })
  }

  /** One page of an item's updates, ascending: at most `limit` (1 to 1,000) of those after the event ID `after`. */
  history(id: number, after = 0, limit = 1000, signal?: AbortSignal): Promise<HistoryPage> {
    return this.#server.json("GET", `/queue/${id}/updates?after=${after}&limit=${limit}`, SHAPES.history, {
      signal,
    })
  }

  /** Cancels an item. One that a worker holds stays `processing` until the worker has stopped. */
  cancel(id: number, signal?: AbortSignal): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/cancel`, isItemOf(id), { signal })
  }

  /** Puts a finished or retrying item back into the queue. */
  retry(id: number, signal?: AbortSignal): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/retry`, isItemOf(id), { signal })
  }

  /** Deletes an item. One that is not finished is cancelled. */
  async remove(id: number, signal?: AbortSignal): Promise<void> {
    await this.#server.json("DELETE", `/queue/${id}`, SHAPES.done, { signal })
  }

  /** Moves a waiting item directly before another one; it gets that item's priority. */
  move(id: number, before: number, signal?: AbortSignal): Promise<QueueItem> {
    const body: MoveRequest = { before }
    return this.#server.json("POST", `/queue/${id}/move`, isItemOf(id), { body, signal })
  }

  /** Puts all items that failed or were lost back into the queue; resolves with their IDs. */
  async retryFailed(signal?: AbortSignal): Promise<readonly number[]> {
    const body: RetryRequest = { status: "failed" }
    const { ids } = await this.#server.json("POST", "/queue/retry", SHAPES.retried, { body, signal })
    return ids
  }

  /**
   * Cancels, retries or deletes up to 1,000 items. Resolves with the items for which it worked, and with the
   * reason for each of the others.
   */
  batch(act: BatchRequest["act"], ids: readonly number[], signal?: AbortSignal): Promise<BatchAnswer> {
    const body: BatchRequest = { act, ids: [...ids] }
    return this.#server.json("POST", "/queue/batch", SHAPES.batch, { body, signal })
  }

  /** Pauses the queue: workers get no more items until `resume`. */
  async pause(signal?: AbortSignal): Promise<void> {
    await this.#server.json("POST", "/queue/pause", SHAPES.done, { signal })
  }

  /** Lets workers claim items again. */
  async resume(signal?: AbortSignal): Promise<void> {
    await this.#server.json("POST", "/queue/resume", SHAPES.done, { signal })
  }

  /** The figures of the whole queue; days begin at midnight in `timeZone`, UTC by default. */
  counts(timeZone = "UTC", signal?: AbortSignal): Promise<Counts> {
    const query = new URLSearchParams({ tz: timeZone })
    return this.#server.json("GET", `/queue/counts?${query}`, SHAPES.counts, { signal })
  }

  /** The workers that claimed or reported within an hour, and those that hold items, by name. */
  async workers(signal?: AbortSignal): Promise<readonly WorkerSeen[]> {
    return (await this.#server.json("GET", "/workers", SHAPES.workers, { signal })).workers
  }

  /** Asks a worker to take no more items after those that it renders. */
  async drain(worker: string, signal?: AbortSignal): Promise<void> {
    await this.#server.json("POST", drainPath(worker), SHAPES.done, { signal })
  }

  /** Lets a worker that was drained take items again. */
  async undrain(worker: string, signal?: AbortSignal): Promise<void> {
    await this.#server.json("DELETE", drainPath(worker), SHAPES.done, { signal })
  }

  /** Figures about the streams and the history. */
  stats(signal?: AbortSignal): Promise<Stats> {
    return this.#server.json("GET", "/progress/stats", SHAPES.stats, { signal })
  }

  /** The role of this client, and what it may do. On a server without tokens every client is an admin. */
  me(signal?: AbortSignal): Promise<Me> {
    return this.#server.json("GET", "/me", SHAPES.me, { signal })
  }

  /** Whether the server works, and its version. */
  health(signal?: AbortSignal): Promise<Health> {
    return this.#server.json("GET", "/health", SHAPES.health, { signal })
  }

  /**
   * The stream of one item, of some items or of all items.
   *
   * After the connection breaks, the stream reconnects by itself and continues where it was, whatever a proxy
   * answers in the meantime. It also reconnects when the server answers 5xx or 429, and when nothing has come
   * for two keepalive intervals and 5 s. Each time it yields `offline` first. The first wait is as long as
   * the server asks for; after each further failure it is twice as long (within 20 %), and at most 5 s unless
   * the server asks for more. It throws if the server refuses for good (for example, if the item is unknown),
   * and if another program answers before the server was found.
   */
  watch(options: WatchOptions = {}): AsyncGenerator<Watched, void, undefined> {
    return watching(this.#open, options)
  }

  /**
   * The output of an item's command, piece by piece, and then `end`. If the output is followed, the
   * connection is opened again whenever it breaks, and `offline` is yielded first, as in `watch`.
   */
  output(id: number, options: OutputOptions = {}): AsyncGenerator<Printed, void, undefined> {
    return printedAt(this.#open, `/queue/${id}/output`, options)
  }

  readonly #open: OpenConnection = (path, headers, signal) =>
    this.#server.ask("GET", path, { headers, signal })
}
