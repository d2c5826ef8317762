import { ValidationError } from "elysia"

import { type Caller, EVERYBODY } from "../access/authorize.ts"
import { AppError, type ErrorCode, REFUSALS } from "../errors.ts"
import { lost } from "../item/lease.ts"
import { safeJson } from "../text.ts"
import { withoutSecrets } from "../token-format.ts"
import type { ErrorAnswer } from "../wire/refusals.ts"
import { acceptsHtml } from "./accepts.ts"
import { busy, isEventSource } from "./busy-event-source.ts"
import type { AppWithCaller, UnknownSenders } from "./caller-of-request.ts"
import type { ClientLimits } from "./client-limits.ts"
import { invalid } from "./invalid-input.ts"
import { notFoundPage } from "./not-found-page.ts"
import { isAt, pathOf, type Route } from "./paths.ts"
import type { RequestCounts } from "./request-counts.ts"
import { leaseOf } from "./request-parameters.ts"
import { dropBody, hasUnreadBody } from "./unread-body.ts"

/** The methods for which a path has a route. */
function methodsOf(routes: readonly Route[], path: string): string[] {
  const methods = routes.filter((route) => isAt(route, path)).map(({ method }) => method)
  return [...new Set(methods)].filter((method) => method !== "OPTIONS").sort()
}

/** Whether a person in a browser has opened a path outside the API. */
const isLost = (request: Request): boolean =>
  request.method === "GET" && acceptsHtml(request) && !pathOf(request).startsWith("/api/")

const RETRY_MS = 1000

/**
 * The wait before a request that cannot be served now is sent again: up to two seconds, and random, so that
 * clients that asked together come back at different times.
 */
const laterMs = ({ retryAfterMs }: AppError): number => retryAfterMs ?? RETRY_MS * (1 + Math.random())

/** Called with each error that is not an AppError, and the request id that the client got. */
export type OnError = (requestId: string, error: unknown) => void

/** Turns an error into one that can be answered. `code` is the framework's own code. */
function asAppError(code: unknown, error: unknown, request: Request, routes: readonly Route[]): AppError {
  if (error instanceof AppError) return error
  // Elysia wraps the error that a body parser throws.
  if (error instanceof Error && error.cause instanceof AppError) return error.cause
  if (error instanceof ValidationError) return invalid(error)
  if (code === "PARSE") return new AppError("malformed_json", "the body is not valid JSON")
  if (code === "NOT_FOUND") {
    const path = pathOf(request)
    const methods = methodsOf(routes, path)
    return methods.length > 0
      ? new AppError("method_not_allowed", `${path} takes ${methods.join(", ")}, not ${request.method}`)
      : new AppError("not_found", `there is nothing at ${path}`)
  }
  return new AppError("internal", "the server failed; its log has the reason under this request_id")
}

/** What the framework knows of a request that was refused. */
interface RefusedRequest {
  readonly caller: Caller
  readonly request: Request
  readonly query: Readonly<Record<string, string | undefined>>
  readonly params?: Readonly<Record<string, string | undefined>>
}

/**
 * For a caller that has only a lease, an item that never existed must look like an item that another worker
 * holds.
 */
function withoutItems(error: AppError, { caller, request, query, params }: RefusedRequest): AppError {
  const id = params?.["id"]
  const hides = error.code === "not_found" && id !== undefined && caller.role === "nobody"
  return hides && leaseOf(request, query) !== undefined ? lost(Number(id)) : error
}

/**
 * The codes that a request with an invalid lease gets. If the checks before routing had refused the request, their refusal is
 * answered instead, so that the sender learns nothing about items.
 */
const UNPROVEN: readonly ErrorCode[] = ["lease_lost", "not_found", "gone"]

