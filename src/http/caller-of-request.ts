import type { Elysia } from "elysia"

import { type Authorizer, type Caller, EVERYBODY } from "../access/authorize.ts"
import { AppError, type ErrorCode, unknownItem } from "../errors.ts"
import { isLoopback } from "../loopback.ts"
import { API } from "./api.ts"
import { bodyTimeLimit } from "./body-time-limit.ts"
import type { ClientAddress, TrustedProxies } from "./client-address.ts"
import type { ClientLimits } from "./client-limits.ts"
import { type FairTurns, UNLIMITED } from "./fair-turns.ts"
import { isReadMethod } from "./host-and-origin.ts"
import { needOf } from "./needed-rights.ts"
import { pathAndQueryOf } from "./paths.ts"
import type { RefusalCounts } from "./request-counts.ts"
import { ID, leaseOf } from "./request-parameters.ts"
import { noLongerIn } from "./revoked-meanwhile.ts"
import type { SearchTurns } from "./search-turns.ts"
import type { StreamOwners } from "./stream-owners.ts"

/**
 * A body costs one unit for each piece of this size, in addition to the unit for the request. The bodies that take
 * longest to parse cost about as much.
 */
const UNIT_BODY_BYTES = 4 * 1024

/** The status under which a request is counted whose client left before its turn came. */
const CLIENT_GONE = 499

/**
 * Charges the caller for a body with this many bytes. A promise resolves when a body that takes long to parse may be
 * parsed: the bodies of one client must not delay the requests of another.
 */
export type ChargeBody = (bytes: number) => Promise<void> | undefined

/** An app whose routes know their caller. */
export type AppWithCaller = ReturnType<typeof callerOfRequest>

/** What routes need to know of their callers. */
export interface Callers {
  /** Knows which streams belong to which client. */
  readonly owners: StreamOwners
  /** Limits how many requests callers may send. */
  readonly limits: ClientLimits
  /** Lets callers take turns, so that none makes the others wait. */
  readonly turns: FairTurns
  /** Lets few searches of each client run at a time. */
  readonly searches: SearchTurns
  /** The proxies whose word about a client's address is believed. */
  readonly proxies: TrustedProxies
  /** The server that listens; null before it listens. */
  readonly server: CallerOfRequestOptions["server"]
}

const ITEM_ID = new RegExp(ID)

/** The routes whose answers may take long to read, count or write. */
const LONG_ANSWERS: ReadonlySet<string> = new Set(
  [
    "/queue",
    "/queue/",
    "/queue/counts",
    "/queue/:id/updates",
    "/queue/:id/output",
    "/songs/:song_id/output",
    "/dashboard",
  ].map((path) => API + path),
)

/**
 * Checks the item of a path for a share link, which contains a token for one item. For such a token no other
 * item exists.
 * @throws AppError `not_found`
 */
function checkOwnItem(
  { item }: Pick<Caller, "item">,
  params: Readonly<Record<string, string | undefined>> | undefined,
): void {
  const id = params?.["id"]
  if (item === undefined || id === undefined || !ITEM_ID.test(id) || Number(id) === item) return
  throw unknownItem(id)
}

/** What the framework knows about a request whose route was matched. */
export interface Matched {
  /** The request. */
  readonly request: Request
  /** The path of the route, with the names of its parameters. */
  readonly route: string
  /** The parameters behind the path. */
  readonly query: Record<string, string | undefined>
  /** The parameters in the path; absent if the route has none. */
  readonly params?: Readonly<Record<string, string | undefined>> | undefined
}

