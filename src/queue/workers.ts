import { every, FAST_ROUND_MS, type Repetition, type Service } from "../background-work.ts"
import { type Backoff, backoff } from "../backoff.ts"
import type { Bus } from "../bus/bus.ts"
import { AppError } from "../errors.ts"
import { nextStep, stepBegun, stepsDeclared } from "../item/declared-steps.ts"
import type { Directive, QueueItem, Report, Result, Step, Steps } from "../item/item.ts"
import { tokenOf } from "../item/lease-token.ts"
import {
  checkHolder,
  claimed,
  claimedAgain,
  completed,
  directiveOf,
  failed,
  type Failure,
  heartbeat,
  released,
  type Taker,
} from "../item/lease.ts"
import { reported } from "../item/report.ts"
import { type AttemptName, checkUnderWay } from "../item/same-attempt.ts"
import type { Change } from "../item/stored.ts"
import type { WorkerReport } from "../store/contract/instances.ts"
import type { Decide, Items, Repeatable } from "../store/contract/items.ts"
import type { Life } from "../store/contract/life.ts"
import { throwGoneIfDeleted } from "./deleted-item.ts"
import { type Introduction, KnownWorkers } from "./known-workers.ts"
import type { LearnedDurations } from "./learned-durations.ts"
import { RefuseWhenFull } from "./refuse-when-full.ts"
import { WaitingClaims } from "./waiting-claims.ts"

/** How long a new claim of a drained worker is held if it could have waited for an item. */
const DRAINED_MS = 1000
/** 10 s after the first failure, then 20, 40, 80 s and so on up to 10 minutes, each within 20 %. */
const RETRY: Backoff = { firstMs: 10_000, mostMs: 10 * 60_000, spread: 0.2 }

/** The right to write an item, as its worker sees it. */
export interface Lease {
  /** Proves that a request comes from the holder of the lease. */
  readonly token: string
  /** When the lease runs out, RFC 3339 UTC. */
  readonly expires_at: string
  /** After how many seconds the worker should renew it. */
  readonly renew_every: number
}

/** How a claim goes on if its answer is lost. */
export interface OnceClaimed {
  /** Equal for a claim and its repetitions, which get the same item; undefined if it is not repeated. */
  readonly key?: string | undefined
  /** Whether the client has gone, so that it gets no answer; default: it has not. */
  readonly isGone?: () => boolean
}

/** What a worker asks for: an item whose tags are all among the worker's. */
export interface Claim extends Omit<Taker, "token">, Introduction, OnceClaimed {
  /** The client that claims; undefined if clients are not distinguished. */
  readonly client?: string | undefined
}

/** An item, and the right to write it. */
export interface Leased {
  /** The item as it is stored. */
  readonly item: QueueItem
  /** The right to write it. */
  readonly lease: Lease
}

/** The state of a worker's lease after a request. */
export interface LeaseStanding {
  /** Whether the worker must go on or stop. */
  readonly directive: Directive
  /** The item as it is stored. */
  readonly item: QueueItem
  /** When the lease runs out, RFC 3339 UTC; null if the worker holds none. */
  readonly expiresAt: string | null
  /**
   * How long the lease lasts from the answer on, in milliseconds; null if the worker holds none. Use this to
   * wait: `expiresAt` is a time of the database's clock, and the clock of the machine may differ.
   */
  readonly leaseMs: number | null
  /** Whether the worker must take no more items after this one. */
  readonly isDraining: boolean
}

