import { every, FAST_ROUND_MS, Repeating, type Repetition } from "../background-work.ts"
import type { Bus } from "../bus/bus.ts"
import { isRevoked } from "../item/lease-token.ts"
import { rescued } from "../item/lease.ts"
import { stalled } from "../item/stalled.ts"
import type { Decide, Due, Items } from "../store/contract/items.ts"
import type { Life } from "../store/contract/life.ts"

/** A timer that is later than this was not delayed by a busy server: the machine was suspended. */
const SUSPENDED_MS = 2000
/** How often a round that waits for the database looks whether its timers are on time. */
const LOOK_MS = 500

/** When items are taken back, and when they are marked as stalled. */
export interface RescueOptions {
  /** A processing item that has not moved for this many milliseconds is marked as stalled. */
  readonly stallAfterMs: number
  /** How many times an item may lose its worker before it is marked as lost; 0 for no limit. */
  readonly maxRescues: number
  /**
   * Called with each item that was taken back: `silent` if its worker did not renew the lease, `revoked` if that
   * ended with its token. Absent if this is not counted.
   */
  readonly onRescued?: (why: "silent" | "revoked") => void
  /** Called when a round cannot read or write the database; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Notices that the machine was suspended while something waits. A slow answer of the database does not count as that,
 * because it does not delay the timers of this process.
 */
class StandstillWatch implements Disposable {
  readonly #steadyMs: () => number
  readonly #looks: Repetition
  #lastMs: number
  #stoodSinceMs: number | undefined

  /** Watches from now on; `steadyMs` is the clock. */
  constructor(steadyMs: () => number) {
    this.#steadyMs = steadyMs
    this.#lastMs = steadyMs()
    this.#looks = every(
      LOOK_MS,
      () => this.#look(),
      () => undefined,
    )
  }

  /** When the first suspension began, by the given clock; undefined if the machine was not suspended. */
  get stoodSinceMs(): number | undefined {
    this.#look()
    return this.#stoodSinceMs
  }

  [Symbol.dispose](): void {
    void this.#looks.stop()
  }

  #look(): void {
    const nowMs = this.#steadyMs()
    if (nowMs - this.#lastMs > SUSPENDED_MS) this.#stoodSinceMs ??= this.#lastMs
    this.#lastMs = nowMs
  }
}

/** The timer for running items: it takes them back from lost workers, and marks stalled ones. */
export class RescueAndStall extends Repeating {
  readonly #store: Items & Life
  readonly #bus: Bus
  readonly #options: RescueOptions

  constructor(store: Items & Life, bus: Bus, options: RescueOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#store = store
    this.#bus = bus
    this.#options = options
  }

  /** Extends leases by the time in which no server ran, and starts the timer. */
  override async start(): Promise<void> {
    await this.#store.alive()
    await super.start()
  }

  /** One round of the timer, which was late by `lateMs` milliseconds. */
  async round(lateMs = 0): Promise<void> {
    const { stallAfterMs, maxRescues } = this.#options
    const { clock, outages } = this.#store
    const beganMs = clock.steadyMs()
    using watch = new StandstillWatch(clock.steadyMs)
    if (lateMs > SUSPENDED_MS) outages.begin(beganMs - lateMs)
    // This also notices the end of an outage: if nothing asked the database, its fault would stay.
    const isAnyLeased = await this.#store.isAnyLeased()
    if (outages.isUnderWay || isAnyLeased) await this.#store.alive()
    const { stoodSinceMs } = watch
    if (stoodSinceMs !== undefined) {
      // The machine was suspended during this round, so the next round comes too late for the leases.
      outages.begin(stoodSinceMs)
      await this.#store.alive()
    }
    const now = clock.steadyMs()
    if (isAnyLeased) await this.#rescue({ due: "lease", by: now }, maxRescues)
    // During an outage no worker could report.
    if (now - outages.endedMs >= stallAfterMs) {
      await this.#sweep({ due: "stall", by: now - stallAfterMs }, stalled)
    }
  }

  async #rescue(due: Due, maxRescues: number): Promise<void> {
    // By item, because a decision may be made more than once.
    const taken = new Map<number, "silent" | "revoked">()
    await this.#sweep(due, (stored, moment) => {
      taken.set(stored.item.id, isRevoked(stored.work) ? "revoked" : "silent")
      return rescued(stored, maxRescues, moment)
    })
    for (const why of taken.values()) this.#options.onRescued?.(why)
  }

  /** Changes every item that is due, however many there are. */
  async #sweep(due: Due, decide: Decide): Promise<void> {
    while (!this.isStopped && (await this.#store.sweep(due, decide)) > 0) this.#bus.notify()
  }
}
