import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"

/** How often it checks while few descriptors are left. */
const FEW_ROUND_MS = 100
/** It checks so often until many were left for this long. */
const MANY_MS = 1000
/**
 * When no descriptor is left, new connections wait for this time. Then some are accepted and refused with a
 * message.
 */
const CLOSED_MS = 1000
const SAY_MS = 60_000

/** The sockets that accept new connections. */
export interface Door {
  /** Accepts new connections. */
  open(): void
  /** Lets new connections wait. */
  close(): void
}

/** A reserve of descriptors. */
export interface Spare {
  /** Fills the reserve, and returns how many descriptors are left beside it. Less than a tenth is `few`. */
  left(): "many" | "few" | "none"
  /** Releases the reserve. */
  release(): void
}

/** What the check of file descriptors needs, and what it calls. */
export interface DescriptorsOptions {
  /** The reserve of descriptors. */
  readonly spare: Spare
  /**
   * Finds the sockets that accept new connections. It is called when connections must wait for the first
   * time.
   */
  readonly door: () => Door
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /** Closes connections without a request under way; returns how many. */
  readonly closeIdle: () => number
  /** Milliseconds that only pass. */
  readonly nowMs: () => number
  /**
   * Called while few are left, at most once a minute, with the number of connections that were closed since
   * the last call.
   */
  readonly onScarce: (closed: number) => void
  /** Called when the descriptors cannot be checked. */
  readonly onError: (error: unknown) => void
}

/**
 * Checks every second whether the process runs out of file descriptors. If few are left, it closes
 * connections that only wait for a next request, and sets `areFew`, so that new requests are refused. If none
 * is left, new connections wait. Once a second, some of them get the descriptors of the reserve, so that they
 * are refused with a message.
 */
export class Descriptors extends Repeating {
  readonly #reasons: Reasons
  readonly #options: DescriptorsOptions
  #door: Door | undefined
  /** Since when new connections wait; undefined while they are accepted. */
  #closedMs: number | undefined
  #saidMs = Number.NEGATIVE_INFINITY
  #closed = 0
  /** Whether new requests are to be refused. */
  areFew = false

  constructor(reasons: Reasons, options: DescriptorsOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
  }

  /** Fills the reserve, and begins to check. */
  override async start(): Promise<void> {
    // The reserve is filled before the first clients connect, while many descriptors are left.
    this.#look()
    await super.start()
  }

  /**
   * Checks once. After few were left, it checks often until many were left for a while: other connections may
   * be waiting.
   */
  async round(): Promise<void> {
    const { nowMs, sleep } = this.#options
    let fewMs = Number.NEGATIVE_INFINITY
    while (!this.isStopped) {
      if (this.#look()) fewMs = nowMs()
      if (nowMs() - fewMs >= MANY_MS) return
      await sleep(FEW_ROUND_MS)
    }
  }

  /** Whether few are left. */
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

  /** Lets new connections wait, or accepts them again. */
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
   * The sockets that accept new connections. Few servers ever need them, so they are searched when
   * connections must wait for the first time. The search uses the descriptors of the reserve, which the next
   * check fills again.
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
