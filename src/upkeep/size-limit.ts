import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Bus } from "../bus/bus.ts"
import type { Items } from "../store/contract/items.ts"
import type { Ended, Upkeep } from "../store/contract/upkeep.ts"
import { DAY_MS, endedBefore, newestBefore } from "./old-enough.ts"
import { removeFinished } from "./remove-finished.ts"
import { restMs } from "./rest-after-step.ts"

/** How often it checks how large the database is, in milliseconds. */
const ROUND_MS = 2 * FAST_ROUND_MS
/**
 * Above this part of the limit, it reports that the limit is near. When it makes room, it stops at this part.
 */
const NEAR = 0.9
/**
 * From this part of the limit on it makes room. It begins before the limit is reached, because what a deleted item takes
 * is free only later.
 */
const DUE = 0.95
/** From this part of the limit on even claims are refused. Each of them adds to the history of its item for good. */
const FAR_TOO_LARGE = 1.1
/** After a look at its size, the database may grow by this part of the limit before the next one. */
const GROWTH = 1 / 32
/** The number of rows that one transaction removes. */
const BATCH = 256
/**
 * The history of a deleted item is removed only after this many milliseconds, so that viewers can hear of the
 * deletion.
 */
const HEARD_MS = 10 * 60_000

/**
 * How full the database is: far from the limit, near it, at it or above it while nothing more can be removed, or then above it
 * by a tenth.
 */
export type Fill = "low" | "near" | "full" | "far too large"

/** The limit for the size of the database. */
export interface SizeLimitOptions {
  /** The most bytes of used pages and write-ahead log; 0 if there is no limit. */
  readonly mostBytes: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>
  /** Called after each round, after each step in which room was made, and while items are deleted. */
  readonly onLook: (fill: Fill) => void
  /** Called when writers have filled the database faster than room is made; `onLook` says when there is room again. */
  readonly onFilled: () => void
  /** Receives errors; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Keeps the size of the database within a limit: the oldest history of finished items is removed first, then
 * finished items themselves, the oldest first and no more than have to go.
 */
export class SizeLimit extends Repeating {
  readonly #upkeep: Upkeep
  readonly #items: Items
  readonly #bus: Bus
  readonly #options: SizeLimitOptions
  /** A commit that uses this many bytes or more begins a round at once. */
  #lookAbove: number
  /** A commit whose pages take this many bytes or more is the last until there is room again. */
  #mostPages: number
  /** Whether the latest report was that it is full. */
  #isFull = false
  #round: Promise<void> | undefined
  /** The latest round that a commit has begun. */
  #begun: Promise<void> | undefined

  constructor(upkeep: Upkeep, items: Items, bus: Bus, options: SizeLimitOptions) {
    super(ROUND_MS, options.onError)
    this.#upkeep = upkeep
    this.#items = items
    this.#bus = bus
    this.#options = options
    this.#lookAbove = NEAR * options.mostBytes
    this.#mostPages = options.mostBytes
  }

