/** Ends each tag in a key; no tag contains it. */
const END = "\0"
/** After so many steps from key to key it is cheaper to look at the beginning of the queue. */
const MANY_STEPS = 64

/**
 * The tags that an item needs, as one key: in ascending order, each ended by a zero byte. Keys of sets that begin with
 * the same tags lie side by side in an index.
 */
export const needsOf = (tags: readonly string[]): Buffer => keyOf(sorted(tags))

/** Each tag as its UTF-8 bytes, one character a byte: so texts are in the order of an index. */
const sorted = (tags: readonly string[]): string[] =>
  [...new Set(tags)].map((tag) => Buffer.from(tag).toString("latin1")).sort()

const keyOf = (tags: readonly string[]): Buffer =>
  Buffer.from(tags.map((tag) => tag + END).join(""), "latin1")

/** The tags of a key, in their order. */
const tagsOf = (needs: Uint8Array): string[] => Buffer.from(needs).toString("latin1").split(END).slice(0, -1)

/** An item that waits: what it needs, and its place in the queue's order. */
export interface Candidate {
  /** The id of the item. */
  readonly id: number
  /** Its priority, negative: lower comes first. */
  readonly rank: number
  /** Its place among the items of its priority: lower comes first. */
  readonly place: number
  /** The key of its tags, as `needsOf` makes it. */
  readonly needs: Uint8Array
}

/** How the items that wait are found. */
export interface Waiting {
  /** The first item, by key, then by place, whose key is not below the given one. */
  readonly seek: (from: Uint8Array) => Candidate | null
  /** The first items of the queue's order, as many as are looked at in a moment. */
  readonly early: () => readonly Candidate[]
}

/**
 * The first item in the queue's order that needs no other tags than these; null if there is none.
 *
 * What a worker cannot take costs nothing: a key with a foreign tag is left behind together with all keys that begin in
 * the same way, by one seek. Of what it can take each key is looked at, and a worker with many tags may find
 * thousands; then an item near the beginning of the queue most likely is for it.
 */
export function firstFitting(tags: readonly string[], { seek, early }: Waiting): Candidate | null {
  const given = sorted(tags)
  const own = new Set(given)
  let best: Candidate | null = null
  let steps = 0
  for (let from: Uint8Array | null = new Uint8Array(); from;) {
    steps += 1
    const first =
      steps === MANY_STEPS && early().find(({ needs }) => tagsOf(needs).every((tag) => own.has(tag)))
    if (first) return first
    const found = seek(from)
    if (!found) break
    const needed = tagsOf(found.needs)
    const foreign = needed.findIndex((tag) => !own.has(tag))
    const fits = foreign < 0
    if (fits && (!best || compare(found, best) < 0)) best = found
    from = fits ? next(given, needed, undefined) : next(given, needed.slice(0, foreign), needed[foreign])
  }
  return best
}

const compare = (a: Candidate, b: Candidate): number => a.rank - b.rank || a.place - b.place || a.id - b.id

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
