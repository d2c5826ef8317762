import { AppError } from "../errors.ts"
import type { Access, TicketRow, TokenRow } from "../store/contract/access.ts"
import { isAllowed } from "./roles.ts"
import type { Tokens } from "./tokens.ts"

/** A ticket must be used for the first time within this time. */
const FIRST_USE_MS = 60_000
/** How many tickets one token may have at the same time. */
const MOST = 1000
/** The longest path for which a ticket is given. */
const MOST_PATH = 1024
/** Tickets that have ended are forgotten at most this often. */
const SEARCH_EVERY_MS = 1000
/** How long a ticket can be used for reconnects. */
const LIFE_MS = 12 * 60 * 60_000
const TICKET = /^tst_[A-Za-z0-9_-]{43}$/
const INGEST = /^\/api\/v1\/queue\/[1-9]\d{0,15}\/ingest\/[a-z]+($|\?)/
const READ = /^\/api\/v1\/[\x21-\x7e]*$/
/** Parameters that a client adds when it reconnects, or to avoid caches. A ticket does not cover them. */
const INCIDENTAL = /^(ticket|t|ts|cb|_.*|last_event_id|lastEventId|Last-Event-ID)$/

/** The parts of a request that a ticket covers. */
export interface TicketUse {
  /** `GET` or `POST`. */
  readonly method: string
  /** The path with its query, as the client sent it. */
  readonly path: string
}

/** What the tickets need from outside. */
export interface TicketsOptions {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** SHA-256 of a text, in hex. */
  readonly digest: (text: string) => string
  /** 32 random bytes in base64url. */
  readonly random: () => string
  /** Receives errors of storing a first use. */
  readonly onError: (error: unknown) => void
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * The path with its query, without parameters that clients add by themselves. The order of the others is
 * kept.
 */
function pathOfTicket(path: string): string {
  const at = path.indexOf("?")
  const [before, query] = at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at + 1)]
  const isKept = (part: string): boolean =>
    part !== "" && !INCIDENTAL.test(decoded(part.split("=", 1)[0] ?? ""))
  const kept = query.split("&").filter(isKept)
  return kept.length === 0 ? before : `${before}?${kept.join("&")}`
}

/**
 * Whether a ticket has ended, or was not used in time. A ticket that would last longer than any ticket can
 * was given out while the clock was ahead, so it has ended.
 */
function hasEnded({ expires_at, used_at, use_by }: TicketRow, nowMs: number): boolean {
  const leftMs = Date.parse(expires_at) - nowMs
  return leftMs <= 0 || leftMs > 2 * LIFE_MS || (used_at === null && Date.parse(use_by) <= nowMs)
}

/**
 * Tickets stand for a token where no header can be sent (EventSource, a browser's WebSocket, `<video>`,
 * `ffmpeg -progress URL`). A ticket is for one path with its query. It must be used for the first time within
 * a minute, lasts at most 12 hours, and ends with its token. Tickets are stored, so that clients can come
 * back after a restart of the server, and kept in memory, so that no request waits for a read.
 */
export class Tickets {
  readonly #store: Access
  readonly #tokens: Tokens
  readonly #options: TicketsOptions
  readonly #known = new Map<string, TicketRow>()
  /** Tickets whose first use is not stored, because the database was unavailable. The next use stores it. */
  readonly #unstored = new WeakSet<TicketRow>()
  /** When the tickets were last searched for those that have ended, in epoch milliseconds. */
  #searchedMs = Number.NEGATIVE_INFINITY

  constructor(store: Access, tokens: Tokens, options: TicketsOptions) {
    this.#store = store
    this.#tokens = tokens
    this.#options = options
  }