/** The parts that decide which callers are let in. */
export interface CallerOfRequestOptions {
  /** Decides which callers are let in. */
  readonly authorizer: Authorizer
  /** Limits how many requests callers may send. */
  readonly limits: ClientLimits
  /** Lets callers take turns, so that none makes the others wait. */
  readonly turns: FairTurns
  /** The proxies whose word about a client's address is believed. */
  readonly proxies: TrustedProxies
  /** The address on which the server listens. */
  readonly host: string
  /** Refusals of `checks-before-routing`. A valid token or lease cancels them. */
  readonly refusals: WeakMap<Request, AppError>
  /** Counts refused callers, by reason. */
  readonly refused: RefusalCounts
  /** Whether the process can open hardly any more files. */
  readonly areDescriptorsFew: () => boolean
  /**
   * The server that listens; null before it listens. It is a function because the framework would otherwise
   * define it again for each request.
   */
  readonly server: () => Bun.Server<unknown> | null
}

/** Finds out where a request came from, when that is asked. */
function sources({ proxies, host, server }: CallerOfRequestOptions) {
  // Every client of such an address is on this machine, so no system call is needed for each request.
  const onlyPeer = isLoopback(host) ? "127.0.0.1" : undefined
  return (request: Request) => (): ClientAddress =>
    proxies.clientOf(onlyPeer ?? server()?.requestIP(request)?.address ?? "", request.headers)
}

/** The senders of requests that no route lets in: the path has no route, or the checks before routing refuse it. */
export interface UnknownSenders {
  /** The sender of a request. Only its address is known. */
  of(request: Request): Caller
  /**
   * Counts a request like any other.
   * @throws AppError `too_many_requests`
   */
  count(request: Request): void
}

/** The senders of requests that no route lets in. */
export function unknownSenders(options: CallerOfRequestOptions): UnknownSenders {
  const { authorizer, limits } = options
  const sourceOf = sources(options)
  const of = (request: Request): Caller => authorizer.unknownCaller(sourceOf(request))
  return { of, count: (request) => limits.ask(of(request), "") }
}

/** Lets a caller in, or throws. */
function admitting(options: CallerOfRequestOptions) {
  const { authorizer, limits, refusals, refused } = options
  const sourceOf = sources(options)
  return (matched: Matched): Caller => {
    const { request, params } = matched
    const from = sourceOf(request)
    const caller = entered({ limits, refused }, from, () => callerOf(authorizer, matched, from))
    const lease = leaseFor(matched)
    limits.ask(caller, lease)
    checkOwnItem(caller, params)
    const refusal = refusals.get(request)
    if (!refusal) return caller
    // A page of another site knows no token. The store checks whether a lease is valid, on the routes that
    // take one.
    if (caller.token && request.headers.has("authorization")) refusals.delete(request)
    else if (lease === "") throw countedRefusal(refused, refusal)
    return caller
  }
}

/**
 * Waits for the turn of a request, if it has to wait. If its client has left by then, the result is an answer that nobody
 * reads, instead of the work.
 */
function unlessGone(
  turn: Promise<void> | undefined,
  request: Request,
): Promise<Response | undefined> | undefined {
  if (!turn) return undefined
  const { signal } = request
  return turn.then(() => (signal.aborted ? new Response(null, { status: CLIENT_GONE }) : undefined))
}

const chargingFor =
  (caller: Caller, { limits, turns }: CallerOfRequestOptions): ChargeBody =>
  (bytes) => {
    const units = Math.floor(bytes / UNIT_BODY_BYTES)
    limits.chargeUnits(caller, units)
    return units > 0 ? turns.wait(caller.client) : undefined
  }

/**
 * Checks a caller that was let in before its body came: its token may have been revoked since. A lease needs none.
 * @throws AppError `unauthorized`
 */
function checkAfterBody(caller: Caller, matched: Pick<Matched, "request" | "query" | "route">): void {
  if (caller.ended?.aborted && leaseFor(matched) === "") throw noLongerIn(caller)
}

/**
 * Lets callers in or refuses them before anything else happens on an app. Its routes get the caller as `caller`.
 *
 * The needed right depends on the route that was matched, never on the text of the address.
 */