/** The headers that belong to a refusal. */
function headersOf({ code, retryAfterMs }: AppError, request: Request, routes: readonly Route[]) {
  const isForNow = code === "unavailable" || retryAfterMs !== undefined
  return {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...(isForNow && { "retry-after": String(Math.ceil((retryAfterMs ?? RETRY_MS) / 1000)) }),
    // A client that must come back later keeps no connection until then, because other clients may need it.
    ...(code === "unavailable" && { connection: "close" }),
    ...(code === "unauthorized" && { "www-authenticate": "Bearer" }),
    ...(code === "upgrade_required" && { upgrade: "websocket" }),
    ...(code === "method_not_allowed" && { allow: methodsOf(routes, pathOf(request)).join(", ") }),
  }
}

/** The body of a refusal. */
function answerOf({ code, message }: AppError, request_id: string): ErrorAnswer {
  // A worker that has lost its item must stop its work.
  const mustStop = code === "lease_lost" || code === "gone"
  return { error: withoutSecrets(message), code, request_id, ...(mustStop && { directive: "cancel" }) }
}

/** What is needed to answer errors. */
export interface ErrorAnswersOptions {
  /** Receives each error that is not the client's fault. */
  readonly onError: OnError
  /** Lists the routes of the whole app. */
  readonly routes: () => readonly Route[]
  /** The refusals that a valid lease would have cancelled. */
  readonly refusals: WeakMap<Request, AppError>
  /** Counts the answers. */
  readonly counts: RequestCounts
  /** The senders of requests that no route lets in. */
  readonly senders: UnknownSenders
  /** Counts leases that no item has, and says how long refusals wait. */
  readonly limits: ClientLimits
}

/**
 * Counts a request to a path without a route against its sender's limit. Returns what is to be answered: `error`, or
 * `too_many_requests` if the limit is reached. `code` is the framework's own code.
 */
function countedAtSender(
  code: unknown,
  error: AppError,
  request: Request,
  senders: UnknownSenders,
): AppError {
  if (code !== "NOT_FOUND") return error
  try {
    senders.count(request)
    return error
  } catch (tooMany) {
    if (tooMany instanceof AppError) return tooMany
    throw tooMany
  }
}

/**
 * Gives every error its status and the one body `{"error", "code", "request_id"}`. An error that is no
 * AppError is passed to `onError`, and its text is not in the answer.
 */
export function errorAnswers(app: AppWithCaller, options: ErrorAnswersOptions): void {
  const { onError, routes, refusals, counts, senders, limits } = options
  // As in `callerOfRequest`, this names what it needs. Otherwise the framework would prepare everything for every
  // request.
  app.onError(async ({ code, error, request, query, params, set, route, askedMs, caller }) => {
    const refusal = countedAtSender(code, asAppError(code, error, request, routes()), request, senders)
    const found = withoutItems(refusal, { request, query, params, caller })
    if (found.code === "lease_lost") limits.chargeLost(caller)
    const known = UNPROVEN.includes(found.code) ? (refusals.get(request) ?? found) : found
    if (known.code === "too_many_requests") {
      // If a route did not let the sender in, only its address is known.
      await Bun.sleep(limits.restMs(caller === EVERYBODY ? senders.of(request) : caller))
    }
    // While few descriptors are left, nothing is awaited.
    if (known.code !== "unavailable") await dropBody(request)
    if (hasUnreadBody(request)) set.headers["connection"] = "close"
    const requestId = crypto.randomUUID()
    if (known.code === "internal" || known.cause !== undefined) onError(requestId, known.cause ?? error)
    const retryAfterMs = known.code === "unavailable" ? laterMs(known) : known.retryAfterMs
    if (retryAfterMs !== undefined && isEventSource(request)) {
      set.status = 200
      counts.answered({ request, route, askedMs }, set.status)
      return busy(known.message, retryAfterMs)
    }
    set.status = REFUSALS[known.code].status
    counts.answered({ request, route, askedMs }, set.status, requestId)
    if (known.code === "not_found" && isLost(request)) return notFoundPage(request)
    Object.assign(set.headers, headersOf(known, request, routes()))
    return safeJson(answerOf(known, requestId))
  })
}
