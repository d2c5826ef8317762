import type { ErrorCode } from "../errors.ts"
import { isLoopback } from "../loopback.ts"

/** The parts of a request that decide whether it is accepted; null for a header that is absent. */
export interface Sender {
  /** The HTTP method in capitals. */
  readonly method: string
  /**
   * Whether it opens a WebSocket. This is checked like a change, because browsers let every page open a
   * WebSocket.
   */
  readonly isUpgrade: boolean
  /** The header Host. Bun joins several such headers with commas. */
  readonly host: string | null
  /** The header Origin: where the page that sends the request comes from. Only browsers send it. */
  readonly origin: string | null
  /** The header Sec-Fetch-Site: how that page is related to this server. */
  readonly fetchSite: string | null
  /** The header X-Forwarded-Proto: the scheme of the request to a proxy. No page can set it. */
  readonly forwardedProto: string | null
}

/** The settings that decide which requests are accepted. */
export interface Doors {
  /** Origins whose pages may change things, from `--cors-origin`. `*` allows none. */
  readonly origins: readonly string[]
  /**
   * Whether every page from this machine may change things: the server listens only on loopback, and no
   * origin is listed.
   */
  readonly isLocal: boolean
  /** Whether a host name belongs to this machine. The name has a dot and is in lower case. */
  readonly isOwnName: (name: string) => boolean
}

/** Why a request is not accepted. */
export interface NotTaken {
  /** `forbidden`: the origin. `misdirected`: the host name. `malformed_request`: several hosts. */
  readonly code: Extract<ErrorCode, "forbidden" | "misdirected" | "malformed_request">
  /** The sentence for people, with the flag that allows it. */
  readonly error: string
}

/** Whether a method only reads. For such a method only the host is checked. */
export const isReadMethod = (method: string): boolean =>
  method === "GET" || method === "HEAD" || method === "OPTIONS"

const HOST = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/
const OCTET = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)"
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)
/** An IPv6 address, possibly with the name of a network card after it, as some clients send it. */
const IPV6 = /^\[[0-9a-f:.]+(?:%[\w.-]+)?\]$/
const DOTLESS = /^[\w-]*$/
const BELOW_LOCALHOST = /^[\w.-]+\.localhost$/

/** The text, cut to a length that fits in a sentence. */
const cut = (text: string): string => text.slice(0, 200)

/**
 * DNS rebinding: an attacker lets a domain name of their own point to this server, so that the browser takes
 * the attacker's pages for ours. So the host must be a name that no attacker can own: an address,
 * `localhost`, a name without a dot, or one of this machine's names.
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
    error: `this server does not answer to the host name "${cut(name)}"; if it is its name, start it with --allowed-host ${cut(name)}`,
  }
}

/** Whether the origin is our own: the same scheme, host and port. */
function isOwn(url: URL, { host, fetchSite, forwardedProto }: Sender): boolean {
  // This server speaks plain HTTP, but a proxy in front of it may speak HTTPS.
  const isScheme = url.protocol === "http:" || fetchSite === "same-origin" || forwardedProto === "https"
  return isScheme && host !== null && URL.parse(`${url.protocol}//${host}`)?.host === url.host
}

/**
 * The values of Sec-Fetch-Site that no page of another site can send: no browser sent the request, or our own
 * page, or a person typed the address.
 */
const OWN_SITES: ReadonlySet<string | null> = new Set([null, "same-origin", "none"])

function refusedOrigin(sender: Sender, doors: Doors): NotTaken | undefined {
  const { method, isUpgrade, origin, fetchSite } = sender
  if (isReadMethod(method) && !isUpgrade) return undefined
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
  return refused(`pages of ${cut(origin)}`, cut(origin))
}

/**
 * Why a request is not accepted; undefined if it is accepted. A valid lease or token cancels the refusal.
 * `isKnownHost` says that the host was accepted before.
 */
export const notTaken = (sender: Sender, doors: Doors, isKnownHost = false): NotTaken | undefined =>
  (isKnownHost ? undefined : refusedHost(sender.host, doors)) ?? refusedOrigin(sender, doors)
