import { every, FAST_ROUND_MS, type Repetition, type Service } from "../background-work.ts"
import type { Access, TokenRow } from "../store/contract/access.ts"
import { isToken } from "../token-format.ts"

/** The use of a token is stored at most this often: otherwise each read would be a write. */
const REMEMBER_MS = 60_000

/**
 * If the database has not answered for this long, a token may have been revoked without this server knowing. A standby
 * that takes over, and a writer that holds the database for a moment, need less.
 */
const KNOWN_MS = 5000

/** What the tokens need from outside. */
export interface TokensOptions {
  /** The history that the server serves. A token for one item of another history is not valid. */
  readonly history: string
  /** Epoch milliseconds: tokens expire by the machine's clock. */
  readonly now: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs: () => number
  /** SHA-256 of a text, in hex. */
  readonly digest: (text: string) => string
  /** Receives errors of the timer; it tries again in its next round. */
  readonly onError: (error: unknown) => void
}

/**
 * The tokens that are valid now.
 *
 * They are kept in memory, and read again when another process has written the database. So `track-studio
 * token` works beside a running server, and a request needs no read.
 */
export class Tokens implements Service {
  readonly #store: Access
  readonly #options: TokensOptions
  /** The tokens that nobody has revoked. Some of them may have expired. */
  #notRevoked: readonly TokenRow[] = []
  /** The valid tokens, by hash. */
  #inForce = new Map<string, TokenRow>()
  /** The valid tokens that were already searched, by secret. */
  readonly #known = new Map<string, TokenRow>()
  readonly #used = new Map<number, number>()
  readonly #onEnded = new Set<(ids: ReadonlySet<number>) => void>()
  #existed = false
  #looking: Repetition | undefined
  #version = -1
  /** When it first asked the database after its latest answer; undefined if that is answered. */
  #unansweredMs: number | undefined

  constructor(store: Access, options: TokensOptions) {
    this.#store = store
    this.#options = options
  }

  /** Whether a token was ever created. From then on every caller needs a token. */
  get existed(): boolean {
    return this.#existed
  }

  /** Whether it knows which tokens are valid. It does not if the database has not answered for some seconds. */
  get areKnown(): boolean {
    return this.#unansweredMs === undefined || this.#options.steadyMs() - this.#unansweredMs < KNOWN_MS
  }

  /** Reads the tokens, and then each change of them. Let no caller in before it has resolved. */
  async start(): Promise<void> {
    this.#looking ??= every(FAST_ROUND_MS, () => this.look(), this.#options.onError)
    await this.look()
  }

  async stop(): Promise<void> {
    await this.#looking?.stop()
  }

  /** The valid token that has this secret. */
  find(secret: string): TokenRow | undefined {
    const row = this.#known.get(secret) ?? this.#foundByHash(secret)
    return row === undefined || this.#hasExpired(row) ? undefined : row
  }

  /** The token with this ID, if it is valid; for a ticket. */
  byId(id: number): TokenRow | undefined {
    for (const row of this.#inForce.values()) if (row.id === id && !this.#hasExpired(row)) return row
    return undefined
  }

  /** Notes that a token was used. The use is stored within a minute. */
  use({ id, last_used_at }: TokenRow): void {
    const nowMs = this.#options.now()
    const beforeMs = this.#used.get(id) ?? Date.parse(last_used_at ?? "1970-01-01")
    if (nowMs - beforeMs < REMEMBER_MS) return
    this.#used.set(id, nowMs)
    this.#store.useTokens([id]).catch(this.#options.onError)
  }

  /**
   * Calls `ended` with the IDs of tokens that were revoked or have expired, at most a second late. When the
   * first token is created it is called with no IDs.
   */
  listen(ended: (ids: ReadonlySet<number>) => void): void {
    this.#onEnded.add(ended)
  }

  /** Reads the tokens if they may have changed, and reports those that have ended. */
  async look(): Promise<void> {
    const askedMs = this.#options.steadyMs()
    this.#unansweredMs ??= askedMs
    const version = await this.#store.version()
    const [before, existed] = [this.#inForce, this.#existed]
    if (version !== this.#version) {
      const rows = await this.#store.tokens()
      this.#version = version
      this.#existed = rows.length > 0
      this.#notRevoked = rows.filter((row) => this.#isOurs(row) && row.revoked_at === null)
      this.#inForce = new Map()
    }
    // A token that has expired is valid again if the machine's clock was ahead and is put right.
    const valid = this.#notRevoked.filter((row) => !this.#hasExpired(row))
    if (valid.length !== this.#inForce.size) this.#inForce = new Map(valid.map((row) => [row.hash, row]))
    // An answer that was long on its way may be as old as its question.
    if (this.#options.steadyMs() - askedMs < KNOWN_MS) this.#unansweredMs = undefined
    // Each request checks again whether its token is valid.
    if (this.#inForce !== before) this.#known.clear()
    const ended = new Set([...before].flatMap(([hash, { id }]) => (this.#inForce.has(hash) ? [] : [id])))
    if (ended.size > 0 || existed !== this.#existed) for (const tell of this.#onEnded) tell(ended)
  }

  #foundByHash(secret: string): TokenRow | undefined {
    const row = isToken(secret) ? this.#inForce.get(this.#options.digest(secret)) : undefined
    if (row) this.#known.set(secret, row)
    return row
  }

  #isOurs(row: TokenRow): boolean {
    return row.item === null || row.history === this.#options.history
  }

  #hasExpired({ expires_at }: TokenRow): boolean {
    return expires_at !== null && Date.parse(expires_at) <= this.#options.now()
  }
}
