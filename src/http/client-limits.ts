import type { Caller } from "../access/authorize.ts"
import type { FleetRateLimit } from "../access/fleet-rate-limit.ts"
import { type Rate, RateLimit } from "../access/rate-limit.ts"
import { digest } from "../access/secret.ts"
import { AppError } from "../errors.ts"

/** A client that sent nothing for a while may use the units of this many seconds at once. */
const BURST_S = 4
/** An answer costs one unit for each piece of this size, in addition to the unit for the request. */
const UNIT_BYTES = 64 * 1024
/** The wait for a client that lets the server hold too many answers. */
const HELD_RETRY_MS = 1000

/**
 * The shortest delay before a refusal is answered. It keeps a client that asks again at once from costing the
 * others much.
 */
const REST_MS = 100
/** How many refusals per second one client is answered, one after the other. */
const REFUSAL_RATE = { perSecond: 100, burst: 10 }
const MOST_REST_MS = 5000

/** For each answer that may be held for a client, so many bytes of large answers may be unread. */
const UNREAD_BYTES = 256 * 1024

/** What a client can keep open: an answer that is held, or a body that is sent while it is printed. */
export type Open = "answer" | "output"

/** How many requests clients may send. A limit of 0 is off. */
export interface ClientLimitsOptions {
  /** Requests per second from one address; up to four times as many at once. 0: no limit. */
  readonly perAddress: number
  /** Requests per second with one token; up to four times as many at once. 0: no limit. */
  readonly perToken: number
  /**
   * Requests per second to the worker's routes with one lease; up to four times as many at once. 0: no limit.
   */
  readonly perLease: number
  /**
   * How many answers one client may let the server hold at the same time, and how many outputs it may send.
   * 0: no limit.
   */
  readonly held: number
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs: () => number
  /** Called when a client is refused; absent if refusals are not counted. */
  readonly onRefused?: () => void
  /** Counts the requests of clients at all servers of a fleet; absent if this server counts alone. */
  readonly allowances?: FleetRateLimit | undefined
}

const rate = (perSecond: number): Rate => ({ perSecond, burst: perSecond * BURST_S })

/**
 * Whether a request is counted by its lease. Without a token it is not, because a made-up lease would get a
 * new bucket each time.
 */
const isByLease = ({ token }: Caller, lease: string): boolean => lease !== "" && token !== undefined

const HELD: Readonly<Record<Open, string>> = {
  answer: "requests waiting",
  output: "outputs being sent",
}

/** Leases are shorter. */
const LONGEST_LEASE = 128

/** The name under which a lease is remembered. Anybody may send one of any length, and many of these would fill the memory. */
const leaseKey = (lease: string): string => (lease.length > LONGEST_LEASE ? digest(lease) : lease)

/** Notes that a client has closed one thing, or read so many bytes. */
function letGo(open: Map<string, number>, client: string, by = 1): void {
  const count = (open.get(client) ?? by) - by
  if (count > 0) open.set(client, count)
  else open.delete(client)
}

/**
 * Calls `letGo` once: when the result is disposed of, or when the signal aborts, which may have happened
 * already.
 */
function untilLetGo(letGo: () => void, signal: AbortSignal | undefined): Disposable {
  let isTaken = true
  const giveUp = (): void => {
    if (isTaken) letGo()
    isTaken = false
    // The signal may depend on that of a token, which would keep it as long as the token is valid.
    signal?.removeEventListener("abort", giveUp)
  }
  if (signal?.aborted) giveUp()
  signal?.addEventListener("abort", giveUp, { once: true })
  return { [Symbol.dispose]: giveUp }
}

/** Counts the cost of requests by client, so that no client can make the others wait. */
export class ClientLimits {
  readonly #options: ClientLimitsOptions
  readonly #byAddress: RateLimit
  readonly #byToken: RateLimit
  readonly #byLease: RateLimit
  readonly #refusals = new RateLimit(REFUSAL_RATE)
  readonly #held: Readonly<Record<Open, Map<string, number>>> = { answer: new Map(), output: new Map() }
  /** How many bytes of large answers each client has not read yet. */
  readonly #unread = new Map<string, number>()
  readonly #rates: { readonly address: Rate; readonly token: Rate; readonly lease: Rate }

  constructor(options: ClientLimitsOptions) {
    const { perAddress, perToken, perLease } = options
    this.#options = options
    this.#rates = { address: rate(perAddress), token: rate(perToken), lease: rate(perLease) }
    this.#byAddress = new RateLimit(this.#rates.address)
    this.#byToken = new RateLimit(this.#rates.token)
    this.#byLease = new RateLimit(this.#rates.lease)
  }

  /** Whether requests are counted together with those of other servers, by `askAll`. */
  get isShared(): boolean {
    return this.#options.allowances !== undefined
  }

