import type { Bus } from "../bus.ts"
import { AppError } from "../errors.ts"
import type { Change, Directive, QueueItem, Report, Result } from "../item/item.ts"
import {
  claimed,
  completed,
  directiveOf,
  extended,
  failed,
  type Failure,
  goesOn,
  heartbeat,
  released,
  reported,
  rescued,
  stalled,
} from "../item/lease.ts"
import type { Decide, Due, Items } from "../store/items.ts"
import type { Life } from "../store/life.ts"

const TICK_MS = 500
const ALIVE_EVERY_MS = 5000
const FIRST_RETRY_MS = 10_000
const MAX_RETRY_MS = 10 * 60_000
const RETRY_SPREAD = 0.2
/** Of its time, what the server may spend on looking for work for claims that wait. */
const LOOKING_PART = 0.1
const MAX_LOOK_PAUSE_MS = 250

/** The right to write an item, as its worker sees it. */
export interface Lease {
  readonly token: string
  /** RFC 3339 UTC. */
  readonly expires_at: string
  /** Seconds after which to renew it. */
  readonly renew_every: number
}

/** What a worker asks for. */
export interface Claim {
  readonly worker: string
  readonly tags: readonly string[]
  readonly leaseMs: number
}

/** Claims that wait for the same: the tags that their workers have, and what wakes each. */
interface Waiting {
  readonly tags: readonly string[]
  readonly rings: Set<() => void>
}

/** How a worker stands with its item after a request. */
export interface Standing {
  /** Whether the worker is to go on or to stop. */
  readonly directive: Directive
  /** The item as it is stored. */
  readonly item: QueueItem
  /** When the lease runs out, RFC 3339 UTC; null if the worker holds none. */
  readonly expiresAt: string | null
}

/** How failures of workers are treated. */
export interface WorkersOptions {
  /** A processing item that has not moved for this many milliseconds is marked stalled. */
  readonly stallAfterMs: number
  /** How many times an item may lose its worker before it is marked lost; 0 means no limit. */
  readonly maxRescues: number
  /** Numbers from 0 up to 1; they spread retries. */
  readonly random: () => number
  /** Makes the token of a new lease. */
  readonly token: () => string
  /** Called when the timer cannot read or write the database; it tries again at its next turn. */
  readonly onError: (error: unknown) => void
}

/**
 * The workers' side of the queue: claim, report, heartbeat, complete, fail, release; and the one timer that takes
 * items back from workers that are gone. A lease token is checked in the transaction that writes.
 */
export class Workers {
  readonly #store: Items & Life
  readonly #bus: Bus
  readonly #options: WorkersOptions
  readonly #waiting = new Map<string, Waiting>()
  readonly #unlisten: () => void
  #timer: Timer | undefined
  #rung = false
  #looking = false
  #lookAgainMs = 0
  /** What the timer has set going, and has not ended. */
  #round: Promise<void> | undefined
  #aliveMs = 0
  #startedMs = 0
  #draining = false

  constructor(store: Items & Life, bus: Bus, options: WorkersOptions) {
    this.#store = store
    this.#bus = bus
    this.#options = options
    this.#unlisten = bus.listen(() => this.#look())
  }

