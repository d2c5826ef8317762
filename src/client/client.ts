import type { Directive, ItemChange, NewItem, QueueItem, Report, Result } from "../item/item.ts"
import type {
  BatchAnswer,
  Claimed,
  Counts,
  HistoryPage,
  Me,
  QueuePage,
  StepAnswer,
  WorkerAnswer,
  WorkerSeen,
} from "../wire/answers.ts"
import type { Kinds, QueueForecastAnswer, ReadItem } from "../wire/forecast.ts"
import type { OutputStored } from "../wire/output.ts"
import type { BatchRequest, ClaimRequest, FailRequest, MoveRequest, RetryRequest } from "../wire/requests.ts"
import type { Health, Stats, StreamSeen } from "../wire/server.ts"
import { aboutItem, type Check, isItemOf, isPageAfter, SHAPES } from "./answer-shapes.ts"
import { type OutputOptions, type Printed, printedAt } from "./output.ts"
import type { OpenConnection } from "./reconnecting.ts"
import { type Ask, Requests, ServerError } from "./requests.ts"
import { type Watched, watching, type WatchOptions } from "./watching.ts"

export type { OutputOptions, OutputPlace, Printed } from "./output.ts"
export type { Watched, WatchOptions } from "./watching.ts"
export type {
  BatchAnswer,
  Claimed,
  ClaimRequest,
  Counts,
  Kinds,
  ReadItem,
  Directive,
  FailRequest,
  Health,
  Me,
  Result,
  Stats,
  StreamSeen,
  WorkerAnswer,
  WorkerSeen,
}
export { ServerError }

/** The right to write one item. */
export interface Held {
  /** The ID of the item. */
  readonly id: number
  /** The token of the lease, from the claim. */
  readonly token: string
}

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
 * A client of one server, for browsers, Node and Bun.
 *
 * Every method throws a ServerError when the server refuses, does not answer, or something else answers in its place.
 * Every method takes a signal last: its abort ends the request at once, and the method throws the signal's reason.
 */
export class Client {
  readonly #server: Requests

  /**
   * `base` is the URL of the server, for example `http://localhost:8080`. It includes the path if a proxy
   * serves the server below a path.
   */
  constructor(base: string, { token }: ClientOptions = {}) {
    this.#server = new Requests(base, token)
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

  /** The kinds of which runs are remembered, the one with the newest run first. */
  kinds(signal?: AbortSignal): Promise<Kinds> {
    return this.#server.json("GET", "/kinds", SHAPES.kinds, { signal })
  }

  /** Forgets the runs of a kind; returns how many there were. */
  async forgetRuns(kind: string, signal?: AbortSignal): Promise<number> {
    const path = `/kinds/${encodeURIComponent(kind)}/runs`
    return (await this.#server.json("DELETE", path, SHAPES.forgotten, { signal })).runs
  }

  /** One page of an item's updates, ascending: at most `limit` (1 to 1,000) of those after the event ID `after`. */
  history(id: number, after = 0, limit = 1000, signal?: AbortSignal): Promise<HistoryPage> {
    return this.#server.json("GET", `/queue/${id}/updates?after=${after}&limit=${limit}`, SHAPES.history, {
      signal,
    })
  }

