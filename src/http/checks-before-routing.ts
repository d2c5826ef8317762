import { Elysia } from "elysia"

import { AppError } from "../errors.ts"
import { isLoopback } from "../loopback.ts"
import { fewDescriptors } from "./body-time-limit.ts"
import { countedRefusal } from "./caller-of-request.ts"
import type { RouteOfApp } from "./docs/describe.ts"
import { type Doors, isReadMethod, notTaken, type Sender } from "./host-and-origin.ts"
import { ownNames } from "./machine-host-names.ts"
import { isAt, pathOf, queryOf } from "./paths.ts"
import type { RefusalCounts } from "./request-counts.ts"

/** What decides which pages and host names are accepted. */
export interface RoutingCheckOptions {
  /** The address on which the server listens. */
  readonly host: string
  /**
   * Origins whose pages may send requests. If the list is empty, every page may read, and only local pages
   * may change things.
   */
  readonly corsOrigins: readonly string[]
  /** Further host names by which the server may be called, in lower case. */
  readonly allowedHosts: readonly string[]
  /** Whether the process can open hardly any more files. */
  readonly areDescriptorsFew: () => boolean
}

function doorsOf({ host, corsOrigins, allowedHosts }: RoutingCheckOptions): Doors {
  let names: ReadonlySet<string> | undefined
  return {
    origins: corsOrigins,
    isLocal: corsOrigins.length === 0 && isLoopback(host),
    isOwnName: (name) => allowedHosts.includes(name) || (names ??= ownNames()).has(name),
  }
}

/** Whether a request asks for a WebSocket. */
export const asksForWebSocket = ({ headers }: Request): boolean =>
  headers.get("upgrade")?.toLowerCase() === "websocket"

function senderOf(request: Request): Sender {
  const { method, headers } = request
  const isUpgrade = method === "GET" && asksForWebSocket(request)
  // Reading headers takes most of the time here, and thousands of streams may open at once.
  const isHostAlone = isReadMethod(method) && !isUpgrade
  const header = (name: string): string | null => (isHostAlone ? null : headers.get(name))
  const [origin, fetchSite] = [header("origin"), header("sec-fetch-site")]
  const forwardedProto = header("x-forwarded-proto")
  return { method, isUpgrade, host: headers.get("host"), origin, fetchSite, forwardedProto }
}

const propertiesOf = (schema: unknown): string[] =>
  typeof schema === "object" && schema !== null && "properties" in schema
    ? Object.keys(schema.properties ?? {})
    : []

/** Whether the request sends a lease token to a route that checks the token first. */
function showsLease(request: Request, routes: readonly RouteOfApp[]): boolean {
  const token = request.headers.get("lease") || new URLSearchParams(queryOf(request)).get("lease")
  if (!token) return false
  const path = pathOf(request)
  return routes.some((route) => isAt(route, path) && propertiesOf(route.hooks.query).includes("lease"))
}

/** @throws AppError `invalid` if the query gives a known parameter twice */
function refuseTwice(request: Request, routes: readonly RouteOfApp[]): void {
  const query = queryOf(request)
  if (!query.includes("&")) return
  // Nothing is known of the sender yet, so a very long query must cost no more than its length.
  const seen = new Set<string>()
  const twice = new URLSearchParams(query).keys().find((name) => {
    const isSeen = seen.has(name)
    seen.add(name)
    return isSeen
  })
  if (twice === undefined) return
  // Every route takes a ticket, but no route names it.
  if (twice !== "ticket" && !routes.some(({ hooks }) => propertiesOf(hooks.query).includes(twice))) return
  throw new AppError("invalid", `the query has "${twice.slice(0, 60)}" twice; give it once`)
}

/** @throws AppError `unsupported_media_type` if the body is compressed */
function refuseEncoded({ headers }: Request): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase()
  if (encoding === undefined || encoding === "" || encoding === "identity") return
  throw new AppError(
    "unsupported_media_type",
    `the body must not be encoded: send it without content-encoding, not as ${encoding.slice(0, 60)}`,
  )
}

/**
 * Requests that are answered even if few descriptors are left: the health of the server, and reports of
 * running renders.
 */
const isSpared = (request: Request, routes: readonly RouteOfApp[]): boolean =>
  /^(?:\/api\/v1)?\/(?:health|metrics)\b/.test(pathOf(request)) || showsLease(request, routes)

/**
 * Runs before all routes. It refuses requests from pages of other sites, and requests that can be understood
 * in two ways. A refused request that has a lease or a token goes on for now, and its refusal is put into
 * `refusals`: the refusal holds if the lease or the token is invalid. `count` counts a request that is refused at
 * once, because it reaches no route that would count it.
 * @throws AppError `forbidden`, `misdirected`, `malformed_request`, `invalid`, `unsupported_media_type`,
 * `unavailable` if few descriptors are left
 */
export function checksBeforeRouting(
  options: RoutingCheckOptions,
  routes: () => readonly RouteOfApp[],
  refusals: WeakMap<Request, AppError>,
  refused: RefusalCounts,
  count: (request: Request) => void,
) {
  const doors = doorsOf(options)
  // Nearly all requests name the same host, so the last good one is remembered.
  let acceptedHost: string | null = null
  const check = (request: Request): void => {
    const sender = senderOf(request)
    const notAccepted = notTaken(sender, doors, sender.host === acceptedHost)
    if (!notAccepted) acceptedHost = sender.host
    else {
      const error = new AppError(notAccepted.code, notAccepted.error)
      if (!request.headers.has("authorization") && !showsLease(request, routes()))
        throw countedRefusal(refused, error)
      refusals.set(request, error)
    }
    refuseTwice(request, routes())
    refuseEncoded(request)
  }
  return new Elysia({ name: "checks before routing" }).onRequest(({ request, set }) => {
    if (options.areDescriptorsFew() && !isSpared(request, routes())) {
      // Few connections are left, so this one is closed.
      set.headers["connection"] = "close"
      throw fewDescriptors(refused)
    }
    try {
      check(request)
    } catch (error) {
      count(request)
      throw error
    }
  })
}