  /** Gives leases that ran out while no server was alive one length more, once each, and starts the timer. */
  async start(): Promise<void> {
    // A server that died before it said that it was alive can have given out leases.
    const after = (await this.#store.aliveAt()) ?? 0
    const by = this.#store.clock.steadyMs()
    await this.#sweep({ due: "lease", by, after }, (stored, moment) =>
      stored.work.lease_extended
        ? rescued(stored, this.#options.maxRescues, moment)
        : extended(stored, moment),
    )
    this.#startedMs = by
    this.#timer = setInterval(() => {
      this.#round ??= this.#tick().finally(() => (this.#round = undefined))
    }, TICK_MS)
  }

  /** Answers claims that wait, and stops the timer. After it the store may be closed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#unlisten()
    this.#draining = true
    for (const { rings } of this.#waiting.values()) for (const ring of rings) ring()
    await this.#round
    await this.#store.setAlive(this.#store.clock.steadyMs())
  }

  /** Whether the server is about to stop. */
  get draining(): boolean {
    return this.#draining
  }

  /**
   * Takes the first claimable item, waiting for one until `signal` aborts. Null when there is none.
   * @throws AppError `unavailable`
   */
  async claim(claim: Claim, signal: AbortSignal): Promise<{ item: QueueItem; lease: Lease } | null> {
    for (;;) {
      // Listening comes before looking, or an item added in between would be slept through.
      using bell = this.#bell(claim.tags, signal)
      const token = this.#options.token()
      const by = { worker: claim.worker, token, leaseMs: claim.leaseMs }
      const change = await this.#store.claim(claim.tags, (stored, moment) => claimed(stored, by, moment))
      if (change) {
        this.#bus.notify()
        return { item: change.item, lease: this.#lease(by) }
      }
      if (!signal.aborted && !this.#draining) await bell.rung
      // Who has gone away meanwhile takes nothing.
      if (signal.aborted || this.#draining) return null
    }
  }

  /**
   * Takes this very item, whatever its place in the order, its tags, and the time it was to wait.
   * @throws AppError `not_found`, `gone`, `illegal_move` unless the item waits, `unavailable`
   */
  async take(
    id: number,
    { worker, leaseMs }: Omit<Claim, "tags">,
  ): Promise<{ item: QueueItem; lease: Lease }> {
    const by = { worker, token: this.#options.token(), leaseMs }
    const { item } = await this.#change(id, (stored, moment) => claimed(stored, by, moment))
    return { item, lease: this.#lease(by) }
  }

  /**
   * Stores what a worker reports, and renews its lease. Without a token the item must be nobody's; `attempt` is the
   * one that the report belongs to, where it must not start another.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `leased`, `illegal_move`, `unavailable`
   */
  report(id: number, token: string | undefined, report: Report, attempt?: number): Promise<Standing> {
    return this.#change(id, (stored, moment) => {
      if (attempt !== undefined) goesOn(stored.item, attempt)
      return reported(stored, token, report, moment)
    })
  }

  /** Renews a lease. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable` */
  heartbeat(id: number, token: string): Promise<Standing> {
    return this.#change(id, (stored, moment) => heartbeat(stored, token, moment))
  }

  /** Ends a lease with success. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable` */
  complete(id: number, token: string, result: Result): Promise<Standing> {
    return this.#change(id, (stored, moment) => completed(stored, token, result, moment))
  }

  /**
   * Ends a lease with a failure. Without `retryInMs` the next attempt waits 10 s times 2 to the number of those
   * before, within 20 %, and 10 minutes at most.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable`
   */
  fail(
    id: number,
    token: string,
    failure: Omit<Failure, "retryInMs"> & { readonly retryInMs?: number | undefined },
  ): Promise<Standing> {
    return this.#change(id, (stored, moment) => {
      const retryInMs = failure.retryInMs ?? this.#backoffMs(stored.item.retry_count)
      return failed(stored, token, { ...failure, retryInMs }, moment)
    })
  }

  /** Gives an item back. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable` */
  release(id: number, token: string): Promise<Standing> {
    return this.#change(id, (stored, moment) => released(stored, token, moment))
  }

  async #change(id: number, decide: Decide): Promise<Standing> {
    try {
      const change = await this.#store.change(id, decide)
      if (!change.quiet) this.#bus.notify()
      return this.#standing(change)
    } catch (error) {
      if (error instanceof AppError && error.code === "not_found" && (await this.#store.wasDeleted(id))) {
        throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
      }
      throw error
    }
  }

  #standing({ item, work }: Change): Standing {
    const expiresAt = work.lease_expires_at === null ? null : this.#in(work.lease_ms)
    return { directive: directiveOf(item), item, expiresAt }
  }

  #in(ms: number): string {
    return new Date(this.#store.clock.now() + ms).toISOString()
  }

  #lease({ token, leaseMs }: { readonly token: string; readonly leaseMs: number }): Lease {
    return { token, expires_at: this.#in(leaseMs), renew_every: Math.round(leaseMs / 300) / 10 }
  }

  #backoffMs(failures: number): number {
    const spread = 1 + RETRY_SPREAD * (2 * this.#options.random() - 1)
    return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures * spread)
  }

  /** Changes everything that is due, however much that is. */
  async #sweep(due: Due, decide: Decide): Promise<void> {
    while (!this.#draining && (await this.#store.sweep(due, decide)) > 0) this.#bus.notify()
  }

  /** `rung` resolves when there may be something to claim, the signal aborts, or the bell is disposed of. */
  #bell(tags: readonly string[], signal: AbortSignal): Disposable & { readonly rung: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const key = JSON.stringify(tags.toSorted())
    const waiting = this.#waiting.get(key) ?? { tags, rings: new Set() }
    const ring = (): void => {
      waiting.rings.delete(ring)
      if (waiting.rings.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key)
      signal.removeEventListener("abort", ring)
      resolve()
    }
    this.#waiting.set(key, waiting)
    waiting.rings.add(ring)
    signal.addEventListener("abort", ring)
    return { rung: promise, [Symbol.dispose]: ring }
  }

  /**
   * Wakes the claims that wait, where there is something for them: one look a turn, however often the bell rings. A
   * look passes by everything that waits for other workers; the longer that takes, the longer it rests.
   */
  #look(): void {
    this.#rung = true
    if (this.#looking || this.#waiting.size === 0) return
    this.#looking = true
    const look = (): void => void this.#lookNow()
    const pauseMs = this.#lookAgainMs - performance.now()
    if (pauseMs > 0) setTimeout(look, pauseMs)
    else setImmediate(look)
  }

  async #lookNow(): Promise<void> {
    this.#rung = false
    const startedMs = performance.now()
    try {
      for (const { tags, rings } of this.#waiting.values()) {
        if (await this.#store.nextWaiting(tags)) for (const ring of rings) ring()
      }
    } catch (error) {
      this.#options.onError(error)
    }
    const nowMs = performance.now()
    const pauseMs = (nowMs - startedMs) * (1 / LOOKING_PART - 1)
    this.#lookAgainMs = nowMs + Math.min(pauseMs, MAX_LOOK_PAUSE_MS)
    this.#looking = false
    if (this.#rung) this.#look()
  }

  async #tick(): Promise<void> {
    const { stallAfterMs, maxRescues, onError } = this.#options
    try {
      const now = this.#store.clock.steadyMs()
      await this.#sweep({ due: "lease", by: now }, (stored, moment) => rescued(stored, maxRescues, moment))
      // While no server was alive nothing could be reported.
      if (now - this.#startedMs >= stallAfterMs) {
        await this.#sweep({ due: "stall", by: now - stallAfterMs }, stalled)
      }
      this.#look()
      if (now - this.#aliveMs >= ALIVE_EVERY_MS) {
        this.#aliveMs = now
        await this.#store.setAlive(now)
      }
    } catch (error) {
      onError(error)
    }
  }
}