/** Sources of random values, limits, and callbacks. */
export interface WorkersOptions {
  /** Random numbers from 0 up to 1, which spread the retries. */
  readonly random: () => number
  /** Makes the token of a new lease. */
  readonly token: () => string
  /** Whether the database has room for reports; default: it always has. */
  readonly room?: RefuseWhenFull
  /** How many different sets of tags the waiting claims of one client may have; default: no limit. */
  readonly mostTagSets?: number
  /** The shortest time between two searches for waiting claims, in milliseconds; default 0. */
  readonly lookRestMs?: number
  /** Called with the duration of each search for waiting claims, in seconds; absent for no call. */
  readonly onLook?: (seconds: number) => void
  /** Called when the database cannot be read for waiting claims; the read is tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * The queue for workers: claim, report, heartbeat, complete, fail, release. A lease token is checked in the
 * transaction that writes.
 */
export class Workers implements Service {
  /** The workers that are known. */
  readonly presence: KnownWorkers
  readonly #store: Items & Life
  readonly #bus: Bus
  readonly #learned: LearnedDurations
  readonly #options: WorkersOptions
  readonly #room: RefuseWhenFull
  readonly #waiting: WaitingClaims
  readonly #unlisten: () => void
  #rounds: Repetition | undefined
  #draining = false

  constructor(store: Items & Life, bus: Bus, learned: LearnedDurations, options: WorkersOptions) {
    this.presence = new KnownWorkers(() => store.clock.now())
    this.#store = store
    this.#bus = bus
    this.#learned = learned
    this.#options = options
    const { onError, mostTagSets, onLook, lookRestMs, room = new RefuseWhenFull() } = options
    this.#room = room
    this.#waiting = new WaitingClaims(store, { onError, mostTagSets, onLook, restMs: lookRestMs })
    this.#unlisten = bus.listen(() => this.#waiting.look())
  }

