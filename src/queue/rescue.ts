import type { Bus } from "../bus.ts"
import { extended, rescued, stalled } from "../item/lease.ts"
import { every, type Repetition, type Service } from "../service.ts"
import type { Decide, Due, Items } from "../store/items.ts"
import type { Life } from "../store/life.ts"

const TURN_MS = 500

/** When items are taken back, and when they are called stalled. */
export interface RescueOptions {
  /** A processing item that has not moved for this many milliseconds is marked stalled. */
  readonly stallAfterMs: number
  /** How many times an item may lose its worker before it is marked lost; 0 means no limit. */
  readonly maxRescues: number
  /** Called when a turn cannot read or write the database; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/** The timer over items that are being worked on: it takes them back from lost workers, and marks stalled ones. */
export class Rescue implements Service {
  readonly #store: Items & Life
  readonly #bus: Bus
  readonly #options: RescueOptions
  #turns: Repetition | undefined
  #startedMs = 0
  #isStopped = false

  constructor(store: Items & Life, bus: Bus, options: RescueOptions) {
    this.#store = store
    this.#bus = bus
    this.#options = options
  }

  /** Extends leases that ran out while no server was alive by one length, once each, and starts the timer. */
  async start(): Promise<void> {
    // A server that died before its first sign of life can have given out leases.
    const after = (await this.#store.aliveAt()) ?? 0
    const by = this.#store.clock.steadyMs()
    await this.#sweep({ due: "lease", by, after }, (stored, moment) =>
      stored.work.lease_extended
        ? rescued(stored, this.#options.maxRescues, moment)
        : extended(stored, moment),
    )
    this.#startedMs = by
    if (!this.#isStopped) this.#turns = every(TURN_MS, () => this.turn(), this.#options.onError)
  }

  /** Stops the timer. Nothing is written any more once this has resolved. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#turns?.stop()
  }

  /** One turn of the timer. */
  async turn(): Promise<void> {
    const { stallAfterMs, maxRescues } = this.#options
    const now = this.#store.clock.steadyMs()
    await this.#sweep({ due: "lease", by: now }, (stored, moment) => rescued(stored, maxRescues, moment))
    // While no server was alive nothing could be reported.
    if (now - this.#startedMs >= stallAfterMs) {
      await this.#sweep({ due: "stall", by: now - stallAfterMs }, stalled)
    }
    if (await this.#store.isAnyLeased()) await this.#store.alive()
  }

  /** Changes every item that is due, however many there are. */
  async #sweep(due: Due, decide: Decide): Promise<void> {
    while (!this.#isStopped && (await this.#store.sweep(due, decide)) > 0) this.#bus.notify()
  }
}
