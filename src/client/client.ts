import type { Directive, QueueItem, Report, Result } from "../item/item.ts"
import type {
  BatchAnswer,
  Claimed,
  Counts,
  Me,
  OutputStored,
  StepAnswer,
  WorkerAnswer,
  WorkerSeen,
} from "../wire/answers.ts"
import type { Kinds, ReadItem } from "../wire/forecast.ts"
import type { Health, Stats, StreamSeen } from "../wire/health-and-stats.ts"
import type { ClaimRequest, FailRequest } from "../wire/requests.ts"
import { aboutItem, type Check, isItemOf } from "./answer-shapes.ts"
import { type ClientOptions, QueueClient } from "./queue-client.ts"
import { type OutputOptions, type Printed, printedAt } from "./read-output.ts"
import type { OpenConnection } from "./reconnecting.ts"
import { type Ask, Requests, ServerError } from "./requests.ts"
import { unanswered } from "./why-unanswered.ts"
import { WORK_SHAPES } from "./work-shapes.ts"

export type { ClientOptions } from "./queue-client.ts"
export type { OutputOptions, OutputPosition, Printed } from "./read-output.ts"
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
export { QueueClient, ServerError }

/** The right to write one item. */
export interface Held {
  /** The ID of the item. */
  readonly id: number
  /** The token of the lease, from the claim. */
  readonly token: string
}

/** What a worker asks for. */
export interface RepeatableClaim extends ClaimRequest {
  /**
   * A claim that is repeated with the same key, because its answer was lost, gets the same item. Default: each claim is a
   * new one.
   */
  readonly idempotencyKey?: string | undefined
}

/**
 * A client of one server, for browsers, Node and Bun: what people do, and what workers and administrators do.
 *
 * Every method throws a ServerError when the server refuses, does not answer, or something else answers in its place.
 * Every method takes a signal last: its abort ends the request at once, and the method throws the signal's reason.
 */
export class Client extends QueueClient {
  readonly #server: Requests

  /** The same as for a QueueClient. */
  constructor(base: string, options: ClientOptions = {}) {
    super(base, options, unanswered)
    this.#server = new Requests(base, options.token, unanswered)
  }

  /** Like `output`, for the item of this song that was started last. */
  songOutput(songId: number, options: OutputOptions = {}): AsyncGenerator<Printed, void, undefined> {
    const open: OpenConnection = (path, headers, signal) => this.#server.ask("GET", path, { headers, signal })
    return printedAt(open, `/songs/${songId}/output`, options)
  }

  /** The kinds of which runs are remembered, the one with the newest run first. */
  kinds(signal?: AbortSignal): Promise<Kinds> {
    return this.#server.json("GET", "/kinds", WORK_SHAPES.kinds, { signal })
  }

  /** Forgets the runs of a kind; returns how many there were. */
  async forgetRuns(kind: string, signal?: AbortSignal): Promise<number> {
    const path = `/kinds/${encodeURIComponent(kind)}/runs`
    return (await this.#server.json("DELETE", path, WORK_SHAPES.forgotten, { signal })).runs
  }

  /**
   * Claims an item. If no item is available, the server waits for one as long as `request` says.
   * Returns null if no item became available in time, and `drain` if this worker gets no more items and must
   * stop.
   */
  async claim(
    { idempotencyKey, ...body }: RepeatableClaim,
    signal?: AbortSignal,
  ): Promise<Claimed | "drain" | null> {
    let isDraining = false
    const claimed = await this.#server.json("POST", "/queue/claim", WORK_SHAPES.claim, {
      body,
      headers: idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey },
      signal,
      heldS: body.wait ?? 0,
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
    return this.#server.json("POST", "/queue/claim", aboutItem(id, WORK_SHAPES.claimed), {
      body,
      headers,
      signal,
    })
  }

  /** Reports progress, and renews the lease. */
  report(held: Held, report: Report, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "progress", aboutItem(held.id, WORK_SHAPES.work), { body: report, signal })
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
    return this.#work(held, verb, WORK_SHAPES.printed, { bytes, signal })
  }

  /** Declares the names of all steps of the attempt, in their order, and renews the lease. */
  declareSteps(held: Held, steps: readonly string[], signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "steps", aboutItem(held.id, WORK_SHAPES.work), { body: { steps }, signal })
  }

  /**
   * Begins the first declared step that has not begun, and renews the lease. `step` is null if no step is
   * left or no steps were declared.
   */
  beginStep(held: Held, signal?: AbortSignal): Promise<StepAnswer> {
    return this.#work(held, "steps/next", aboutItem(held.id, WORK_SHAPES.step), { signal })
  }

  /**
   * Renews the lease. With `waitS` the server holds its answer for that many seconds (at most 60, and at most
   * half of the lease), or until the worker must stop. Default 0: the server answers at once.
   */
  heartbeat(held: Held, waitS = 0, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, `heartbeat?wait=${waitS}`, aboutItem(held.id, WORK_SHAPES.work), {
      signal,
      heldS: waitS,
    })
  }

  /** Ends the lease and completes the item. */
  complete(held: Held, result: Result = {}, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "complete", aboutItem(held.id, WORK_SHAPES.work), { body: result, signal })
  }

  /** Ends the lease and says that the attempt failed. */
  fail(held: Held, failure: FailRequest, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "fail", aboutItem(held.id, WORK_SHAPES.work), { body: failure, signal })
  }

  /** Ends the lease and returns the item to the queue. It does not count as a failure. */
  release(held: Held, signal?: AbortSignal): Promise<WorkerAnswer> {
    return this.#work(held, "release", aboutItem(held.id, WORK_SHAPES.work), { body: {}, signal })
  }

  /**
   * Waits until the item is finished, and returns it. After `timeoutS` seconds (at most 3,600) it returns the
   * item as it is.
   */
  finished(id: number, timeoutS: number, signal?: AbortSignal): Promise<QueueItem> {
    const path = `/queue/${id}?wait=finished&timeout=${timeoutS}`
    return this.#server.json("GET", path, isItemOf(id), { signal, heldS: timeoutS })
  }

  /**
   * The open streams, at most 1,000: first those that lag most, then the oldest. The caller needs the role
   * `admin`.
   */
  async openStreams(signal?: AbortSignal): Promise<readonly StreamSeen[]> {
    const path = "/progress/stats?streams=true"
    return (await this.#server.json("GET", path, WORK_SHAPES.openStreams, { signal })).open_streams
  }

  #work<T>({ id, token }: Held, verb: string, check: Check<T>, ask: Ask): Promise<T> {
    return this.#server.json("POST", `/queue/${id}/${verb}`, check, { ...ask, headers: { lease: token } })
  }
}
