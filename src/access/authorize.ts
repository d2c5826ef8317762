import { AppError } from "../errors.ts"
import type { TokenRow } from "../store/contract/access.ts"
import { RateLimit } from "./rate-limit.ts"
import { checkAllowed, isAllowed, type Need, type Rights } from "./roles.ts"
import type { Tickets } from "./tickets.ts"
import type { Tokens } from "./tokens.ts"

/** How long a caller waits that is refused because the database does not answer. */
const RETRY_MS = 1000

/** How many headers are remembered with their secrets. */
const MOST_HEADERS = 1000

/** The parts of a request that decide whether it is let in. */
export interface Credentials {
  /** The header `Authorization` as it was sent; null if there is none. */
  readonly authorization: string | null
  /** The value of `?ticket=`; undefined if there is none. */
  readonly ticket: string | undefined
  /** Whether a lease was sent. Only the store knows whether it is valid. */
  readonly hasLease: boolean
  /** The HTTP method; `GET` also for a HEAD request. */
  readonly method: string
  /** The path with its query, as it was sent; needed only for a ticket. */
  readonly path: string
  /** Where the request came from. */
  readonly from: () => { readonly key: string; readonly isLocal: boolean }
}

/** The caller of a request, and what it may do. */
export interface Caller extends Rights {
  /**
   * The token that was sent, or for which the ticket stands; undefined on a server without tokens, and for a
   * lease.
   */
  readonly token: TokenRow | undefined
  /** The key under which the caller's requests are counted; undefined if no limit applies to it. */
  readonly client: string | undefined
  /**
   * Aborts when the token is revoked or expires. For a caller of a server without tokens it aborts when the
   * first token is created. Undefined for a lease.
   */
  readonly ended: AbortSignal | undefined
}

/** How the authorizer is set up. */
export interface AuthorizerOptions {
  /** Whether everybody may do everything, from anywhere, until a first token is created. */
  readonly isOpen: boolean
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs: () => number
}

/**
 * A caller that may do everything, without a limit. On a server without tokens every caller on its machine
 * counts as this one.
 */
export const EVERYBODY: Caller = { role: "admin", token: undefined, client: undefined, ended: undefined }

/** A caller without a valid token. */
const nobody = (client: string): Caller => ({ role: "nobody", token: undefined, client, ended: undefined })

const unknownTokens = (): AppError =>
  new AppError(
    "unavailable",
    "this server cannot read its database, so it does not know whether the token was revoked; nothing was changed",
    { retryAfterMs: RETRY_MS },
  )

/** The secret in a header `Authorization: Bearer`; empty for any other header. */
const secretIn = (authorization: string): string => /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? ""

/** Whether a comma stands in a header with a bearer token. Bun joins several headers with commas, and no token has one. */
const hasComma = (authorization: string): boolean => /^Bearer[^,]*,|, *Bearer /i.test(authorization)

/**
 * How many bad tokens and tickets one address may send, so that none can be guessed: 30 at once, then one per minute.
 */
const FAILURES = { perSecond: 1 / 60, burst: 30 }

/** Decides which caller sent a request, and whether it may use a route. */
export class Authorizer {
  readonly #tokens: Tokens
  readonly #tickets: Tickets
  readonly #options: AuthorizerOptions
  readonly #failures = new RateLimit(FAILURES)
  /** The secrets of headers that were read before, by the header as it was sent. */
  readonly #secrets = new Map<string, string>()
  /** Aborts when there is a token, which ends everything that callers without a token have open. */
  #protection = new AbortController()
  /** The callers of this machine while there is no token. */
  #everybody: Caller = { ...EVERYBODY, ended: this.#protection.signal }
  readonly #callers = new Map<number, { readonly caller: Caller; readonly ended: AbortController }>()

