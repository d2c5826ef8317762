import { WorkSlice } from "../../background-work.ts"
import type { QueueItem } from "../../item/item.ts"
import { isWaiting } from "../../item/moves.ts"
import {
  type Candidate,
  compare,
  firstFitting,
  needsOf,
  sorted,
  tagsOf,
  type WaitingIndex,
  type WaitingPlace,
} from "./claim-by-tags.ts"

/** With more sets, claims search without this memory. */
const MOST_SETS = 50_000
/** After this time the sets are read again, because there may be fewer. */
const REST_MS = 60_000
/** Reading the sets lets other work go on after this time. */
const SLICE_MS = 5
/** Stands for a tag where a set has none; no tag is empty. */
const NO_TAG = ""

/** How items that wait are found. */
export interface WaitingItems extends WaitingIndex {
  /** Like `seek`, also while the queue is paused, and for items whose song another worker has. */
  readonly seekAny: (from: Uint8Array) => Candidate | null
}

/** A set of tags that waiting items need. */
interface NeededSet {
  readonly key: Buffer
  readonly tags: readonly string[]
  /** No item of the set comes before this place. */
  first: WaitingPlace
  /** The tag at which the set is kept. */
  tag: string
}

/**
 * The different sets of tags that waiting items need, in memory. They are read and used only where a claim cannot
 * find its item in a few steps.
 *
 * Each set is kept at one of its tags, and a claim looks only at the sets that are kept at tags of the worker. A set
 * with a foreign tag is moved to that tag. So what workers of a kind cannot take costs them nothing the next time.
 *
 * The memory may know a set of which no item waits any longer, or a place that is too early: that costs one question.
 * It must not miss any, so it notes each item that is written, and is forgotten when that is not enough.
 */
export class WaitingSets {
  readonly #items: WaitingItems
  readonly #all = new Map<string, NeededSet>()
  readonly #byTag = new Map<string, Set<NeededSet>>()
  readonly #mostSets: number
  #state: "unknown" | "loading" | "known" = "unknown"
  #loading: Promise<void> | undefined
  #searching: Promise<Candidate | null> = Promise.resolve(null)
  #restUntilMs = 0

  /** `mostSets` is how many sets are kept at most. */
  constructor(items: WaitingItems, mostSets = MOST_SETS) {
    this.#items = items
    this.#mostSets = mostSets
  }

  /**
   * The first item in the queue's order that needs only tags of this list; null if there is none; undefined if that
   * takes long to find out: see `found`. With `set`, the first item that needs the same tags as that one.
   */
  first(tags: readonly string[], set?: Candidate): WaitingPlace | null | undefined {
    if (set) return this.#of(set.needs, this.#items.seek) ?? undefined
    // Nearly always this ends at once: few sets fit, or one of the first items does.
    const near = firstFitting(tags, this.#items).next()
    if (near.done === true) return near.value
    return this.#state === "known" ? this.#firstOfSets(tags) : undefined
  }

  #firstOfSets(tags: readonly string[]): WaitingPlace | null {
    let best: WaitingPlace | null = null
    for (const set of this.#fitting(tags).sort((a, b) => compare(a.first, b.first))) {
      if (best && compare(best, set.first) < 0) break
      const earliest = this.#of(set.key, this.#items.seekAny)
      if (!earliest) {
        this.#remove(set)
        continue
      }
      set.first = earliest
      const found = this.#of(set.key, this.#items.seek)
      if (found && (!best || compare(found, best) < 0)) best = found
    }
    return best
  }

  /**
   * Runs a search by `first`. If it returns undefined, it is run again after the sets were loaded, or, if they are too
   * many, with an item that was found meanwhile; if there is none, the result is null. Other work goes on meanwhile.
   */
  async found<T>(
    tags: readonly string[],
    search: (set?: Candidate) => Promise<T | undefined>,
  ): Promise<T | null> {
    let set: Candidate | undefined
    for (;;) {
      const found = await search(set)
      if (found !== undefined) return found
      set = undefined
      if (performance.now() < this.#restUntilMs) {
        this.#searching = this.#searching.catch(() => null).then(() => this.#slowly(tags))
        const slow = await this.#searching
        if (!slow) return null
        set = slow
        continue
      }
      this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
      await this.#loading
    }
  }