  /** Starts the timer, unless there is no limit. */
  override async start(): Promise<void> {
    if (this.#options.mostBytes > 0) await super.start()
  }

  /** Stops like any service, after a round that a commit has begun, too. */
  override async stop(): Promise<void> {
    await super.stop()
    await this.#begun?.catch(() => undefined)
  }

  /** Makes room if the limit is nearly reached. If a round is under way, this waits for its end. */
  async round(): Promise<void> {
    this.#round ??= this.#makeRoom().finally(() => (this.#round = undefined))
    await this.#round
  }

  /**
   * Looks how large the database is after a commit: between two rounds of the timer, many fast writers can write more
   * than the limit leaves.
   */
  async committed(): Promise<void> {
    const { onFilled, onError } = this.#options
    try {
      const { used, wal } = await this.#upkeep.size()
      const isFilled = used - wal >= this.#mostPages && !this.#isFull
      if (isFilled) {
        this.#isFull = true
        onFilled()
      }
      const isLookDue = isFilled || used >= this.#lookAbove
      if (!isLookDue || this.#round !== undefined || this.isStopped) return
      this.#begun = this.round()
      await this.#begun
    } catch (error) {
      onError(error)
    }
  }

  async #makeRoom(): Promise<void> {
    const { mostBytes } = this.#options
    let used = await this.#used()
    const isDue = used >= DUE * mostBytes
    let most = Number.POSITIVE_INFINITY
    while (isDue && used > NEAR * mostBytes && !this.isStopped) {
      const [before, startedMs] = [used, performance.now()]
      if (!(await this.#removeHistory())) break
      used = await this.#used()
      most = Math.min(most, used + GROWTH * mostBytes)
      this.#mostPages = Math.max(mostBytes, most)
      // Some steps free less than writers add meanwhile, or nothing: items with little history are looked at, too.
      if (used < this.#mostPages) this.#tell("near")
      // Above the limit a rest would let writers add more than is removed.
      if (used < before || used < mostBytes) await this.#options.sleep(restMs(performance.now() - startedMs))
    }
    this.#mostPages = mostBytes
    if (used >= DUE * mostBytes && !this.isStopped) used = await this.#removeItems(used)
    const next = [NEAR, DUE, 1, FAR_TOO_LARGE].map((part) => part * mostBytes).find((bytes) => bytes > used)
    this.#lookAbove = Math.max(next ?? used, used + GROWTH * mostBytes)
    // A round that was ended early does not know whether more could be removed.
    if (this.isStopped) return
    this.#tellOf(used)
  }

  /** Tells how large the database is when no more history can be removed, or none has to be. */
  #tellOf(used: number): void {
    const { mostBytes } = this.#options
    if (used >= FAR_TOO_LARGE * mostBytes) this.#tell("far too large")
    else if (used >= mostBytes) this.#tell("full")
    else this.#tell(used > NEAR * mostBytes ? "near" : "low")
  }

  #tell(fill: Fill): void {
    this.#isFull = fill === "full" || fill === "far too large"
    this.#options.onLook(fill)
  }

  /** The bytes in use. Pages that stand in the log as well are counted once. */
  async #used(): Promise<number> {
    const { used } = await this.#upkeep.size()
    if (used <= NEAR * this.#options.mostBytes) return used
    await this.#upkeep.checkpoint()
    return (await this.#upkeep.size()).used
  }

  /** Removes some of the history that may be removed; returns false if there is none. */
  async #removeHistory(): Promise<boolean> {
    const deleted = await endedBefore(this.#upkeep, this.#options.now(), HEARD_MS)
    if ((await this.#upkeep.purge(deleted, BATCH)) > 0) return true
    const upTo = await newestBefore(this.#upkeep, DAY_MS)
    const thinning = { finished: await this.#old(), perItem: 0, upTo, keepCompleted: 0, limit: BATCH }
    return (await this.#upkeep.thin(thinning)) > 0
  }

  /**
   * Deletes the oldest finished items. Their history is removed only after `HEARD_MS`, so until then nobody sees how
   * much room that makes. It deletes as large a part of all items as the part of the database that is too much; deleted
   * items whose history is not removed yet count. Returns how many bytes are used then.
   */
  async #removeItems(used: number): Promise<number> {
    const { mostBytes, sleep } = this.#options
    const { present, deleted } = await this.#upkeep.items()
    const finished = await this.#old()
    let left = Math.ceil((present + deleted) * (1 - (NEAR * mostBytes) / used)) - deleted
    let now = used
    while (left > 0 && !this.isStopped) {
      // This can take minutes, and frees nothing until then.
      this.#tellOf(now)
      const startedMs = performance.now()
      const count = Math.min(BATCH, left)
      const removed = await removeFinished(this.#upkeep, this.#items, this.#bus, finished, count)
      if (removed === 0) break
      left -= removed
      await sleep(restMs(performance.now() - startedMs))
      now = await this.#used()
    }
    return now
  }

  /**
   * The times within which an item ended that may be deleted. Nothing younger than a day is removed, however full the
   * database is.
   */
  #old(): Promise<readonly Ended[]> {
    return endedBefore(this.#upkeep, this.#options.now(), DAY_MS)
  }
}
