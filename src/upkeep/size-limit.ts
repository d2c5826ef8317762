import type { Bus } from "../bus/bus.ts"
import { BEAT_MS, Repeating } from "../service.ts"
import type { Items } from "../store/contract/items.ts"
import type { Upkeep } from "../store/contract/upkeep.ts"
import { DAY_MS, endedBefore, newestBefore } from "./old-enough.ts"
import { removeFinished } from "./remove-finished.ts"
import { restMs } from "./rest-after-step.ts"

/** How often it checks how large the database is, in milliseconds. */
const TURN_MS = 2 * BEAT_MS
/**
 * Above this part of the limit, it reports that the limit is near. When it makes room, it stops at this part.
 */
const NEAR = 0.9
/** The number of rows that one transaction removes. */
const BATCH = 256
/**
 * The history of a deleted item is removed only after this many milliseconds, so that viewers can hear of the
 * deletion.
 */
const HEARD_MS = 10 * 60_000

/** The limit for the size of the database. */
export interface SizeLimitOptions {
  /** The most bytes of used pages and write-ahead log; 0 if there is no limit. */
  readonly mostBytes: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /**
   * Called after each turn, and after each step in which room was made: whether the limit is near, and
   * whether it is reached and nothing more can be removed.
   */
  readonly onLook: (isNear: boolean, isFull: boolean) => void
  /** Receives errors; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Keeps the size of the database within a limit: the oldest history of finished items is removed first, then
 * finished items themselves.
 */
export class SizeLimit extends Repeating {
  readonly #upkeep: Upkeep
  readonly #items: Items
  readonly #bus: Bus
  readonly #options: SizeLimitOptions

  constructor(upkeep: Upkeep, items: Items, bus: Bus, options: SizeLimitOptions) {
    super(TURN_MS, options.onError)
    this.#upkeep = upkeep
    this.#items = items
    this.#bus = bus
    this.#options = options
  }

  /** Starts the timer, unless there is no limit. */
  override async start(): Promise<void> {
    if (this.#options.mostBytes > 0) await super.start()
  }

  /** Makes room if the limit is reached. */
  async turn(): Promise<void> {
    const { mostBytes, onLook } = this.#options
    let used = await this.#used()
    const isDue = used >= mostBytes
    while (isDue && used > NEAR * mostBytes && !this.isStopped) {
      const [before, startedMs] = [used, performance.now()]
      if (!(await this.#makeRoom())) break
      onLook(true, false)
      used = await this.#used()
      // Above the limit a rest would let writers add more than is removed.
      if (used < before || used < mostBytes) await this.#options.sleep(restMs(performance.now() - startedMs))
    }
    // A turn that was ended early does not know whether more could be removed.
    if (!this.isStopped) onLook(used > NEAR * mostBytes, used >= mostBytes)
  }

  /** The bytes in use. Pages that stand in the log as well are counted once. */
  async #used(): Promise<number> {
    const { used } = await this.#upkeep.size()
    if (used <= NEAR * this.#options.mostBytes) return used
    await this.#upkeep.checkpoint()
    return (await this.#upkeep.size()).used
  }

  /** Removes some of what may be removed; returns false if there is nothing. */
  async #makeRoom(): Promise<boolean> {
    const nowMs = this.#options.now()
    if ((await this.#upkeep.purge(await endedBefore(this.#upkeep, nowMs, HEARD_MS), BATCH)) > 0) return true
    // Nothing younger than a day is removed, however full the database is.
    const finished = await endedBefore(this.#upkeep, nowMs, DAY_MS)
    const upTo = await newestBefore(this.#upkeep, DAY_MS)
    const thinning = { finished, perItem: 0, upTo, keepCompleted: 0, limit: BATCH }
    if ((await this.#upkeep.thin(thinning)) > 0) return true
    return (await removeFinished(this.#upkeep, this.#items, this.#bus, finished, BATCH)) > 0
  }
}
