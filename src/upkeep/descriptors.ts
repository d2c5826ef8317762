import type { Reasons } from "../health.ts"
import { Repeating } from "../service.ts"

const TURN_MS = 1000
/** How often it looks while few descriptors are left. */
const FEW_TURN_MS = 100
/** How long new connections wait when no descriptor is left, until some are let in to be refused. */
const CLOSED_MS = 1000
const SAY_MS = 60_000

/** Where new connections come in. */
export interface Door {
  /** Takes them. */
  open(): void
  /** Leaves them waiting. */
  close(): void
}

/** Descriptors in reserve. */
export interface Spare {
  /** Fills the reserve; how many are left beside it: less than a tenth is `few`. */
  left(): "many" | "few" | "none"
  /** Gives the reserve away. */
  release(): void
}

/** What the check of file descriptors needs, and what it calls. */
export interface DescriptorsOptions {
  /** How many are left. */
  readonly spare: Spare
  /** Finds where new connections come in; called when they are to wait for the first time. */
  readonly door: () => Door
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /** Closes connections on which nothing is under way; returns how many. */
  readonly closeIdle: () => number
  /** Milliseconds that only pass. */
  readonly nowMs: () => number
  /** Called when they are scarce, at most once a minute, with the number of connections that were closed since. */
  readonly onScarce: (closed: number) => void
  /** Called when they cannot be checked. */
  readonly onError: (error: unknown) => void
}

/**
 * Checks every second whether the process runs out of file descriptors. When they are few, connections that only wait
 * for a next request are closed, and `areFew` has new requests refused. When none is left new connections wait; once
 * a second some get the descriptors of the reserve, so that they are refused with a message.
 */
export class Descriptors extends Repeating {
  readonly #reasons: Reasons
  readonly #options: DescriptorsOptions
  #door: Door | undefined
  /** Since when new connections wait; undefined while they are taken. */
  #closedMs: number | undefined
  #saidMs = Number.NEGATIVE_INFINITY
  #closed = 0
  /** Whether new requests are to be refused. */
  areFew = false

  constructor(reasons: Reasons, options: DescriptorsOptions) {
    super(TURN_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
  }

  /** Fills the reserve, and begins to look. */
  override async start(): Promise<void> {
    // While there are many: the reserve is filled before the first clients come.
    this.#look()
    await super.start()
  }

  /** Looks once; after they were few, often, until they have been many for a while: others may be waiting. */
  async turn(): Promise<void> {
    const { nowMs, sleep } = this.#options
    let fewMs = Number.NEGATIVE_INFINITY
    while (!this.isStopped) {
      if (this.#look()) fewMs = nowMs()
      if (nowMs() - fewMs >= TURN_MS) return
      await sleep(FEW_TURN_MS)
    }
  }

  /** Whether they are few. */
  #look(): boolean {
    const { spare, closeIdle } = this.#options
    const left = spare.left()
    this.areFew = left !== "many"
    this.#reasons.set("descriptors_exhausted", this.areFew)
    this.#mind(left)
    if (!this.areFew) return false
    this.#closed += closeIdle()
    this.#say()
    return true
  }

  /** Opens and closes the door. */
  #mind(left: ReturnType<Spare["left"]>): void {
    const { spare, nowMs } = this.#options
    if (this.#closedMs === undefined) {
      if (left !== "none") return
      this.#closedMs = nowMs()
      this.#found().close()
      return
    }
    if (left !== "many" && nowMs() - this.#closedMs < CLOSED_MS) return
    if (left === "none") spare.release()
    this.#closedMs = undefined
    this.#found().open()
  }

  /**
   * The door. Few servers ever need it, so it is looked for when it is closed for the first time, with descriptors of the
   * reserve, which the next look fills again.
   */
  #found(): Door {
    if (this.#door) return this.#door
    const { spare, door } = this.#options
    spare.release()
    this.#door = door()
    return this.#door
  }

  #say(): void {
    const { nowMs, onScarce } = this.#options
    if (nowMs() - this.#saidMs < SAY_MS) return
    this.#saidMs = nowMs()
    onScarce(this.#closed)
    this.#closed = 0
  }
}