  /** Reads the tickets that a former server gave out. Call it before the first `find`. */
  async load(): Promise<void> {
    for (const row of await this.#store.tickets()) this.#known.set(row.hash, row)
  }

  /**
   * Gives out a ticket: for a GET path of the API, or for an `ingest` path if the token's role may report.
   * @throws AppError `invalid` for another path, `too_many_requests` if the token has as many as it may
   */
  async create(
    token: TokenRow,
    path: string,
  ): Promise<{ readonly ticket: string; readonly expires_at: string }> {
    const method = INGEST.test(path) ? "POST" : "GET"
    this.#check(token, method, path)
    const { now, digest, random } = this.#options
    const ticket = `tst_${random()}`
    const lastMs = token.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(token.expires_at)
    const row = {
      hash: digest(ticket),
      token_id: token.id,
      method,
      path: pathOfTicket(path),
      use_by: new Date(now() + FIRST_USE_MS).toISOString(),
      expires_at: new Date(Math.min(now() + LIFE_MS, lastMs)).toISOString(),
    }
    await this.#store.addTicket(row)
    this.#known.set(row.hash, { ...row, used_at: null })
    return { ticket, expires_at: row.expires_at }
  }

  /** Whether other servers give out tickets as well. Then `learn` must be called before `find`. */
  get isShared(): boolean {
    return this.#store.isShared
  }

  /**
   * Reads a ticket that this server has not given out, or that another one may have used first. Before it reads, it
   * calls `count`, which may throw.
   */
  async learn(ticket: string, count: () => void): Promise<void> {
    if (!TICKET.test(ticket)) return
    const hash = this.#options.digest(ticket)
    const known = this.#known.get(hash)
    if (known && (known.used_at !== null || Date.parse(known.use_by) > this.#options.now())) return
    count()
    const row = await this.#store.ticket(hash)
    // Perhaps clients get all of their tickets from other servers.
    this.#forgetEnded()
    if (row) this.#known.set(hash, row)
  }

  /** The valid token for which this ticket stands, if the ticket is valid for this request. */
  find(ticket: string, { method, path }: TicketUse): TokenRow | undefined {
    if (!TICKET.test(ticket)) return undefined
    const row = this.#known.get(this.#options.digest(ticket))
    if (!row || row.method !== method || row.path !== pathOfTicket(path)) return undefined
    const nowMs = this.#options.now()
    if (hasEnded(row, nowMs)) return undefined
    const token = this.#tokens.byId(row.token_id)
    const used = row.used_at === null ? { ...row, used_at: new Date(nowMs).toISOString() } : row
    if (token && (used !== row || this.#unstored.delete(used))) {
      this.#known.set(row.hash, used)
      this.#store.useTicket(row.hash).catch((error: unknown) => {
        this.#unstored.add(used)
        this.#options.onError(error)
      })
    }
    return token
  }

  /** @throws AppError `invalid`, `too_many_requests` */
  #check({ id, role, item }: TokenRow, method: "GET" | "POST", path: string): void {
    const isRefused = method === "POST" && !isAllowed({ role, item: item ?? undefined }, "report")
    if (!READ.test(path) || path.length > MOST_PATH || path.includes("#") || isRefused) {
      throw new AppError(
        "invalid",
        "path must be a path of the API with its query, such as /api/v1/progress/stream/7; an ingest path needs the role worker",
      )
    }
    this.#forgetEnded()
    const own = [...this.#known.values()].filter(({ token_id }) => token_id === id)
    // Those that have ended since the last search do not count: a client that waits as long as we say gets its ticket.
    if (own.length < MOST || own.filter((row) => !hasEnded(row, this.#options.now())).length < MOST) return
    const message = `this token has ${MOST} tickets, which is the limit; use one of them`
    throw new AppError("too_many_requests", message, { retryAfterMs: FIRST_USE_MS })
  }

  /** Forgets tickets that have ended, or were not used in time. */
  #forgetEnded(): void {
    const nowMs = this.#options.now()
    // A client may ask for a thousand tickets in a second, and each search looks at those of all clients.
    if (Math.abs(nowMs - this.#searchedMs) < SEARCH_EVERY_MS) return
    this.#searchedMs = nowMs
    for (const row of this.#known.values()) if (hasEnded(row, nowMs)) this.#known.delete(row.hash)
  }
}