  /**
   * Claims an item. If no item is available, the server waits for one as long as `request` says.
   * Returns null if no item became available in time, and `drain` if this worker gets no more items and must
   * stop.
   */
  async claim(request: ClaimRequest, signal?: AbortSignal): Promise<Claimed | "drain" | null> {
    let isDraining = false
    const claimed = await this.#server.json("POST", "/queue/claim", SHAPES.claim, {
      body: request,
      signal,
      heldS: request.wait ?? 0,
      onHeaders: (headers) => (isDraining = headers.get("drain") === "true"),
    })
    return claimed ?? (isDraining ? "drain" : null)
  }

  /**
   * Claims the item `id` whatever its place and its tags are, and no other item.
   * `former` is the lease that the caller held on this item before, if any: after a backup was restored, the
   * item waits one minute for its last holder, and a claim by anybody else is refused as `leased`.
   */
  take(
    id: number,
    request: Omit<ClaimRequest, "id" | "tags" | "wait">,
    former?: Held,
    signal?: AbortSignal,
  ): Promise<Claimed> {
    const headers: Record<string, string> = former ? { lease: former.token } : {}
    const body = { ...request, id }
    return this.#server.json("POST", "/queue/claim", aboutItem(id, SHAPES.claimed), { body, headers, signal })
  }

  /** Reports progress, and renews the lease. */
  report(held: Held, report: Report, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "progress", aboutItem(held.id, SHAPES.work), { body: report, signal })
  }

  /**
   * Stores what the command printed. `offset` is the position of the first byte in everything that the
   * command has printed: with it, a repeated request stores nothing twice. Without it, the bytes are added to
   * the end of what is stored. Resolves with the position at which the output now ends.
   */
  print(
    held: Held,
    bytes: Uint8Array<ArrayBuffer>,
    offset?: number,
    signal?: AbortSignal,
  ): Promise<OutputStored> {
    const verb = offset === undefined ? "output" : `output?offset=${offset}`
    return this.#work(held, verb, SHAPES.printed, { bytes, signal })
  }

  /** Declares the names of all steps of the attempt, in their order, and renews the lease. */
  declareSteps(held: Held, steps: readonly string[], signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "steps", aboutItem(held.id, SHAPES.work), { body: { steps }, signal })
  }

  /**
   * Begins the first declared step that has not begun, and renews the lease. `step` is null if no step is
   * left or no steps were declared.
   */
  beginStep(held: Held, signal?: AbortSignal): Promise<StepAnswer> {
    return this.#work(held, "steps/next", aboutItem(held.id, SHAPES.step), { signal })
  }

  /**
   * Renews the lease. With `waitS` the server holds its answer for that many seconds (at most 60, and at most
   * half of the lease), or until the worker must stop. Default 0: the server answers at once.
   */
  heartbeat(held: Held, waitS = 0, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, `heartbeat?wait=${waitS}`, aboutItem(held.id, SHAPES.work), {
      signal,
      heldS: waitS,
    })
  }

  /** Ends the lease and completes the item. */
  complete(held: Held, result: Result = {}, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "complete", aboutItem(held.id, SHAPES.work), { body: result, signal })
  }

  /** Ends the lease and says that the attempt failed. */
  fail(held: Held, failure: FailRequest, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "fail", aboutItem(held.id, SHAPES.work), { body: failure, signal })
  }

  /** Ends the lease and returns the item to the queue. It does not count as a failure. */
  release(held: Held, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "release", aboutItem(held.id, SHAPES.work), { body: {}, signal })
  }

  /** Cancels an item. One that a worker holds stays `processing` until the worker has stopped. */
  cancel(id: number, signal?: AbortSignal): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/cancel`, isItemOf(id), { signal })
  }

  /** Puts a finished or retrying item back into the queue. */
  retry(id: number, signal?: AbortSignal): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/retry`, isItemOf(id), { signal })
  }

  /**
   * Waits until the item is finished, and returns it. After `timeoutS` seconds (at most 3,600) it returns the
   * item as it is.
   */
  finished(id: number, timeoutS: number, signal?: AbortSignal): Promise<QueueItem> {
    const path = `/queue/${id}?wait=finished&timeout=${timeoutS}`
    return this.#server.json("GET", path, isItemOf(id), { signal, heldS: timeoutS })
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

  /**
   * The open streams, at most 1,000: first those that lag most, then the oldest. The caller needs the role
   * `admin`.
   */
  async openStreams(signal?: AbortSignal): Promise<readonly StreamSeen[]> {
    const path = "/progress/stats?streams=true"
    return (await this.#server.json("GET", path, SHAPES.openStreams, { signal })).open_streams
  }

  /** The role of this client, and what it may do. On a server without tokens every client is an admin. */
  me(signal?: AbortSignal): Promise<Me> {
    return this.#server.json("GET", "/me", SHAPES.me, { signal })
  }

  /** Whether the server works, and its version. */
  health(signal?: AbortSignal): Promise<Health> {
    return this.#server.json("GET", "/health", SHAPES.health, { signal, isOutsideApi: true })
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

  /** Like `output`, for the item of this song that was started last. */
  songOutput(songId: number, options: OutputOptions = {}): AsyncGenerator<Printed, void, undefined> {
    return printedAt(this.#open, `/songs/${songId}/output`, options)
  }

  readonly #open: OpenConnection = (path, headers, signal) =>
    this.#server.ask("GET", path, { headers, signal })

  #work<T>({ id, token }: Held, verb: string, check: Check<T>, ask: Ask): Promise<T> {
    return this.#server.json("POST", `/queue/${id}/${verb}`, check, { ...ask, headers: { lease: token } })
  }
}
