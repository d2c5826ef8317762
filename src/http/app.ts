import { cors } from "@elysiajs/cors"
import { Elysia } from "elysia"

import type { Authorizer } from "../access/authorize.ts"
import type { Tickets } from "../access/tickets.ts"
import type { Reasons } from "../degraded-reasons.ts"
import type { AppError } from "../errors.ts"
import type { Metrics } from "../metrics/metrics.ts"
import type { LearnedDurations } from "../queue/learned-durations.ts"
import type { Output } from "../queue/output.ts"
import type { Queue } from "../queue/queue.ts"
import type { StartForecasts } from "../queue/start-forecasts.ts"
import type { QueueTotals } from "../queue/totals.ts"
import type { Workers } from "../queue/workers.ts"
import type { Streams } from "../stream/streams.ts"
import { safeJson } from "../text.ts"
import type { Webhooks } from "../webhooks/webhooks.ts"
import type { ServerSeen } from "../wire/health-and-stats.ts"
import { type AppWithCaller, callerOfRequest, type Callers, unknownSenders } from "./caller-of-request.ts"
import { checksBeforeRouting, type RoutingCheckOptions } from "./checks-before-routing.ts"
import type { TrustedProxies } from "./client-address.ts"
import type { ClientLimits } from "./client-limits.ts"
import { boardFor } from "./curl-board.ts"
import { docsRoutes } from "./docs/docs.ts"
import { errorAnswers, type OnError } from "./error-answers.ts"
import { FairTurns } from "./fair-turns.ts"
import { isReadMethod } from "./host-and-origin.ts"
import { jsonAnswer } from "./json-answer.ts"
import { checkNeeds } from "./needed-rights.ts"
import { type Answered, RequestCounts } from "./request-counts.ts"
import { collectionRoutes } from "./routes/add-and-list-items.ts"
import { workerRoutes } from "./routes/claim-and-report.ts"
import { clientModuleRoutes } from "./routes/client-module.ts"
import { foreseenRoutes } from "./routes/forecast-and-kinds.ts"
import { healthRoute, probeRoutes } from "./routes/health.ts"
import { ingestRoutes } from "./routes/ingest.ts"
import { meRoute } from "./routes/me.ts"
import { metricsRoute } from "./routes/metrics.ts"
import { pageRoutes } from "./routes/page.ts"
import { queueActionRoutes } from "./routes/queue-actions.ts"
import { figureRoutes } from "./routes/queue-figures.ts"
import { queueRoutes } from "./routes/queue-item.ts"
import { refusalOnDemandRoute } from "./routes/refusal-on-demand.ts"
import { stepRoutes } from "./routes/steps.ts"
import { outputRoutes } from "./routes/store-and-read-output.ts"
import { progressRoutes } from "./routes/streams.ts"
import { sharedTickets, ticketRoutes } from "./routes/tickets.ts"
import { webhookRoutes } from "./routes/webhooks.ts"
import { progressSockets, WEBSOCKET } from "./routes/websockets.ts"
import { workerListRoutes } from "./routes/worker-list.ts"
import { SearchTurns } from "./search-turns.ts"
import { StreamOwners } from "./stream-owners.ts"
import { announcesBody, hasUnreadBody } from "./unread-body.ts"

