import type { Counter, Histogram } from "../metrics/counters.ts"
import type { Metrics } from "../metrics/metrics.ts"
import { needOf } from "./needed-rights.ts"

/** Counts refusals, by reason. */
export type RefusalCounts = ReturnType<Metrics["counters"]>

/** An answer, as it is logged. */
export interface Answered {
  /** The ID of the request in an error answer; undefined for any other. */
  readonly requestId: string | undefined
  /** The method and the path of the route that matched; `none` if none did. */
  readonly route: string
  /** The HTTP status. */
  readonly status: number
  /**
   * The milliseconds from when the caller was let in until the answer began; undefined if no caller was let
   * in.
   */
  readonly tookMs: number | undefined
}

/** What the framework knows of a request that is answered. */
interface AnsweredRequest {
  readonly request: Request
  readonly route: string | undefined
  /** When the caller was let in, in milliseconds of `performance.now()`; undefined if it was refused. */
  readonly askedMs: number | undefined
}

interface OfRoute {
  readonly name: string
  readonly seconds: Histogram
  readonly byStatus: Map<number, Counter>
}

/** Counts answers, by route and status, and passes them on to the log. */
export class RequestCounts {
  readonly #requests
  readonly #seconds
  readonly #onAnswer: ((answered: Answered) => void) | undefined
  /** By path and method. */
  readonly #routes = new Map<string, Map<string, OfRoute>>()
  readonly #none: OfRoute

  /** `onAnswer` is called after each answer; undefined for no call. */
  constructor(metrics: Metrics, onAnswer: ((answered: Answered) => void) | undefined) {
    this.#requests = metrics.counters("http_requests_total")
    this.#seconds = metrics.histograms("http_request_seconds")
    this.#onAnswer = onAnswer
    this.#none = this.#made("none")
  }

  /** Counts an answer. `requestId` is the ID of the request in an error answer. */
  answered({ request, route, askedMs }: AnsweredRequest, status: number, requestId?: string): void {
    const { name, seconds, byStatus } = this.#routeOf(request.method, route ?? "")
    let count = byStatus.get(status)
    if (!count) {
      count = this.#requests.of(name, String(status))
      byStatus.set(status, count)
    }
    count.add()
    const tookMs = askedMs === undefined ? undefined : performance.now() - askedMs
    if (tookMs !== undefined) seconds.observe(tookMs / 1000)
    this.#onAnswer?.({ requestId, route: name, status, tookMs })
  }

  /** A path without a route was made up by the client, and must not be remembered. */
  #routeOf(method: string, path: string): OfRoute {
    const ofPath = this.#routes.get(path)
    const known = ofPath?.get(method)
    if (known) return known
    const verb = method === "HEAD" ? "GET" : method
    if (needOf({ method: verb, path }) === undefined) return this.#none
    // Some routes exist with a slash at their end, too.
    const made = this.#made(`${verb} ${path.length > 1 ? path.replace(/\/$/, "") : path}`)
    if (ofPath) ofPath.set(method, made)
    else this.#routes.set(path, new Map([[method, made]]))
    return made
  }

  #made(name: string): OfRoute {
    return { name, seconds: this.#seconds.of(name), byStatus: new Map() }
  }
}