  /** From now on waiting claims are also woken for items whose time has come. */
  async start(): Promise<void> {
    if (this.#draining) return
    this.#rounds = every(FAST_ROUND_MS, () => this.#waiting.look(), this.#options.onError)
  }

  /** Answers the waiting claims. Later claims are answered at once. */
  async stop(): Promise<void> {
    this.#draining = true
    this.#unlisten()
    this.#waiting.ringAll()
    await this.#rounds?.stop()
  }

  /** Whether the database has no room for reports, and none can be expected soon. */
  get hasNoRoom(): boolean {
    return this.#room.isFull || this.#room.isDiskFull
  }

  /** Whether the server is about to stop. */
  get draining(): boolean {
    return this.#draining
  }

  /**
   * Takes the first claimable item, and waits for one until `signal` aborts. Null if there is none by then, or the
   * client has gone; a drained worker gets null soon. A repeated claim gets the item of the first one.
   * @throws AppError `unavailable`
   */
  async claim(claim: Claim, signal: AbortSignal): Promise<Leased | null> {
    const { tags, version: _version, instance, client, key, isGone, ...taker } = claim
    const repeatable = this.#repeatable(key)
    const given = (change: Change): Promise<Leased | null> => {
      this.presence.took(change.item.id, tags, instance, tokenOf(change.work))
      return this.#given(change, isGone)
    }
    this.presence.claims(claim)
    for (let isNew = true; ; isNew = false) {
      // The bell must be requested before the search; otherwise an item that is added in between would not
      // wake the claim.
      using bell = signal.aborted ? undefined : this.#waiting.bell(tags, signal, client)
      const isDraining = this.presence.isDraining(claim.worker, instance)
      const before = isDraining || this.hasNoRoom ? await this.#before(repeatable) : null
      if (before) return given(before)
      if (isDraining) {
        // A worker of an older version does not know the answer `drain`, and would claim again and again
        // without a pause.
        if (isNew && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, DRAINED_MS))
        return null
      }
      this.#room.checkClaim()
      const by: Taker = { ...taker, token: this.#options.token() }
      const decide: Decide = (stored, moment) =>
        claimed(stored, { ...by, former: this.presence.lostBy(instance, stored) }, moment)
      const change = await this.#store.claim(tags, this.#learned.follow(decide), repeatable)
      if (change) return given(change)
      if (!signal.aborted && !this.#draining) {
        if (!bell) throw this.#waiting.refusal
        using _here = this.presence.wait(claim)
        await bell.rung
      }
      // The worker may have gone in the meantime, and then it must take nothing.
      if (signal.aborted || this.#draining) return null
    }
  }

  /**
   * Takes the item with this id, whatever its place in the order, its tags, and its `available_at`. Null if the client
   * has gone. A repeated claim gets the item again.
   * @throws AppError `not_found`, `gone`, `illegal_move` unless the item waits, `unavailable`
   */
  async take(
    id: number,
    { key, isGone, ...taker }: Omit<Taker, "token"> & OnceClaimed,
  ): Promise<Leased | null> {
    const repeatable = this.#repeatable(key)
    const before = this.hasNoRoom ? await this.#before(repeatable) : null
    if (!before) this.#room.checkTake()
    const by: Taker = { ...taker, token: this.#options.token() }
    const decide = this.#learned.follow((stored, moment) => claimed(stored, by, moment))
    const change = before ?? (await this.#stored(id, undefined, decide, repeatable))
    this.presence.reports(change.item)
    this.presence.tookByNumber(id, change.work, taker.former)
    return this.#given(change, isGone)
  }

  /** What an earlier claim with this key still holds, its lease renewed. Null if that is nothing. @throws AppError `unavailable` */
  async claimedBefore({ key, isGone }: OnceClaimed): Promise<Leased | null> {
    const before = await this.#before(this.#repeatable(key))
    return before && this.#given(before, isGone)
  }

  #repeatable(key: string | undefined): Repeatable | undefined {
    const again =
      (token: string): Decide =>
      (stored, moment) =>
        claimedAgain(stored, token, moment)
    return key === undefined ? undefined : { key, again }
  }

  async #before(repeatable: Repeatable | undefined): Promise<Change | null> {
    return repeatable ? this.#store.claimedBefore(repeatable) : null
  }

  /** The answer to a claim. If the client has gone, the item is given back, unless a repetition of the claim got it. */
  async #given(change: Change, isGone: () => boolean = () => false): Promise<Leased | null> {
    const { item, work, quiet } = change
    if (!quiet) this.#bus.notify()
    const token = tokenOf(work)
    if (!isGone()) return { item, lease: this.#lease({ token, leaseMs: work.lease_ms }) }
    await this.#change(item.id, token, (stored, moment) =>
      stored.work.lease_expires_at === work.lease_expires_at
        ? released(stored, token, moment)
        : { ...stored, quiet: true },
    )
    return null
  }

  /**
   * Stores a worker's report, and renews its lease. Without a token, no worker may hold the item. With
   * `attempt`, the report belongs to that attempt, and is refused if that attempt has ended; without it, the
   * report may start an attempt.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `leased`, `illegal_move`, `unavailable`
   */
  async report(
    id: number,
    token: string | undefined,
    report: Report,
    attempt?: AttemptName,
  ): Promise<LeaseStanding> {
    await this.#checkRoom(id, token)
    return this.#change(id, token, (stored, moment) => {
      if (attempt !== undefined) checkUnderWay(stored.item, attempt)
      return reported(stored, token, report, moment)
    })
  }

  /**
   * Declares the steps of the attempt that is under way, and renews the lease.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `leased`, `illegal_move`, `unavailable`
   */
  async declareSteps(id: number, token: string | undefined, steps: Steps): Promise<LeaseStanding> {
    await this.#checkRoom(id, token)
    return this.#change(id, token, (stored, moment) => stepsDeclared(stored, token, steps, moment))
  }

