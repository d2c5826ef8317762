import type { Outlook } from "./estimate.ts"

/** One item at a time is worked on here: a worker with an item, or one that waits for an item. */
export interface Slot {
  /** The name of the worker. How long an item takes depends on it. */
  readonly worker: string
  /** The worker's tags: it takes items whose tags are all among these. */
  readonly tags: readonly string[]
  /** When it can take its next item, from now on; undefined if that is unknown. */
  readonly free: Outlook | undefined
}

/** An item that a worker renders now, if only one item of a song is rendered at a time. */
export interface SongInHand {
  /** The song that the item renders. */
  readonly song: number
  /** When the item is done, from now on; undefined if that is unknown. */
  readonly free: Outlook | undefined
}

/** An item that waits. */
export interface Waiting {
  /** The item's ID. */
  readonly id: number
  /** The tags that a worker must have to take the item. */
  readonly tags: readonly string[]
  /** Seconds until it may be claimed; 0 if it may be claimed now. */
  readonly availableIn: number
  /** The song that it renders, if only one item of a song is rendered at a time; otherwise undefined. */
  readonly song?: number | undefined
  /** How long it will take on a worker; undefined if that is unknown. */
  readonly takes: (worker: string) => Outlook | undefined
}

/** When a waiting item starts. */
export interface Start {
  /** The item's ID. */
  readonly id: number
  /** When it starts, in seconds from now. */
  readonly startsIn: number
  /**
   * The item starts between `low` and `high` with a probability of four in five. Seconds from now, at most
   * `startsIn`.
   */
  readonly low: number
  /** Seconds from now, at least `startsIn`. */
  readonly high: number
  /** How long it will take, in seconds; undefined if that is unknown. */
  readonly takes: number | undefined
}

/** When waiting items start, and when all of them are done. */
export interface Forecast {
  /** The items whose start is known, in the order of their starts. */
  readonly starts: readonly Start[]
  /** Seconds until all items are done; undefined if that is unknown for any item. */
  readonly doneIn: number | undefined
}

/**
 * How much the errors of items on one slot go together: 1 if all items take longer than expected at the same
 * time, 0 if the error of each is independent.
 */
const ALIKE = 0.3

/** How far the times in a slot reach to one side of what is expected, in seconds. */
interface Reach {
  /** The sum of the distances to which they reach, and the sum of the squares. */
  sum: number
  squares: number
}

const reachOf = ({ sum, squares }: Reach): number => Math.sqrt((1 - ALIKE) * squares + ALIKE * sum ** 2)

function reachFurther(reach: Reach, by: number): void {
  reach.sum += by
  reach.squares += by ** 2
}

/** Until when something is busy. */
interface BusyUntil {
  /** When it is free, in seconds from now. */
  at: number
  /** How much sooner, and how much later, that may be. */
  readonly sooner: Reach
  readonly later: Reach
}

/** A slot with the items that it has taken so far. */
interface Filled extends BusyUntil {
  readonly slot: Slot
}

/** Until when an item of each song is rendered, for the songs of which one is; undefined if that is unknown. */
type Songs = Map<number, BusyUntil | undefined>

/** The next claim that gets an item: which item, when, and by which slot. */
interface NextClaim {
  readonly filled: Filled
  /** Undefined if that is unknown. */
  readonly item: Waiting | undefined
  readonly at: number
}

const canTake = ({ tags }: Slot, item: Waiting): boolean => item.tags.every((tag) => tags.includes(tag))

/** Until when an item of the same song is rendered; undefined if none is, or if that does not matter. */
const busySong = ({ song }: Waiting, songs: Songs): BusyUntil | undefined =>
  song === undefined ? undefined : songs.get(song)

/** From when on an item may be claimed, in seconds from now; infinite if that is unknown. */
function claimableAt(item: Waiting, songs: Songs): number {
  if (item.song === undefined || !songs.has(item.song)) return item.availableIn
  return Math.max(item.availableIn, songs.get(item.song)?.at ?? Number.POSITIVE_INFINITY)
}

/**
 * The claim that a slot makes when it is free: the first item that may be claimed at that time, otherwise the
 * item that may be claimed first. If an item whose song is busy for an unknown time may come before it, the claim has no
 * item; only of a claim that is made now it is certain that the song is still busy.
 */
function claimOf(filled: Filled, waiting: Iterable<Waiting>, songs: Songs): NextClaim | undefined {
  let item: Waiting | undefined
  let [at, unsureAt] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (const one of waiting) {
    if (!canTake(filled.slot, one)) continue
    const from = Math.max(filled.at, claimableAt(one, songs))
    if (from === Number.POSITIVE_INFINITY) unsureAt = Math.min(unsureAt, Math.max(filled.at, one.availableIn))
    if (from < at) [item, at] = [one, from]
    if (from === filled.at) break
  }
  if (!item) return undefined
  return unsureAt <= at && at > 0 ? { filled, item: undefined, at: unsureAt } : { filled, item, at }
}