/** The parts that the routes use. */
export interface AppParts extends RoutingCheckOptions {
  /** The queue as people use it. */
  readonly queue: Queue
  /** The queue in figures. */
  readonly totals: QueueTotals
  /** When waiting items start. */
  readonly forecasts: StartForecasts
  /** What was learned of how long renders take. */
  readonly learned: LearnedDurations
  /** The queue as workers use it. */
  readonly workers: Workers
  /** What the commands of items print. */
  readonly output: Output
  /** The live streams. */
  readonly streams: Streams
  /** The deliveries to webhooks, which a route lists. */
  readonly webhooks: Webhooks
  /** Decides which callers are let in. */
  readonly authorizer: Authorizer
  /** Gives tickets. */
  readonly tickets: Tickets
  /** Limits how many requests each caller may send. */
  readonly limits: ClientLimits
  /** The proxies whose headers about a client's address are believed. */
  readonly proxies: TrustedProxies
  /** What is wrong with the server, for `/health`. */
  readonly reasons: Reasons
  /** The servers of the fleet, including this one; absent if this server is alone. */
  readonly servers?: () => Promise<readonly ServerSeen[]>
  /** Epoch milliseconds, by the clock of the database; that of the machine may be wrong. */
  readonly now: () => number
  /** For how many milliseconds no timer of the server has run. */
  readonly stoodMs: () => number
  /** When retention begins to remove old updates, in epoch milliseconds; absent if it has begun long ago. */
  readonly retentionBeginsAtMs?: () => number
  /** The metrics in which requests are counted. */
  readonly metrics: Metrics
  /** Called after each answer; absent for no call. */
  readonly onAnswer?: ((answered: Answered) => void) | undefined
  /** The version of the program. */
  readonly version: string
  /** The commit from which the program was built. */
  readonly commit: string
  /** Called with each error that is not the client's fault. */
  readonly onError: OnError
  /** Called with the reason if a metric cannot be read. */
  readonly onUnreadMetric: (error: unknown) => void
}

/**
 * A connection is cut if its socket stays full for this long. Bun's timer is coarse and fires up to 4 s
 * early, so the keepalive must stay 8 s below this.
 */
const IDLE_TIMEOUT_S = 60

/**
 * Says which pages may read the answers; an empty list means all pages. `checks-before-routing` decides what pages may
 * change.
 */
function crossOrigin(origins: readonly string[]) {
  const isOpen = origins.length === 0 || origins.includes("*")
  return cors({
    // If the plugin compares origins itself, it takes "x://https://studio.example" for
    // "https://studio.example".
    origin: isOpen ? "*" : ({ headers }) => origins.includes(headers.get("origin") ?? ""),
    credentials: false,
    // It is one text, because a list would be joined again for every answer.
    methods: "GET, POST, PUT, DELETE",
    allowedHeaders: [
      "content-type",
      "authorization",
      "last-event-id",
      "idempotency-key",
      "lease",
      // Some libraries that read streams send these headers, and fail if they are not allowed.
      "cache-control",
      "pragma",
      "x-requested-with",
    ],
    exposeHeaders: ["retry-after", "drain", "link"],
    maxAge: 600,
  })
}

/** The status of an answer. A handshake of a WebSocket has answered by itself, and leaves the status as it was. */
function statusOf(answer: unknown, set: number | string | undefined): number {
  if (answer instanceof Response) return answer.status
  const status = typeof set === "number" ? set : 200
  return answer === undefined && status === 200 ? 101 : status
}

/** The body of an answer that is no Response, with its headers; undefined if it stays as it is. @throws AppError as `jsonAnswer` does */
function encoded(value: unknown, answering: Parameters<typeof jsonAnswer>[1]) {
  const { headers } = answering
  headers["cache-control"] = "no-store"
  if (typeof value !== "object" || value === null) return undefined
  headers["content-type"] = "application/json"
  const body = jsonAnswer(safeJson(value), answering)
  // The framework takes a stream that is no Response for one of events.
  return typeof body === "string" || body instanceof Uint8Array ? body : new Response(body)
}