  /**
   * Begins the first step that has not begun, and renews the lease. The answer's item is at that step; if no step is
   * left, or none was declared, nothing changes.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `leased`, `illegal_move`, `unavailable`
   */
  async beginStep(
    id: number,
    token: string | undefined,
  ): Promise<LeaseStanding & { readonly step: Step | null }> {
    let step: Step | null = null
    const standing = await this.#change(id, token, (stored, moment) => {
      step = nextStep(stored) ?? null
      return stepBegun(stored, token, moment)
    })
    return { ...standing, step }
  }

  /** Renews a lease. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable` */
  heartbeat(id: number, token: string): Promise<LeaseStanding> {
    return this.#change(id, token, (stored, moment) => heartbeat(stored, token, moment))
  }

  /**
   * Whether a worker must go on or stop. Nothing is written, and the lease is not renewed.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable`
   */
  async look(id: number, token: string): Promise<Directive> {
    try {
      const stored = await this.#store.stored(id)
      checkHolder(stored, token)
      return directiveOf(stored.item)
    } catch (error) {
      return throwGoneIfDeleted(this.#store, id, token, error)
    }
  }

  /**
   * Ends a lease and completes the item. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable`
   */
  complete(id: number, token: string, result: Result): Promise<LeaseStanding> {
    return this.#change(id, token, (stored, moment) => completed(stored, token, result, moment))
  }

  /**
   * Ends a lease and fails the attempt. Without `retryInMs` the next attempt waits as `RETRY` says.
   * @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable`
   */
  fail(
    id: number,
    token: string,
    failure: Omit<Failure, "retryInMs"> & { readonly retryInMs?: number | undefined },
  ): Promise<LeaseStanding> {
    return this.#change(id, token, (stored, moment) => {
      const retryInMs = failure.retryInMs ?? backoff(RETRY, stored.item.retry_count, this.#options.random)
      return failed(stored, token, { ...failure, retryInMs }, moment)
    })
  }

  /** Gives an item back. @throws AppError `not_found`, `gone`, `lease_lost`, `unavailable` */
  release(id: number, token: string): Promise<LeaseStanding> {
    return this.#change(id, token, (stored, moment) => released(stored, token, moment))
  }

  /**
   * Asks a worker to take no more items than it holds, or lets it take some again.
   * @throws AppError `not_found`
   */
  setDraining(worker: string, isDraining: boolean): void {
    if (!this.presence.setDraining(worker, isDraining)) {
      throw new AppError("not_found", `no worker "${worker}" made a claim or a report within an hour`)
    }
    // Waiting claims of the worker are answered.
    if (isDraining) this.#waiting.ringAll()
  }

  /** Takes the workers that the other servers of a fleet know. */
  learn(others: readonly WorkerReport[]): void {
    // Waiting claims of workers that were drained at another server are answered.
    if (this.presence.learn(others)) this.#waiting.ringAll()
  }

  async #checkRoom(id: number, token: string | undefined): Promise<void> {
    // A report for which there is no room still shows that the worker is alive.
    if (token !== undefined && this.hasNoRoom) await this.heartbeat(id, token)
    this.#room.check()
  }

  async #change(id: number, token: string | undefined, decide: Decide): Promise<LeaseStanding> {
    const change = await this.#stored(id, token, this.#learned.follow(decide))
    if (change.run) void this.#learned.note(change.run)
    if (!change.quiet) this.#bus.notify()
    this.presence.reports(change.item)
    return this.#standing(change)
  }

  /** A change that was stored. @throws AppError `gone` if the item was deleted, and what the store throws */
  #stored(id: number, token: string | undefined, decide: Decide, repeatable?: Repeatable): Promise<Change> {
    const change = this.#store.change(id, decide, repeatable)
    return change.catch((error: unknown) => throwGoneIfDeleted(this.#store, id, token, error))
  }

  #standing({ item, work }: Change): LeaseStanding {
    const leaseMs = work.lease_expires_at === null ? null : work.lease_ms
    return {
      directive: directiveOf(item),
      item,
      expiresAt: leaseMs === null ? null : this.#in(leaseMs),
      leaseMs,
      isDraining: this.presence.isDrainingAt(item),
    }
  }

  #in(ms: number): string {
    return new Date(this.#store.clock.now() + ms).toISOString()
  }

  #lease({ token, leaseMs }: { readonly token: string; readonly leaseMs: number }): Lease {
    return { token, expires_at: this.#in(leaseMs), renew_every: Math.round(leaseMs / 300) / 10 }
  }
}