  /** Searches without the memory. One claim does this at a time, or many of them would hold up all others together. */
  async #slowly(tags: readonly string[]): Promise<Candidate | null> {
    const parts = firstFitting(tags, this.#items)
    for (const slice = new WorkSlice(SLICE_MS); ;) {
      const part = parts.next()
      if (part.done === true) return part.value
      if (slice.isOver) await slice.next()
    }
  }

  /** Notes an item that was written. */
  note({ id, status, tags, priority, turn }: QueueItem): void {
    if (this.#state === "unknown" || !isWaiting(status)) return
    this.noteWaiting({ id, rank: -priority, place: turn ?? id, needs: needsOf(tags) })
  }

  /** Notes an item that waits, or will wait once its time has come. */
  noteWaiting({ needs, rank, place, id }: Candidate): void {
    if (this.#state === "unknown") return
    const key = Buffer.from(needs)
    const text = key.toString("latin1")
    const known = this.#all.get(text)
    const first = { rank, place, id }
    if (known) {
      if (compare(first, known.first) < 0) known.first = first
      return
    }
    if (this.#all.size === this.#mostSets) {
      this.#rest()
      return
    }
    const tags = tagsOf(key)
    const set: NeededSet = { key, tags, first, tag: tags[0] ?? NO_TAG }
    this.#all.set(text, set)
    this.#keepAt(set.tag, set)
  }

  /** Forgets the sets: the database was changed by others, or a change was undone. */
  forget(): void {
    this.#state = "unknown"
    this.#all.clear()
    this.#byTag.clear()
  }

  async #load(): Promise<void> {
    this.forget()
    this.#state = "loading"
    const slice = new WorkSlice(SLICE_MS)
    let found = this.#items.seekAny(new Uint8Array())
    while (found && this.#state === "loading") {
      this.noteWaiting(found)
      if (slice.isOver) await slice.next()
      // No key lies between a key and the same key with a zero byte more.
      found = this.#items.seekAny(Buffer.concat([found.needs, Buffer.alloc(1)]))
    }
    if (this.#state === "loading") this.#state = "known"
    else this.#rest()
  }

  #rest(): void {
    this.forget()
    this.#restUntilMs = performance.now() + REST_MS
  }

  #fitting(tags: readonly string[]): NeededSet[] {
    const own = new Set(sorted(tags))
    const fitting: NeededSet[] = []
    for (const tag of [NO_TAG, ...own]) {
      for (const set of this.#byTag.get(tag) ?? []) {
        const foreign = set.tags.find((needed) => !own.has(needed))
        if (foreign === undefined) fitting.push(set)
        else this.#keepAt(foreign, set)
      }
    }
    return fitting
  }

  #of(key: Uint8Array, seek: WaitingIndex["seek"]): WaitingPlace | null {
    const found = seek(key)
    if (!found || Buffer.compare(found.needs, key) !== 0) return null
    return { rank: found.rank, place: found.place, id: found.id }
  }

  #keepAt(tag: string, set: NeededSet): void {
    this.#leaveTag(set)
    set.tag = tag
    const sets = this.#byTag.get(tag) ?? new Set()
    this.#byTag.set(tag, sets.add(set))
  }

  #leaveTag(set: NeededSet): void {
    const sets = this.#byTag.get(set.tag)
    if (sets?.delete(set) && sets.size === 0) this.#byTag.delete(set.tag)
  }

  #remove(set: NeededSet): void {
    this.#leaveTag(set)
    this.#all.delete(set.key.toString("latin1"))
  }
}
