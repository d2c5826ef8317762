import type { ErrorCode } from "../errors.ts"

/** The parts of a request that decide whether it is accepted; null for a header that is absent. */
export interface Sender {
  /** The HTTP method in capitals. */
  readonly method: string
  /**
   * Whether it opens a WebSocket. That is guarded like a change, because browsers let every page open one.
   */
  readonly isUpgrade: boolean
  /** The header Host. Bun joins several with commas. */
  readonly host: string | null
  /** The header Origin: where the page that sends the request comes from. Only browsers send it. */
  readonly origin: string | null
  /** The header Sec-Fetch-Site: how that page is related to this server. */
  readonly fetchSite: string | null
  /** The header X-Forwarded-Proto: the scheme of the request to a proxy. No page can set it. */
  readonly forwardedProto: string | null
}

/** The settings by which requests are accepted. */
export interface Doors {
  /** Origins whose pages may change things, from `--cors-origin`. `*` allows none. */
  readonly origins: readonly string[]
  /**
   * Whether every page of this machine may change things: the server is bound to loopback, and no origin is
   * listed.
   */
  readonly isLocal: boolean
  /** Whether a host name is one of this machine's. The name has a dot and is in lower case. */
  readonly isOwnName: (name: string) => boolean
}

/** Why a request is not accepted. */
export interface NotTaken {
  /** `forbidden`: the origin. `misdirected`: the host name. `malformed_request`: several hosts. */
  readonly code: Extract<ErrorCode, "forbidden" | "misdirected" | "malformed_request">
  /** The sentence for people, with the flag that allows it. */
  readonly error: string
}

/** Whether a method only reads; then the host alone decides. */
export const isRead = (method: string): boolean =>
  method === "GET" || method === "HEAD" || method === "OPTIONS"

const HOST = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/
const OCTET = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)"
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)
/** With the name of a network card after it, as some clients send. */
const IPV6 = /^\[[0-9a-f:.]+(?:%[\w.-]+)?\]$/
const DOTLESS = /^[\w-]*$/
const BELOW_LOCALHOST = /^[\w.-]+\.localhost$/

/** Whether a host is a loopback address or name, which only this machine can reach. */
export const isLoopback = (host: string): boolean =>
  host === "127.0.0.1" || /^(?:127(?:\.\d{1,3}){3}|\[?::1\]?|(?:.+\.)?localhost)$/.test(host.toLowerCase())

/** The text, cut to a length that fits in a sentence. */
const shown = (text: string): string => text.slice(0, 200)

/**
 * DNS rebinding: a stranger lets a domain name of their own point to this server, so that the browser takes
 * its pages for ours. So the host must be one that no stranger can own: an address, `localhost`, a name
 * without a dot, or one of this machine's names.
 */
function refusedHost(host: string | null, doors: Doors): NotTaken | undefined {
  if (host === null) return undefined
  if (host.includes(","))
    return { code: "malformed_request", error: "a request must have one Host, not several" }
  const name = (HOST.exec(host)?.[1] ?? host).toLowerCase().replace(/\.$/, "")
  if ([DOTLESS, IPV4, IPV6, BELOW_LOCALHOST].some((form) => form.test(name))) return undefined
  if (doors.isOwnName(name)) return undefined
  return {
    code: "misdirected",
    error: `this server does not answer to the host name "${shown(name)}"; if it is its name, start it with --allowed-host ${shown(name)}`,
  }
}

/** Whether the origin is our own: the same scheme, host and port. */
function isOwn(url: URL, { host, fetchSite, forwardedProto }: Sender): boolean {
  // This server speaks plain HTTP, but a proxy in front of it may speak HTTPS.
  const isScheme = url.protocol === "http:" || fetchSite === "same-origin" || forwardedProto === "https"
  return isScheme && host !== null && URL.parse(`${url.protocol}//${host}`)?.host === url.host
}

/**
 * How requests are marked that no other site's page sends: by no browser, by our own page, or by something
 * that a person typed.
 */
const OWN_SITES: ReadonlySet<string | null> = new Set([null, "same-origin", "none"])

function refusedOrigin(sender: Sender, doors: Doors): NotTaken | undefined {
  const { method, isUpgrade, origin, fetchSite } = sender
  if (isRead(method) && !isUpgrade) return undefined
  const refused = (who: string, flag: string): NotTaken => ({
    code: "forbidden",
    error: `${who} may not ${isUpgrade ? "open a WebSocket" : "change anything"} here; if they should, start the server with --cors-origin ${flag}`,
  })
  if (origin === null) {
    return !OWN_SITES.has(fetchSite) ? refused("pages of other sites", "and their origin") : undefined
  }
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin || origin === "null") {
    return refused("pages without an origin of their own", "and an origin that they have")
  }
  if (isOwn(url, sender) || doors.origins.includes(origin)) return undefined
  if (doors.isLocal && isLoopback(url.hostname)) return undefined
  return refused(`pages of ${shown(origin)}`, shown(origin))
}

/**
 * Why a request is not accepted; undefined if it is. A valid lease or token overrules it. `isKnownHost`: the host was
 * accepted before.
 */
export const notTaken = (sender: Sender, doors: Doors, isKnownHost = false): NotTaken | undefined =>
  (isKnownHost ? undefined : refusedHost(sender.host, doors)) ?? refusedOrigin(sender, doors)
