import type { FleetRateLimit } from "../access/fleet-rate-limit.ts"
import type { Caller } from "../access/gate.ts"
import { type Rate, RateLimit } from "../access/rate-limit.ts"
import { digest } from "../access/secret.ts"
import { AppError } from "../errors.ts"

/** A client that was quiet may use the units of this many seconds at once. */
const BURST_S = 4
/** An answer costs a unit for each piece of this size, beside the one for asking. */
const UNIT_BYTES = 64 * 1024
/** A client that holds too many answers may come back after this time. */
const HELD_RETRY_MS = 1000

/** The shortest delay of a refusal: a client that asks again at once then costs the others little. */
const REST_MS = 100
/** How many refusals of one client are answered a second, one after the other. */
const REFUSALS = { perSecond: 100, burst: 10 }
const MOST_REST_MS = 5000

/** What a client can leave open: an answer that is held, or a body that is sent for as long as it is printed. */
export type Open = "answer" | "output"

/** How much clients may ask; 0 turns a limit off. */
export interface LimitsOptions {
  /** Requests a second from one address; four times as many at once. */
  readonly perAddress: number
  /** Requests a second with one token; four times as many at once. */
  readonly perToken: number
  /** Requests a second to the worker's routes with one lease; four times as many at once. */
  readonly perLease: number
  /** Answers that one client lets the server hold at the same time; and as many outputs that it sends. */
  readonly held: number
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs: () => number
  /** Called when a client is refused; absent if refusals are not counted. */
  readonly onRefused?: () => void
  /** What clients ask of all servers of a fleet; absent if this server counts for itself alone. */
  readonly allowances?: FleetRateLimit | undefined
}

const rate = (perSecond: number): Rate => ({ perSecond, burst: perSecond * BURST_S })

/** Whether a request counts against its lease. A made-up lease would have a new bucket each time. */
const isByLease = ({ token }: Caller, lease: string): boolean => lease !== "" && token !== undefined

const HELD: Readonly<Record<Open, string>> = {
  answer: "requests waiting",
  output: "outputs being sent",
}

/** Notes that a client has one thing less open. */
function letGo(open: Map<string, number>, client: string): void {
  const count = (open.get(client) ?? 1) - 1
  if (count > 0) open.set(client, count)
  else open.delete(client)
}

/** Calls `letGo` once: when it is disposed of, or with the signal, which may have aborted already. */
function place(letGo: () => void, signal: AbortSignal | undefined): Disposable {
  let isTaken = true
  const giveUp = (): void => {
    if (isTaken) letGo()
    isTaken = false
  }
  if (signal?.aborted) giveUp()
  signal?.addEventListener("abort", giveUp, { once: true })
  return { [Symbol.dispose]: giveUp }
}

/** Counts the cost of requests by client, so that no client makes the others wait. */
export class Limits {
  readonly #options: LimitsOptions
  readonly #byAddress: RateLimit
  readonly #byToken: RateLimit
  readonly #byLease: RateLimit
  readonly #refusals = new RateLimit(REFUSALS)
  readonly #held: Readonly<Record<Open, Map<string, number>>> = { answer: new Map(), output: new Map() }
  readonly #rates: { readonly address: Rate; readonly token: Rate; readonly lease: Rate }

  constructor(options: LimitsOptions) {
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
   * Counts a request. `lease` is the one that a worker's route was given; empty for none.
   * @throws AppError `too_many_requests`
   */
  ask(caller: Caller, lease: string): void {
    const { client } = caller
    if (client === undefined) return
    const nowMs = this.#options.steadyMs()
    // A token must first have paid for the made-up leases that it sent.
    const own = this.#bucketsOf(caller).take(client, isByLease(caller, lease) ? 0 : 1, nowMs)
    this.#refuse(Math.max(own, lease === "" ? 0 : this.#byLease.take(lease, 1, nowMs)))
  }

  /**
   * Counts a request that `ask` has let pass among those of all servers.
   * @throws AppError `too_many_requests` (rejects)
   */
  async askAll(caller: Caller, lease: string): Promise<void> {
    const { client } = caller
    const { allowances } = this.#options
    if (client === undefined || !allowances) return
    const waits = await Promise.all([
      isByLease(caller, lease) ? 0 : allowances.take(client, this.#rateOf(caller)),
      // A lease is a secret, and the shared buckets can be read by others.
      lease === "" ? 0 : allowances.take(digest(lease), this.#rates.lease),
    ])
    this.#refuse(Math.max(...waits))
  }

  /** How many milliseconds to wait before a refusal of a client that asks too much is answered. */
  restMs({ client = "" }: Caller): number {
    return REST_MS + this.#refusals.owe(client, MOST_REST_MS, this.#options.steadyMs())
  }

  /** Charges a client for a request by a lease that it does not hold. Without a token it has paid for it. */
  chargeLost({ client, token }: Caller): void {
    if (client === undefined || !token) return
    this.#byToken.charge(client, 1, this.#options.steadyMs())
  }

  /** Charges a client for a large answer, so that its next requests wait longer. */
  charge(caller: Caller, bytes: number): void {
    this.chargeUnits(caller, Math.floor(bytes / UNIT_BYTES))
  }

  /** Charges a client for one request that does the work of several more. */
  chargeUnits(caller: Caller, units: number): void {
    const { client } = caller
    const { allowances, steadyMs } = this.#options
    if (client === undefined || units === 0) return
    this.#bucketsOf(caller).charge(client, units, steadyMs())
    allowances?.charge(client, units, this.#rateOf(caller))
  }

  /**
   * Counts what a client leaves open, until it is disposed of or the signal aborts: the body of an answer to a client
   * that has left before is never begun. Answers and outputs are counted apart, so that renders which send outputs do
   * not keep workers from waiting for work.
   * @throws AppError `too_many_requests` when the client has as many open as it may
   */
  hold({ client }: Caller, open: Open = "answer", signal?: AbortSignal): Disposable {
    const { held } = this.#options
    if (client === undefined || held === 0) return { [Symbol.dispose]: () => undefined }
    const ofKind = this.#held[open]
    const count = ofKind.get(client) ?? 0
    if (count >= held) {
      this.#options.onRefused?.()
      throw new AppError(
        "too_many_requests",
        `this client has ${held} ${HELD[open]}, which is the limit; wait until one ends, or raise --held-per-client`,
        { retryAfterMs: HELD_RETRY_MS },
      )
    }
    ofKind.set(client, count + 1)
    return place(() => letGo(ofKind, client), signal)
  }

  #refuse(waitMs: number): void {
    if (waitMs === 0) return
    this.#options.onRefused?.()
    throw new AppError(
      "too_many_requests",
      `this client sends too many requests; try again in ${waitMs} ms`,
      {
        retryAfterMs: waitMs,
      },
    )
  }

  #bucketsOf({ token }: Caller): RateLimit {
    return token ? this.#byToken : this.#byAddress
  }

  #rateOf({ token }: Caller): Rate {
    return token ? this.#rates.token : this.#rates.address
  }
}
