import type { Outlook } from "./estimate.ts"

/** A place where one item at a time is worked on: a worker with an item, or one that waits for an item. */
export interface Slot {
  /** The name of the worker. How long an item takes depends on it. */
  readonly worker: string
  /** The worker's tags: it takes items whose tags are all among these. */
  readonly tags: readonly string[]
  /** When it can take its next item, from now on; undefined if that is unknown. */
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

/** A slot with the items that it has taken so far. */
interface Filled {
  readonly slot: Slot
  /** When it is free, in seconds from now. */
  at: number
  /** How much sooner, and how much later, that may be. */
  readonly sooner: Reach
  readonly later: Reach
}

/** The next claim that gets an item: which item, when, and by which slot. */
interface NextClaim {
  readonly filled: Filled
  readonly item: Waiting
  readonly at: number
}

const canTake = ({ tags }: Slot, item: Waiting): boolean => item.tags.every((tag) => tags.includes(tag))

/**
 * The claim that a slot makes when it is free: the first item that may be claimed at that time, otherwise the
 * item that may be claimed first.
 */
function claimOf(filled: Filled, waiting: Iterable<Waiting>): NextClaim | undefined {
  let first: Waiting | undefined
  for (const item of waiting) {
    if (!canTake(filled.slot, item)) continue
    if (item.availableIn <= filled.at) return { filled, item, at: filled.at }
    if (!first || item.availableIn < first.availableIn) first = item
  }
  return first && { filled, item: first, at: first.availableIn }
}

function startOf({ filled, item, at }: NextClaim, takes: Outlook | undefined, mayBeSooner: boolean): Start {
  const low = mayBeSooner ? item.availableIn : Math.max(0, item.availableIn, at - reachOf(filled.sooner))
  const high = at + reachOf(filled.later)
  return { id: item.id, startsIn: at, low: Math.min(low, at), high, takes: takes?.seconds }
}

/** Fills a slot with what keeps it busy until this much later than `at`. */
function fill(filled: Filled, at: number, { seconds, low, high }: Outlook): void {
  filled.at = at + seconds
  reachFurther(filled.sooner, seconds - low)
  reachFurther(filled.later, high - seconds)
}

/** A slot before any claim; empty if it is unknown when the slot is free. */
function filledOf(slot: Slot): Filled[] {
  if (!slot.free) return []
  const filled: Filled = { slot, at: 0, sooner: { sum: 0, squares: 0 }, later: { sum: 0, squares: 0 } }
  fill(filled, 0, slot.free)
  return [filled]
}

/** The earliest of all claims that the slots can make. */
function firstClaim(known: ReadonlySet<Filled>, rest: ReadonlyMap<number, Waiting>): NextClaim | undefined {
  let next: NextClaim | undefined
  for (const filled of known) {
    if (next && filled.at >= next.at) continue
    const claim = claimOf(filled, rest.values())
    if (claim && (!next || claim.at < next.at)) next = claim
  }
  return next
}

/**
 * When waiting items start. `waiting` is in the order in which the queue gives items out. The slots take the
 * items in that order, each slot when it is free. Two kinds of items are left out: items that no slot may
 * take, and items behind an item of unknown length, because a guess is worse than no time. The result has at
 * most `limit` items.
 */
export function forecast(slots: readonly Slot[], waiting: readonly Waiting[], limit: number): Forecast {
  const unknown = slots.filter(({ free }) => !free)
  const known = new Set(slots.flatMap(filledOf))
  const rest = new Map(waiting.map((item) => [item.id, item]))
  const starts: Start[] = []
  let doneIn = Math.max(0, ...[...known].map(({ at }) => at))
  while (rest.size > 0 && starts.length < limit) {
    const next = firstClaim(known, rest)
    if (!next) break
    const { filled, item, at } = next
    const takes = item.takes(filled.slot.worker)
    rest.delete(item.id)
    starts.push(
      startOf(
        next,
        takes,
        unknown.some((slot) => canTake(slot, item)),
      ),
    )
    if (!takes) {
      known.delete(filled)
      unknown.push(filled.slot)
      continue
    }
    fill(filled, at, takes)
    doneIn = Math.max(doneIn, filled.at)
  }
  return { starts, doneIn: unknown.length === 0 && rest.size === 0 ? doneIn : undefined }
}