  constructor(tokens: Tokens, tickets: Tickets, options: AuthorizerOptions) {
    this.#tokens = tokens
    this.#tickets = tickets
    this.#options = options
    tokens.listen((ids) => this.#end(ids))
  }

  /**
   * The caller of a route that needs this right. @throws AppError `unauthorized` without a valid token, ticket or
   * lease; `too_many_requests` after too many bad ones; `forbidden` if the role lacks the right, or if a request to a
   * server without tokens came through a proxy; `unavailable` if the database, which could have revoked the token, has
   * not answered for some seconds
   */
  caller(credentials: Credentials, need: Need): Caller {
    if (!this.#tokens.existed) return this.#unprotected(credentials, need)
    const isLeased = need === "report" && credentials.hasLease
    // A token that was revoked or has expired must not end a running render: its lease decides.
    const token = this.#tokenOf(credentials, isLeased)
    const caller = token ? this.#callerWith(token) : nobody(credentials.from().key)
    const isLocal = (): boolean => credentials.from().isLocal
    // A lease needs no token, so a token with fewer rights must not restrict it.
    if (isLeased && !isAllowed(caller, need, isLocal)) return nobody(credentials.from().key)
    checkAllowed(caller, need, isLocal)
    // A lease decides for itself, and who keeps the server running must see what is wrong with it.
    const mayBeOld = isLeased || need === "nothing" || need === "operations"
    if (!mayBeOld && !this.#tokens.areKnown) throw unknownTokens()
    return caller
  }

  /** The caller for whom a request counts if only its address is known. */
  unknownCaller(from: Credentials["from"]): Caller {
    const { isLocal, key } = from()
    if (!this.#tokens.existed && isLocal) return this.#everybody
    return nobody(key)
  }

  #unprotected({ from }: Credentials, need: Need): Caller {
    const { isLocal, key } = from()
    if (isLocal) return this.#everybody
    if (this.#options.isOpen) return { ...this.#everybody, client: key }
    // Such a route may answer with more if the caller has rights.
    if (need === "nothing") return nobody(key)
    throw new AppError(
      "forbidden",
      "this server has no tokens, so it serves this machine alone, but the request came through a proxy or from another machine; create a token with track-studio token create, or start the server with --open",
    )
  }

  #tokenOf(
    { authorization, ticket, method, path, from }: Credentials,
    isLeased: boolean,
  ): TokenRow | undefined {
    if (authorization === null && ticket === undefined) return undefined
    const token =
      authorization === null
        ? this.#tickets.find(ticket ?? "", { method, path })
        : this.#bearer(authorization)
    if (token || isLeased) return token
    this.#noteFailure(from().key)
    throw new AppError(
      "unauthorized",
      authorization === null
        ? "the ticket is unknown, has ended, or is for another path; get a new one by POST /api/v1/tickets"
        : hasComma(authorization)
          ? "the header Authorization has a comma, as if it was sent several times, so no token in it counts; send it once, with a token alone, and look whether a proxy adds another"
          : "the token is unknown, was revoked, or has expired; send a valid one as Authorization: Bearer, or give it to a command by TRACK_STUDIO_TOKEN or --token-file",
    )
  }

  /** Notes a bad token or ticket. @throws AppError `too_many_requests` after too many from this address */
  #noteFailure(address: string): void {
    const waitMs = this.#failures.take(address, 1, this.#options.steadyMs())
    if (waitMs === 0) return
    throw new AppError("too_many_requests", "too many bad tokens came from this address; try again later", {
      retryAfterMs: waitMs,
    })
  }

  /**
   * The valid token in a header. Parsing the header costs as much as all other checks, so the result is
   * remembered.
   */
  #bearer(authorization: string): TokenRow | undefined {
    const known = this.#secrets.get(authorization)
    if (known !== undefined) return this.#tokens.find(known)
    const secret = secretIn(authorization)
    const token = this.#tokens.find(secret)
    if (!token) return undefined
    if (this.#secrets.size >= MOST_HEADERS) this.#secrets.clear()
    this.#secrets.set(authorization, secret)
    return token
  }

  /** All requests with a token share one object, which each of its streams keeps. */
  #callerWith(token: TokenRow): Caller {
    this.#tokens.use(token)
    const known = this.#callers.get(token.id)
    if (known) return known.caller
    const ended = new AbortController()
    const client = `token ${token.id}`
    const caller = { role: token.role, item: token.item ?? undefined, token, client, ended: ended.signal }
    this.#callers.set(token.id, { caller, ended })
    return caller
  }

  #end(ids: ReadonlySet<number>): void {
    this.#protection.abort()
    // If a database goes back to a time before its first token, streams can be opened without one again.
    this.#protection = new AbortController()
    this.#everybody = { ...EVERYBODY, ended: this.#protection.signal }
    for (const id of ids) {
      this.#callers.get(id)?.ended.abort()
      this.#callers.delete(id)
    }
  }
}