export function callerOfRequest(app: Elysia, options: CallerOfRequestOptions) {
  const { limits, turns } = options
  const admitted = admitting(options)
  const before = new WeakMap<Request, Caller>()
  const letIn = (matched: Matched): ChargeBody => {
    const caller = admitted(matched)
    before.set(matched.request, caller)
    return chargingFor(caller, options)
  }
  const withCaller = app
    .decorate("caller", EVERYBODY)
    // Routes that read a body call this first. If all routes had a parser of ours, it would also take the
    // body of those routes that read it themselves.
    .decorate("letIn", letIn)
    .decorate("inTime", bodyTimeLimit(options.areDescriptorsFew, options.refused))
    // The framework reads the text of each hook to find out what the hook needs. If a hook named the whole
    // context, the framework would parse the cookies of every request and copy its headers.
    .derive(({ request, query, params, route }) => {
      const early = before.get(request)
      if (early) checkAfterBody(early, { request, query, route })
      const caller = early ?? admitted({ request, query, params, route })
      turns.heard(caller.client)
      return { caller, askedMs: performance.now() }
    })
  // Writes of one tick share a commit, and cost little before it.
  withCaller.onBeforeHandle(({ request, caller, route }) => {
    if (!isReadMethod(request.method)) return undefined
    // Callers to whom no limit applies wait for long answers alone: a health check or a stream is not held up by them.
    const name = caller.client ?? (LONG_ANSWERS.has(route) ? UNLIMITED : undefined)
    // The framework waits for this only if its text is a return of a call.
    return unlessGone(turns.wait(name), request)
  })
  // A server without a fleet never waits here.
  if (limits.isShared) {
    withCaller.onBeforeHandle(async ({ request, query, route, caller }) => {
      await limits.askAll(caller, leaseFor({ request, query, route }))
    })
  }
  return withCaller
}

/** Counts a refusal of the checks before routing, by its reason: the host, or the origin. Returns it. */
export function countedRefusal(refused: RefusalCounts, refusal: AppError): AppError {
  refused.of(refusal.code === "forbidden" ? "origin" : "host").add()
  return refusal
}

/** The reason why the authorizer refuses, by the code of the refusal. */
const WHY: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthorized: "token",
  forbidden: "role",
  too_many_requests: "rate",
}

/**
 * The caller that was let in. A caller that is refused is counted by its address, and is limited like any
 * other.
 */
function entered(
  { limits, refused }: { readonly limits: ClientLimits; readonly refused: RefusalCounts },
  from: () => ClientAddress,
  enter: () => Caller,
): Caller {
  try {
    return enter()
  } catch (error) {
    const why = error instanceof AppError ? WHY[error.code] : undefined
    if (why !== undefined) refused.of(why).add()
    limits.ask({ role: "nobody", token: undefined, client: from().key, ended: undefined }, "")
    throw error
  }
}

/** The token of the lease that was sent to a worker's route; empty on any other route. */
const leaseFor = ({ request, query, route }: Pick<Matched, "request" | "query" | "route">): string =>
  needOf({ method: request.method, path: route }) === "report" ? (leaseOf(request, query) ?? "") : ""

/** @throws AppError the refusal of the authorizer */
function callerOf(
  authorizer: Authorizer,
  { request, route, query }: Matched,
  address: () => ClientAddress,
): Caller {
  const method = request.method === "HEAD" ? "GET" : request.method
  const need = needOf({ method, path: route })
  if (need === undefined) throw new AppError("forbidden", `no caller may use ${method} ${route}`)
  const ticket = query["ticket"]
  // The routes do not know tickets, and would refuse the key.
  if (ticket !== undefined) delete query["ticket"]
  let from: ClientAddress | undefined
  return authorizer.caller(
    {
      authorization: request.headers.get("authorization"),
      ticket,
      // Reading a header takes time, and only these routes may use a lease.
      hasLease: need === "report" && leaseOf(request, query) !== undefined,
      method,
      // Parsing an address costs every stream that opens a microsecond.
      path: ticket === undefined ? "" : pathAndQueryOf(request),
      from: () => (from ??= address()),
    },
    need,
  )
}
