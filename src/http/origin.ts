import type { ErrorCode } from "../errors.ts"

/** What of a request decides whether its sender may do what it asks; null for a header that is absent. */
export interface Caller {
  /** The HTTP method in capitals. */
  readonly method: string
  /** Whether a WebSocket is asked for: that is guarded like a change, because browsers guard it by nothing. */
  readonly isUpgrade: boolean
  /** The header Host; several in one, separated by commas. */
  readonly host: string | null
  /** The header Origin: the page that sends the request, where a browser says so. */
  readonly origin: string | null
  /** The header Sec-Fetch-Site: how that page is related to this server. */
  readonly fetchSite: string | null
  /** The header X-Forwarded-Proto: the scheme that a proxy was asked with. No page can set it. */
  readonly forwardedProto: string | null
}

/** Whose requests are taken. */
export interface Doors {
  /** Origins whose pages may change things, as `--cors-origin` lists them; `*` is none. */
  readonly origins: readonly string[]
  /** Whether every page of this machine may change things: nobody else reaches the server, and none are listed. */
  readonly isLocal: boolean
  /** Whether this machine goes by the host name, which has a dot and is in lower case. */
  readonly isOwnName: (name: string) => boolean
}

/** Why a request is not taken. */
export interface NotTaken {
  /** `forbidden` for its origin, `misdirected` for its host, `malformed_request` for what is no host at all. */
  readonly code: Extract<ErrorCode, "forbidden" | "misdirected" | "malformed_request">
  /** The sentence for people, with the flag that allows it. */
  readonly error: string
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])
const HOST = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/

/** Whether a host is this machine's loopback. */
export const isLoopback = (host: string): boolean =>
  /^(?:127(?:\.\d{1,3}){3}|\[?::1\]?|(?:.+\.)?localhost)$/.test(host.toLowerCase())

/** Quoted, and short enough for a sentence. */
const shown = (text: string): string => text.slice(0, 200)

/**
 * A page of a stranger can reach this server under a name of its own that it lets point here. So a name must be one
 * that nobody else can own: an address, `localhost`, a name without a dot, or one of this machine's.
 */
function refusedHost(host: string | null, doors: Doors): NotTaken | undefined {
  if (host === null) return undefined
  if (host.includes(","))
    return { code: "malformed_request", error: "a request must have one Host, not several" }
  const name = (HOST.exec(host)?.[1] ?? host).toLowerCase().replace(/\.$/, "")
  if (!name.includes(".") || name.startsWith("[") || IPV4.test(name)) return undefined
  if (name.endsWith(".localhost") || doors.isOwnName(name)) return undefined
  return {
    code: "misdirected",
    error: `this server does not answer to the host name "${shown(name)}"; if it is its name, start it with --allowed-host ${shown(name)}`,
  }
}

/** Whether the origin is that of our own pages: the same scheme, host and port. */
function isOwn(url: URL, { host, fetchSite, forwardedProto }: Caller): boolean {
  // We speak plain HTTP; a proxy before us may not.
  const isScheme = url.protocol === "http:" || fetchSite === "same-origin" || forwardedProto === "https"
  return isScheme && host !== null && URL.parse(`${url.protocol}//${host}`)?.host === url.host
}

function refusedOrigin(caller: Caller, doors: Doors): NotTaken | undefined {
  const { method, isUpgrade, origin, fetchSite } = caller
  if (SAFE_METHODS.has(method) && !isUpgrade) return undefined
  const refused = (who: string, flag: string): NotTaken => ({
    code: "forbidden",
    error: `${who} may not ${isUpgrade ? "open a WebSocket" : "change anything"} here; if they should, start the server with --cors-origin ${flag}`,
  })
  if (origin === null) {
    const isForeign = fetchSite === "cross-site" || fetchSite === "same-site"
    return isForeign ? refused("pages of other sites", "and their origin") : undefined
  }
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin || origin === "null") {
    return refused("pages without an origin of their own", "and an origin that they have")
  }
  if (isOwn(url, caller) || doors.origins.includes(origin)) return undefined
  if (doors.isLocal && isLoopback(url.hostname)) return undefined
  return refused(`pages of ${shown(origin)}`, shown(origin))
}

/** Why a request is not taken; undefined if it is. (A valid lease outweighs it.) */
export const notTaken = (caller: Caller, doors: Doors): NotTaken | undefined =>
  refusedHost(caller.host, doors) ?? refusedOrigin(caller, doors)
