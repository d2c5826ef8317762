/** Ends each tag in a key; no tag contains it. */
const END = "\0"
/** After this many steps from key to key, it reads the next items in the queue's order. */
const STEPS_A_LOOK = 64
/** How many items of the queue's order are read at first, and later at once. */
const FIRST_ITEMS = 100
const ITEMS_A_LOOK = 2000

/**
 * The tags that an item needs, as one key: in ascending order, each ended by a zero byte. Keys of sets that begin with
 * the same tags lie side by side in an index.
 */
export const needsOf = (tags: readonly string[]): Buffer => keyOf(sorted(tags))

/** Each tag as its UTF-8 bytes, one character per byte, so that texts sort as in the index. */
export const sorted = (tags: readonly string[]): string[] =>
  [...new Set(tags)].map((tag) => Buffer.from(tag).toString("latin1")).sort()

const keyOf = (tags: readonly string[]): Buffer =>
  Buffer.from(tags.map((tag) => tag + END).join(""), "latin1")

/** The tags of a key, in their order, each as `sorted` writes it. */
export const tagsOf = (needs: Uint8Array): string[] =>
  Buffer.from(needs).toString("latin1").split(END).slice(0, -1)

/** A place in the queue's order. */
export interface WaitingPlace {
  /** The id of the item. */
  readonly id: number
  /** Its priority, negative: lower comes first. */
  readonly rank: number
  /** Its place among the items of its priority: lower comes first. */
  readonly place: number
}

/** Comes before every item. */
const BEGINNING: WaitingPlace = { rank: Number.MIN_SAFE_INTEGER, place: 0, id: 0 }

/** An item that waits, and what it needs. */
export interface Candidate extends WaitingPlace {
  /** The key of its tags, as `needsOf` makes it. */
  readonly needs: Uint8Array
}

/** The two ways to find items that wait. */
export interface WaitingIndex {
  /** The first item, by key, then by place, whose key is not below the given one. */
  readonly seek: (from: Uint8Array) => Candidate | null
  /**
   * The next items in the queue's order after a place in it, at most so many, and none at the end of the queue.
   */
  readonly after: (last: WaitingPlace, most: number) => readonly Found[]
}

/** An item in the queue's order. */
export interface Found extends Candidate {
  /** 1 if the item waits only for a worker; 0 if it may not be claimed now. */
  readonly isReady: number
}

/**
 * The first item in the queue's order that needs only tags of this list; null if there is none. It yields after each
 * part of the search, which takes a few milliseconds at most.
 *
 * Items that the worker cannot take cost nothing: one seek passes a key with a foreign tag, together with all
 * keys that begin in the same way. Each key that the worker can take is read, and for a worker with many tags
 * there may be thousands. So the search alternates between the keys and the queue from its beginning: the
 * part that ends first gives the answer.
 */
export function* firstFitting(
  tags: readonly string[],
  { seek, after }: WaitingIndex,
): Generator<void, Candidate | null, void> {
  const given = sorted(tags)
  const own = new Set(given)
  const fits = (needed: readonly string[]): boolean => needed.every((tag) => own.has(tag))
  let best: Candidate | null = null
  let last = BEGINNING
  let steps = 0
  for (let from: Uint8Array | null = new Uint8Array(); from;) {
    if (steps > 0 && steps % STEPS_A_LOOK === 0) {
      const page = after(last, last === BEGINNING ? FIRST_ITEMS : ITEMS_A_LOOK)
      last = page.at(-1) ?? last
      const first = page.find(({ isReady, needs }) => isReady === 1 && fits(tagsOf(needs)))
      if (first || page.length === 0) return first ?? null
      yield
    }
    steps += 1
    const found = seek(from)
    if (!found) break
    const needed = tagsOf(found.needs)
    const foreign = needed.findIndex((tag) => !own.has(tag))
    if (foreign < 0 && (!best || compare(found, best) < 0)) best = found
    from =
      foreign < 0 ? next(given, needed, undefined) : next(given, needed.slice(0, foreign), needed[foreign])
  }
  return best
}

/** The queue's order. */
export const compare = (a: WaitingPlace, b: WaitingPlace): number =>
  a.rank - b.rank || a.place - b.place || a.id - b.id

/**
 * The lowest key of given tags that begins with `prefix` and continues above `after`. If there is none, the
 * same with the last tag of the prefix removed, above that tag; null if there is none at all.
 */
function next(given: readonly string[], prefix: readonly string[], after: string | undefined): Buffer | null {
  const above = after ?? prefix.at(-1)
  const tag = given.find((own) => above === undefined || own > above)
  if (tag !== undefined) return keyOf([...prefix, tag])
  const last = prefix.at(-1)
  return last === undefined ? null : next(given, prefix.slice(0, -1), last)
}
