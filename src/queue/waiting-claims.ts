import { WorkSlice } from "../background-work.ts"
import { AppError } from "../errors.ts"
import type { Items } from "../store/contract/items.ts"

/** The part of the server's time that may be used for searching work for waiting claims. */
const LOOKING_PART = 0.1
const MAX_PAUSE_MS = 250
/** A search of many groups lets other work go on after this time. */
const SLICE_MS = 5

/** Claims that wait for the same items: the tags of their workers, and the function that wakes each. */
interface Group {
  readonly tags: readonly string[]
  readonly rings: Set<() => void>
}

/** Wakes a waiting claim. */
export interface ClaimBell extends Disposable {
  /** Resolves when there may be something to claim, when the signal aborts, or when the bell is disposed of. */
  readonly rung: Promise<void>
}

/** How claims wait. */
export interface WaitingClaimsOptions {
  /** Called when the database cannot be read; the next search tries again. */
  readonly onError: (error: unknown) => void
  /**
   * How many different sets of tags the waiting claims of one client may have, because each of them is
   * searched; 0 (the default) for no limit.
   */
  readonly mostTagSets?: number | undefined
  /** Called with the duration of each search, in seconds; absent for no call. */
  readonly onLook?: ((seconds: number) => void) | undefined
  /**
   * The shortest time between two searches, in milliseconds, because many servers may search one database;
   * default 0.
   */
  readonly restMs?: number | undefined
}

/** The claims that wait for an item. They are woken only if there is an item that they may take. */
export class WaitingClaims {
  readonly #items: Items
  readonly #onError: (error: unknown) => void
  readonly #mostTagSets: number
  readonly #restMs: number
  readonly #onLook: (seconds: number) => void
  readonly #groups = new Map<string, Group>()
  /** How many claims of each client wait with each set of tags. */
  readonly #counts = new Map<string | undefined, Map<string, number>>()
  #isAsked = false
  #isLooking = false
  #restUntilMs = 0

  constructor(items: Items, { onError, mostTagSets = 0, onLook, restMs = 0 }: WaitingClaimsOptions) {
    this.#restMs = restMs
    this.#mostTagSets = mostTagSets
    this.#onLook = onLook ?? (() => undefined)
    this.#items = items
    this.#onError = onError
  }

  /**
   * A bell for a claim of a worker with these tags; undefined if this client's claims wait with too many other
   * sets of tags. All claims without a client count as those of one.
   */
  bell(tags: readonly string[], signal: AbortSignal, client?: string): ClaimBell | undefined {
    const { promise, resolve } = Promise.withResolvers<void>()
    const key = JSON.stringify(tags.toSorted())
    const counts = this.#counts.get(client)
    const isNew = counts?.has(key) !== true
    if (isNew && this.#mostTagSets > 0 && (counts?.size ?? 0) >= this.#mostTagSets) return undefined
    const group = this.#groups.get(key) ?? { tags, rings: new Set() }
    this.#count(client, key, 1)
    const ring = (): void => {
      if (group.rings.delete(ring)) this.#count(client, key, -1)
      if (group.rings.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key)
      signal.removeEventListener("abort", ring)
      resolve()
    }
    this.#groups.set(key, group)
    group.rings.add(ring)
    signal.addEventListener("abort", ring)
    return { rung: promise, [Symbol.dispose]: ring }
  }

  #count(client: string | undefined, key: string, change: 1 | -1): void {
    const counts = this.#counts.get(client) ?? new Map<string, number>()
    this.#counts.set(client, counts)
    const count = (counts.get(key) ?? 0) + change
    if (count > 0) counts.set(key, count)
    else counts.delete(key)
    if (counts.size === 0) this.#counts.delete(client)
  }

  /** Why a claim cannot wait. */
  get refusal(): AppError {
    return new AppError(
      "unavailable",
      `the claims of this client wait with ${this.#mostTagSets} different sets of tags, which is the limit; claim without wait, or raise --max-tag-sets`,
    )
  }

  /** Wakes all claims. */
  ringAll(): void {
    for (const { rings } of this.#groups.values()) for (const ring of rings) ring()
  }

  /**
   * Wakes the claims for which there is an item. It searches at most once per tick of the event loop, however
   * often it is called. The longer a search takes, the longer is the pause before the next one.
   */
  look(): void {
    this.#isAsked = true
    if (this.#isLooking || this.#groups.size === 0) return
    this.#isLooking = true
    const lookNow = (): void => void this.#look()
    const pauseMs = this.#restUntilMs - performance.now()
    if (pauseMs > 0) setTimeout(lookNow, pauseMs)
    else setImmediate(lookNow)
  }

  async #look(): Promise<void> {
    this.#isAsked = false
    const startedMs = performance.now()
    const slice = new WorkSlice(SLICE_MS)
    try {
      // Claims that wait again meanwhile have the next search: this one must end.
      for (const { tags, rings } of [...this.#groups.values()]) {
        if (slice.isOver) await slice.next()
        if (rings.size > 0 && (await this.#items.nextWaiting(tags))) for (const ring of rings) ring()
      }
    } catch (error) {
      this.#onError(error)
    }
    const nowMs = performance.now()
    this.#onLook((nowMs - startedMs) / 1000)
    const pauseMs = (nowMs - startedMs) * (1 / LOOKING_PART - 1)
    this.#restUntilMs = nowMs + Math.max(Math.min(pauseMs, MAX_PAUSE_MS), this.#restMs)
    this.#isLooking = false
    if (this.#isAsked) this.look()
  }
}
