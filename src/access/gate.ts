import { AppError } from "../errors.ts"
import type { Role, TokenRow } from "../store/access.ts"
import { Buckets } from "./bucket.ts"
import { allow, type Need, type Rights } from "./roles.ts"
import type { Tickets } from "./tickets.ts"
import type { Tokens } from "./tokens.ts"

/** Failed tokens of one address: 30 at once, then one a minute. */
const FAILURES = { perSecond: 1 / 60, burst: 30 }

/** What a request brings to be let in. */
export interface Credentials {
  /** The header `Authorization` as it was sent; null when there is none. */
  readonly authorization: string | null
  /** The value of `?ticket=`; undefined when there is none. */
  readonly ticket: string | undefined
  /** Whether a lease was sent; whether it is good, the store knows. */
  readonly hasLease: boolean
  /** `GET` for a HEAD, too. */
  readonly method: string
  /** The path with its query, as it was sent. */
  readonly path: string
  /** Where the request came from. */
  readonly from: () => { readonly key: string; readonly isLocal: boolean }
}

/** Who makes a request, and what it may do. */
export interface Caller extends Rights {
  /** The token that was sent, or that the ticket stands in for; undefined on a server without tokens, and for a lease. */
  readonly token: TokenRow | undefined
  /** What stands for the caller where clients are counted; undefined for one that no limit applies to. */
  readonly client: string | undefined
  /** Aborts when the token is revoked or expires; undefined without a token. */
  readonly ended: AbortSignal | undefined
}

/** How the gate is set up. */
export interface GateOptions {
  /** Whether everybody may do everything, from anywhere, as long as no token was ever created. */
  readonly isOpen: boolean
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs: () => number
}

const unauthorized = (message: string): AppError => new AppError("unauthorized", message)

/** Decides who a caller is, and whether it may use a route. */
export class Gate {
  readonly #tokens: Tokens
  readonly #tickets: Tickets
  readonly #options: GateOptions
  readonly #failures = new Buckets(FAILURES)
  readonly #ended = new Map<number, AbortController>()
  readonly #unlisten: () => void

  constructor(tokens: Tokens, tickets: Tickets, options: GateOptions) {
    this.#tokens = tokens
    this.#tickets = tickets
    this.#options = options
    this.#unlisten = tokens.listen((ids) => this.#end(ids))
  }

  /** Lets go of the tokens. */
  close(): void {
    this.#unlisten()
  }

  /**
   * The caller of a route that needs this.
   * @throws AppError `unauthorized` without a good token, ticket or lease; `too_many_requests` after too many bad ones;
   * `forbidden` where the role does not suffice, or an unprotected server is asked through a proxy
   */
  caller(credentials: Credentials, need: Need): Caller {
    if (!this.#tokens.existed) return this.#unprotected(credentials, need)
    const token = this.#tokenOf(credentials)
    if (token) {
      const caller = this.#callerWith(token, credentials)
      allow(caller, need)
      return caller
    }
    const { key, isLocal } = credentials.from()
    const nobody = { role: "nobody", isLocal, token: undefined, client: key, ended: undefined } as const
    if (need !== "report" || !credentials.hasLease) allow(nobody, need)
    return nobody
  }

  #unprotected({ from }: Credentials, need: Need): Caller {
    const { isLocal, key } = from()
    if (isLocal || this.#options.isOpen || need === "nothing") {
      const client = isLocal ? undefined : key
      return { role: "admin", isLocal, token: undefined, client, ended: undefined }
    }
    throw new AppError(
      "forbidden",
      "this server has no tokens and serves this machine alone, and the request came through a proxy or from elsewhere; create a token with track-studio token create, or start the server with --open",
    )
  }

  #tokenOf({ authorization, ticket, method, path, from }: Credentials): TokenRow | undefined {
    if (authorization === null && ticket === undefined) return undefined
    const [, secret] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? []
    const token =
      authorization === null
        ? this.#tickets.find(ticket ?? "", { method, path })
        : this.#tokens.find(secret ?? "")
    if (token) return token
    const waitMs = this.#failures.take(from().key, 1, this.#options.steadyMs())
    if (waitMs > 0) {
      throw new AppError("too_many_requests", "too many bad tokens came from this address; try again later", {
        retryAfterMs: waitMs,
      })
    }
    throw unauthorized(
      authorization === null
        ? "the ticket is unknown, has ended, or is for another path; get a new one by POST /api/v1/tickets"
        : "the token is unknown, was revoked, or has expired; send Authorization: Bearer and a token that is in force",
    )
  }

  #callerWith(token: TokenRow, { from }: Credentials): Caller {
    this.#tokens.use(token)
    let ended = this.#ended.get(token.id)
    if (!ended) this.#ended.set(token.id, (ended = new AbortController()))
    return {
      role: token.role,
      item: token.item ?? undefined,
      // Only a viewer's right to operations rests on it, and finding it out costs a system call.
      get isLocal() {
        return from().isLocal
      },
      token,
      client: `token ${token.id}`,
      ended: ended.signal,
    }
  }

  #end(ids: ReadonlySet<number>): void {
    for (const id of ids) {
      this.#ended.get(id)?.abort()
      this.#ended.delete(id)
    }
  }
}

/** A caller that may do everything: what a server without tokens takes everybody for, and tests use. */
export const everybody = (role: Role = "admin"): Caller => ({
  role,
  isLocal: true,
  token: undefined,
  client: undefined,
  ended: undefined,
})
