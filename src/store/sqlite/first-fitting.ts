const utf8 = new TextEncoder()
const END = new Uint8Array([0])

/**
 * The tags that an item needs, as one key: in ascending order, each ended by a zero byte, which no tag contains. Keys
 * of sets that begin with the same tags lie side by side in an index.
 */
export const needsOf = (tags: readonly string[]): Buffer =>
  Buffer.concat(sorted(tags).flatMap((tag) => [tag, END]))

function sorted(tags: Iterable<string>): Uint8Array[] {
  return [...new Set(tags)].map((tag) => utf8.encode(tag)).sort((a, b) => Buffer.compare(a, b))
}

/** The tags of a key, in their order. */
function tagsOf(needs: Uint8Array): Uint8Array[] {
  const tags: Uint8Array[] = []
  for (let from = 0; from < needs.length;) {
    const end = needs.indexOf(0, from)
    tags.push(needs.subarray(from, end))
    from = end + 1
  }
  return tags
}

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

/**
 * The first item in the queue's order that needs no other tags than these; null if there is none. `seek` finds the
 * first item, by key, then by place, whose key is not below the given one.
 *
 * What a worker cannot take costs nothing: a key with a foreign tag is left behind together with all keys that begin in
 * the same way, by one seek.
 */
export function firstFitting(
  tags: readonly string[],
  seek: (from: Uint8Array) => Candidate | null,
): Candidate | null {
  const given = sorted(tags)
  let best: Candidate | null = null
  for (let from: Uint8Array | null = new Uint8Array(); from;) {
    const found = seek(from)
    if (!found) break
    const needed = tagsOf(found.needs)
    const foreign = needed.findIndex((tag) => !given.some((own) => Buffer.compare(own, tag) === 0))
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
function next(
  given: readonly Uint8Array[],
  prefix: readonly Uint8Array[],
  after: Uint8Array | undefined,
): Uint8Array | null {
  const above = after ?? prefix.at(-1)
  const tag = given.find((own) => !above || Buffer.compare(own, above) > 0)
  if (tag) return Buffer.concat([...prefix, tag].flatMap((one) => [one, END]))
  const last = prefix.at(-1)
  return last ? next(given, prefix.slice(0, -1), last) : null
}