/** The earliest and the latest time at which something is free, in seconds from now. */
const earliest = ({ at, sooner }: BusyUntil): number => at - reachOf(sooner)
const latest = ({ at, later }: BusyUntil): number => at + reachOf(later)

/**
 * When an item starts that waits for a slot and for the other item of its song, if there is one. With `mayBeSooner`
 * another slot may take it at any time.
 */
function startOf(
  { filled, at }: NextClaim,
  item: Waiting,
  song: BusyUntil | undefined,
  mayBeSooner: boolean,
): Omit<Start, "takes"> {
  const other = song ? [song] : []
  const needed = [...(mayBeSooner ? [] : [filled]), ...other]
  const low = Math.max(0, item.availableIn, ...needed.map(earliest))
  const high = Math.max(at, ...[filled, ...other].map(latest))
  return { id: item.id, startsIn: at, low: Math.min(low, at), high }
}

/** Fills a slot with what keeps it busy until this much later than `at`. */
function fill(filled: BusyUntil, at: number, { seconds, low, high }: Outlook): void {
  filled.at = at + seconds
  reachFurther(filled.sooner, seconds - low)
  reachFurther(filled.later, high - seconds)
}

/** What is busy for this long from now on. */
function busyFor(free: Outlook): BusyUntil {
  const busy: BusyUntil = { at: 0, sooner: { sum: 0, squares: 0 }, later: { sum: 0, squares: 0 } }
  fill(busy, 0, free)
  return busy
}

/** A slot before any claim; empty if it is unknown when the slot is free. */
const filledOf = (slot: Slot): Filled[] => (slot.free ? [{ slot, ...busyFor(slot.free) }] : [])

/** The songs of the items that are being rendered. Of a song with several of them, whose claims named them, the last one counts. */
function songsOf(inHand: readonly SongInHand[]): Songs {
  const songs: Songs = new Map()
  for (const { song, free } of inHand) {
    const known = songs.get(song)
    const busy = free && busyFor(free)
    const isLonger = busy === undefined || (known !== undefined && known.at < busy.at)
    if (isLonger || !songs.has(song)) songs.set(song, busy)
  }
  return songs
}

/** The earliest of all claims that the slots can make. */
function firstClaim(
  known: ReadonlySet<Filled>,
  rest: ReadonlyMap<number, Waiting>,
  songs: Songs,
): NextClaim | undefined {
  let next: NextClaim | undefined
  for (const filled of known) {
    if (next && filled.at >= next.at) continue
    const claim = claimOf(filled, rest.values(), songs)
    if (claim && (!next || claim.at < next.at)) next = claim
  }
  return next
}

/** Lets the slot of a claim be busy with its item, and the item's song with it. */
function begin({ filled, at }: NextClaim, item: Waiting, takes: Outlook | undefined, songs: Songs): void {
  const song = busySong(item, songs)
  // A slot that waited for the song is as uncertain as the end of the song's item.
  if (song && song.at > filled.at) {
    Object.assign(filled.sooner, song.sooner)
    Object.assign(filled.later, song.later)
  }
  if (takes) fill(filled, at, takes)
  if (item.song === undefined) return
  const { sooner, later } = filled
  songs.set(item.song, takes && { at: filled.at, sooner: { ...sooner }, later: { ...later } })
}

/**
 * When waiting items start. `waiting` is in the order in which the queue gives items out. The slots take the
 * items in that order, each slot when it is free. Items are left out that no slot may take, and items behind one of
 * unknown length, or behind one whose song is busy for an unknown time, because a guess is worse than no time. The result has at
 * most `limit` items. `inHand` are the items that keep others of their songs waiting.
 */
export function forecast(
  slots: readonly Slot[],
  waiting: readonly Waiting[],
  limit: number,
  inHand: readonly SongInHand[] = [],
): Forecast {
  const unknown = slots.filter(({ free }) => !free)
  const known = new Set(slots.flatMap(filledOf))
  const songs = songsOf(inHand)
  const rest = new Map(waiting.map((item) => [item.id, item]))
  const starts: Start[] = []
  let doneIn = Math.max(0, ...[...known].map(({ at }) => at))
  while (rest.size > 0 && starts.length < limit) {
    const next = firstClaim(known, rest, songs)
    if (!next) break
    const { filled, item } = next
    if (!item) {
      known.delete(filled)
      unknown.push(filled.slot)
      continue
    }
    const takes = item.takes(filled.slot.worker)
    rest.delete(item.id)
    const mayBeSooner = unknown.some((slot) => canTake(slot, item))
    starts.push({ ...startOf(next, item, busySong(item, songs), mayBeSooner), takes: takes?.seconds })
    begin(next, item, takes, songs)
    if (!takes) {
      known.delete(filled)
      unknown.push(filled.slot)
      continue
    }
    doneIn = Math.max(doneIn, filled.at)
  }
  return { starts, doneIn: unknown.length === 0 && rest.size === 0 ? doneIn : undefined }
}
