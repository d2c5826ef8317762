import type { Bus } from "../bus/bus.ts"
import { Repeating } from "../service.ts"
import type { Items } from "../store/contract/items.ts"
import type { Ended, Upkeep } from "../store/contract/upkeep.ts"
import { DAY_MS, endedBefore, newestBefore } from "./old-enough.ts"
import { removeFinished } from "./remove-finished.ts"

/** How often it looks whether something may go. */
const TURN_MS = 60_000
/** Rows that one transaction removes: a commit of a few milliseconds. */
const BATCH = 256
/** After a transaction it rests for this many times as long as that took, so that writers and streams hardly notice. */
const REST = 4
const MIN_REST_MS = 5
/** Of several servers one has the turn; it may come a little early. */
const TURN_SLACK_MS = 5000
/** The most minutes that are stored at a time, and that a start counts of the time before it. */
const HOUR = 60
/** The minutes of service after which they are stored for the first time: a start is followed by some of rest. */
const FIRST = 2
/** The remains of a deleted item stay for this long: its worker and its viewers can still learn of it. */
const DELETED_MS = 7 * DAY_MS
/** The newest completed items, on which the estimates of others are based. */
const KEEP_COMPLETED = 64
/** Unused room is given back to the disk in pieces of this size. */
const SHRINK_BYTES = 256 * 1024

/** How long things are kept. */
export interface RetentionOptions {
  /** How long a finished item keeps all of its updates, in milliseconds; 0 for ever. */
  readonly updatesMs: number
  /** The most updates that one item keeps; 0 if there is no limit. */
  readonly perItem: number
  /** How long finished items are kept, in milliseconds; 0 for ever. */
  readonly itemsMs: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** How long no server had run when this one started, in milliseconds; known by its first turn. */
  readonly awayMs: () => number
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /** Receives errors; it tries again at its next turn. */
  readonly onError: (error: unknown) => void
}

/** Removes what is old enough to go, in small steps. */
export class Retention extends Repeating {
  readonly #upkeep: Upkeep
  readonly #items: Items
  readonly #bus: Bus
  readonly #options: RetentionOptions
  /** Minutes of service that were counted, and those of them that are not stored yet. */
  #counted = 0
  #unstored = 0
  #beginsAtMs = Number.POSITIVE_INFINITY

  constructor(upkeep: Upkeep, items: Items, bus: Bus, options: RetentionOptions) {
    super(TURN_MS, options.onError)
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

  /** Removes everything that may go now; resolves when that is done, or the service is stopped. */
  async turn(): Promise<void> {
    const { now, updatesMs, perItem, itemsMs } = this.#options
    if (!(await this.#upkeep.turn("retention", TURN_MS - TURN_SLACK_MS))) return
    await this.#countMinute()
    const nowMs = now()
    const untilMs = this.#beginsAtMs - nowMs
    // A moment further away was set by a clock that was ahead.
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
    await this.#repeat(() => this.#upkeep.shrink(SHRINK_BYTES))
  }

  /**
   * Counts a minute of service for each turn: a clock that jumps does not change how many turns there are. The
   * time before a start, which only the clock knows, counts for an hour at most.
   */
  async #countMinute(): Promise<void> {
    const away = this.#counted === 0 ? Math.floor(this.#options.awayMs() / TURN_MS) : 0
    this.#counted += 1
    this.#unstored += 1 + Math.min(away, HOUR - 1)
    // A new start stores often, so that updates grow old even on a machine that runs for minutes only; a server
    // at rest hardly writes.
    if (this.#counted < FIRST || this.#unstored < Math.min(this.#counted / 2, HOUR)) return
    const minutes = Math.min(this.#unstored, HOUR)
    await this.#upkeep.passMinutes(minutes)
    this.#unstored -= minutes
  }

  async #repeat(step: () => Promise<number>): Promise<void> {
    while (!this.isStopped) {
      const startedMs = performance.now()
      if ((await step()) === 0) return
      await this.#options.sleep(Math.max(MIN_REST_MS, REST * (performance.now() - startedMs)))
    }
  }
}