const OPTIONS = {
  normalize: false,
  websocket: WEBSOCKET,
  // A path with an empty ID must not get the answer of the path without an ID, which shows everything.
  strictPath: true,
  serve: {
    idleTimeout: IDLE_TIMEOUT_S,
    reusePort: false,
    development: false,
    // Bun's own limit answers without a body and without CORS headers; the routes have limits of their own.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  },
} as const

/**
 * Adds all routes to the app. Each is added to the app itself, because the framework would create the routes of a
 * plugin twice.
 */
function addRoutes(app: AppWithCaller, parts: AppParts, callers: Callers): void {
  const running = { ...parts, startedMs: performance.now() }
  docsRoutes(app, () => app.routes, parts.version, callers)
  pageRoutes(app, boardFor(parts, callers.owners), callers)
  clientModuleRoutes(app, callers)
  healthRoute(app, running, "health")
  probeRoutes(app, parts.reasons, parts.stoodMs)
  metricsRoute(app, parts.metrics, parts.onUnreadMetric)
  healthRoute(app, running, "apiHealth")
  collectionRoutes(app, "", parts.queue, parts.forecasts, callers)
  collectionRoutes(app, "/", parts.queue, parts.forecasts, callers)
  queueRoutes(app, parts.queue, parts.streams, parts.forecasts, callers)
  queueActionRoutes(app, parts.queue, callers)
  foreseenRoutes(app, parts.forecasts, parts.learned)
  figureRoutes(app, parts.totals, callers)
  workerRoutes(app, parts.workers, parts.streams, callers)
  workerListRoutes(app, parts.workers, parts.queue)
  stepRoutes(app, parts.workers)
  ingestRoutes(app, parts.workers, parts.queue, parts.output, callers)
  outputRoutes(app, parts.output, callers)
  progressRoutes(app, parts.streams, running, callers)
  progressSockets(app, parts.streams, callers)
  webhookRoutes(app, parts.webhooks)
  ticketRoutes(app, parts.tickets)
  meRoute(app)
  refusalOnDemandRoute(app)
  checkNeeds(app.routes)
}

/** The HTTP server, not yet listening. */
export function createApp(parts: AppParts) {
  const refusals = new WeakMap<Request, AppError>()
  const { metrics, proxies } = parts
  const refused = metrics.counters("refused_total")
  const counts = new RequestCounts(metrics, parts.onAnswer)
  const owners = new StreamOwners(parts.streams)
  const turns = new FairTurns((client) => owners.haveOthers(client) || parts.limits.haveOthers(client))
  const app = new Elysia(OPTIONS)
  const server = () => app.server
  const callerOptions = { ...parts, turns, proxies, refusals, refused, server }
  const senders = unknownSenders(callerOptions)
  // This runs before preflights are answered, so that their answers have the headers, too.
  app.onRequest(({ request, set }) => {
    set.headers["x-content-type-options"] = "nosniff"
    // Nobody reads the body of such a request, and its connection would stay open as long as bytes come.
    if (isReadMethod(request.method) && announcesBody(request)) set.headers["connection"] = "close"
  })
  // The next plugin answers a preflight at once, and no route follows that would count it.
  app.onRequest(({ request }) => {
    if (request.method === "OPTIONS") senders.count(request)
  })
  app.use(crossOrigin(parts.corsOrigins))
  app.use(checksBeforeRouting(parts, () => app.routes, refusals, refused, senders.count))
  app.use(sharedTickets(parts.tickets, senders.count))
  const routed = callerOfRequest(app, callerOptions)
  errorAnswers(routed, { ...parts, routes: () => app.routes, refusals, counts, senders })
  // JSON is escaped so that no text of an item can control the terminal of a person who uses curl.
  routed.onAfterHandle(({ responseValue, set, caller, request, route, askedMs }) => {
    // A route that returns a Response has set the cache header itself. Checking that would cost an object
    // for each stream.
    const isResponse = responseValue instanceof Response
    const { limits } = parts
    const body = isResponse
      ? undefined
      : encoded(responseValue, { request, caller, headers: set.headers, limits })
    counts.answered({ request, route, askedMs }, statusOf(responseValue, set.status))
    if (!isReadMethod(request.method) && hasUnreadBody(request)) set.headers["connection"] = "close"
    return body
  })
  addRoutes(routed, parts, {
    owners,
    limits: parts.limits,
    turns,
    searches: new SearchTurns(),
    proxies,
    server,
  })
  return routed
}
