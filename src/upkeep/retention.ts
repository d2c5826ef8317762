import { Repeating } from "../background-work.ts"
import type { Bus } from "../bus/bus.ts"
import type { Items } from "../store/contract/items.ts"
import type { Ended, Upkeep } from "../store/contract/upkeep.ts"
import { DAY_MS, endedBefore, newestBefore } from "./old-enough.ts"
import { removeFinished } from "./remove-finished.ts"
import { restMs } from "./rest-after-step.ts"

/** How often it checks whether something may be removed, in milliseconds. */
const ROUND_MS = 60_000
/** The number of rows that one transaction removes: a commit of a few milliseconds. */
const BATCH = 256
/** If there are several servers, one of them does the work of a round. It may begin this many milliseconds early. */
const ROUND_SLACK_MS = 5000
/**
 * The most minutes that are stored at a time. A start also counts at most this many minutes of the time
 * before it.
 */
const HOUR_MINUTES = 60
/**
 * After this many minutes of service they are stored for the first time: a start is followed by some minutes
 * of rest.
 */
const FIRST_MINUTES = 5
/**
 * The rest of a deleted item stays for this long, so that its worker and its viewers can still learn that it
 * was deleted.
 */
const DELETED_MS = 7 * DAY_MS
/** The number of newest completed items that stay, because the estimates of others are based on them. */
const KEEP_COMPLETED = 64
/**
 * The number of newest runs that stay, of all kinds together: 10 to 20 MB. Those of the thousand kinds that are listed
 * fit in.
 */
const KEEP_RUNS = 10_000
/** Unused room is given back to the disk in pieces of this size. */
const SHRINK_BYTES = 256 * 1024

/** How long things are kept, and what the removal needs. */
export interface RetentionOptions {
  /** How long a finished item keeps all of its updates, in milliseconds; 0 for ever. */
  readonly updatesMs: number
  /** The most updates that one item keeps; 0 if there is no limit. */
  readonly perItem: number
  /** How long finished items are kept, in milliseconds; 0 for ever. */
  readonly itemsMs: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** How long no server had run when this one started, in milliseconds. It is known at the first round. */
  readonly awayMs: () => number
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /** Receives errors. The next round tries again. */
  readonly onError: (error: unknown) => void
}

/** Removes everything that is old enough, in small steps. */
export class Retention extends Repeating {
  readonly #upkeep: Upkeep
  readonly #items: Items
  readonly #bus: Bus
  readonly #options: RetentionOptions
  /** Minutes of service that were counted, and how many of them are not stored yet. */
  #counted = 0
  #unstored = 0
  #beginsAtMs = Number.POSITIVE_INFINITY

  constructor(upkeep: Upkeep, items: Items, bus: Bus, options: RetentionOptions) {
    super(ROUND_MS, options.onError)
    this.#upkeep = upkeep
    this.#items = items
    this.#bus = bus
    this.#options = options
  }

  /** When removing begins or began, in epoch milliseconds; known once the service has started. */
  get beginsAtMs(): number {
    return this.#beginsAtMs
  }

  /** Reads when removing begins, and starts the timer. */
  override async start(): Promise<void> {
    this.#beginsAtMs = await this.#upkeep.beginsAt(DAY_MS)
    await super.start()
  }

  /** Removes everything that may be removed now. Resolves when that is done, or the service is stopped. */
  async round(): Promise<void> {
    const { now, updatesMs, perItem, itemsMs } = this.#options
    if (!(await this.#upkeep.takeTimer("retention", ROUND_MS - ROUND_SLACK_MS))) return
    await this.#countMinute()
    const nowMs = now()
    const untilMs = this.#beginsAtMs - nowMs
    // A time further in the future was stored while the clock was ahead.
    if (untilMs > 0 && untilMs <= DAY_MS) return
    const before = (ms: number): Promise<readonly Ended[]> => endedBefore(this.#upkeep, nowMs, ms)
    const thinning = {
      finished: updatesMs === 0 ? [] : await before(Math.max(updatesMs, DAY_MS)),
      perItem,
      upTo: await newestBefore(this.#upkeep, DAY_MS),
      keepCompleted: KEEP_COMPLETED,
      limit: BATCH,
    }
    const [finished, deleted] = [itemsMs === 0 ? [] : await before(itemsMs), await before(DELETED_MS)]
    await this.#repeat(() => removeFinished(this.#upkeep, this.#items, this.#bus, finished, BATCH))
    await this.#repeat(() => this.#upkeep.thin(thinning))
    await this.#repeat(() => this.#upkeep.purge(deleted, BATCH))
    await this.#repeat(() => this.#upkeep.forgetRuns(KEEP_RUNS, BATCH))
    await this.#repeat(() => this.#upkeep.shrink(SHRINK_BYTES))
  }

  /**
   * Counts a minute of service for each round: a clock that jumps does not change how many rounds there are. The
   * time before a start, which only the clock knows, counts for an hour at most.
   */
  async #countMinute(): Promise<void> {
    const away = this.#counted === 0 ? Math.floor(this.#options.awayMs() / ROUND_MS) : 0
    this.#counted += 1
    this.#unstored += 1 + Math.min(away, HOUR_MINUTES - 1)
    // Soon after a start it stores often, so that updates grow old even on a machine that runs only for
    // minutes. A server at rest hardly writes.
    if (this.#counted < FIRST_MINUTES || this.#unstored < Math.min(this.#counted / 2, HOUR_MINUTES)) return
    const minutes = Math.min(this.#unstored, HOUR_MINUTES)
    await this.#upkeep.passMinutes(minutes)
    this.#unstored -= minutes
  }

  async #repeat(step: () => Promise<number>): Promise<void> {
    while (!this.isStopped) {
      const startedMs = performance.now()
      if ((await step()) === 0) return
      await this.#options.sleep(restMs(performance.now() - startedMs))
    }
  }
}