  /**
   * Counts a request. `lease` is the lease that a worker's route was given; empty if there is none.
   * @throws AppError `too_many_requests`
   */
  ask(caller: Caller, lease: string): void {
    const { client } = caller
    if (client === undefined) return
    const nowMs = this.#options.steadyMs()
    // Before it may go on, a token must pay for the made-up leases that it sent.
    const own = this.#bucketsOf(caller).take(client, isByLease(caller, lease) ? 0 : 1, nowMs)
    this.#refuse(Math.max(own, lease === "" ? 0 : this.#byLease.take(leaseKey(lease), 1, nowMs)))
  }

  /**
   * Counts a request, which `ask` has let pass, together with those at the other servers.
   * @throws AppError `too_many_requests` (rejects)
   */
  async askAll(caller: Caller, lease: string): Promise<void> {
    const { client } = caller
    const { allowances } = this.#options
    if (client === undefined || !allowances) return
    const waits = await Promise.all([
      isByLease(caller, lease) ? 0 : allowances.take(client, this.#rateOf(caller)),
      // A lease is a secret, and other programs can read the shared buckets.
      lease === "" ? 0 : allowances.take(digest(lease), this.#rates.lease),
    ])
    this.#refuse(Math.max(...waits))
  }

  /** How many milliseconds to wait before a client that sends too many requests gets its refusal. */
  restMs({ client = "" }: Caller): number {
    return REST_MS + this.#refusals.owe(client, MOST_REST_MS, this.#options.steadyMs())
  }

  /**
   * Charges a client for a request with a lease that it does not hold. A client without a token was already
   * charged.
   */
  chargeLost({ client, token }: Caller): void {
    if (client === undefined || !token) return
    this.#byToken.charge(client, 1, this.#options.steadyMs())
  }

  /** Charges a client for a large answer, so that its next requests wait longer. */
  charge(caller: Caller, bytes: number): void {
    this.chargeUnits(caller, Math.floor(bytes / UNIT_BYTES))
  }

  /** Charges a client for one request that does the work of several. */
  chargeUnits(caller: Caller, units: number): void {
    const { client } = caller
    const { allowances, steadyMs } = this.#options
    if (client === undefined || units === 0) return
    this.#bucketsOf(caller).charge(client, units, steadyMs())
    allowances?.charge(client, units, this.#rateOf(caller))
  }

  /**
   * Counts what a client keeps open, until the result is disposed of or the signal aborts. The signal is
   * needed because the body of an answer never begins if the client has left before. Answers and outputs are
   * counted separately, so that renders that send outputs do not keep workers from waiting for work.
   * @throws AppError `too_many_requests` if the client has as many open as it may
   */
  hold({ client }: Caller, open: Open = "answer", signal?: AbortSignal): Disposable {
    const { held } = this.#options
    if (client === undefined) return { [Symbol.dispose]: () => undefined }
    const ofKind = this.#held[open]
    const count = ofKind.get(client) ?? 0
    if (held > 0 && count >= held) {
      this.#options.onRefused?.()
      throw new AppError(
        "too_many_requests",
        `this client has ${held} ${HELD[open]}, which is the limit; wait until one ends, or raise --held-per-client`,
        { retryAfterMs: HELD_RETRY_MS },
      )
    }
    ofKind.set(client, count + 1)
    return untilLetGo(() => letGo(ofKind, client), signal)
  }

  /**
   * Counts the bytes of a large answer, until the result is disposed of or the signal aborts. A client that has read all
   * others may get one of any length.
   * @throws AppError `too_many_requests` if too much is unread
   */
  holdUnread({ client }: Caller, bytes: number, signal: AbortSignal): Disposable | undefined {
    const most = this.#options.held * UNREAD_BYTES
    if (client === undefined || most === 0) return undefined
    const before = this.#unread.get(client) ?? 0
    if (before > 0 && before + bytes > most) {
      this.#options.onRefused?.()
      throw new AppError(
        "too_many_requests",
        `this client has not read ${Math.ceil(before / 1024)} KiB of its answers; read them first, or raise --held-per-client`,
        { retryAfterMs: HELD_RETRY_MS },
      )
    }
    this.#unread.set(client, before + bytes)
    return untilLetGo(() => letGo(this.#unread, client, bytes), signal)
  }

  /** Whether other clients than this one keep something open. */
  haveOthers(client: string): boolean {
    return Object.values(this.#held).some((ofKind) => ofKind.size > (ofKind.has(client) ? 1 : 0))
  }

  #refuse(waitMs: number): void {
    if (waitMs === 0) return
    this.#options.onRefused?.()
    const message = `this client sends too many requests; try again in ${waitMs} ms`
    throw new AppError("too_many_requests", message, { retryAfterMs: waitMs })
  }

  #bucketsOf({ token }: Caller): RateLimit {
    return token ? this.#byToken : this.#byAddress
  }

  #rateOf({ token }: Caller): Rate {
    return token ? this.#rates.token : this.#rates.address
  }
}
