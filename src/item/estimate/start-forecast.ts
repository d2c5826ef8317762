import { FOUR_FIFTHS, type Outlook } from "./estimate.ts"

/** A place where one item at a time is worked on: a worker with an item, or one that waits for an item. */
export interface Slot {
  /** The name of the worker. How long an item takes depends on it. */
  readonly worker: string
  /** The worker's tags: it takes items whose tags are all among these. */
  readonly tags: readonly string[]
  /**
   * When it can take its next item, in seconds from now, with the standard deviation; undefined if that is
   * unknown.
   */
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

/** A slot with the items that it has taken so far. */
interface Filled {
  readonly slot: Slot
  /** When it is free, in seconds from now. */
  at: number
  /** The sum of the variances, and of the deviations, of everything in the slot. */
  variance: number
  deviation: number
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
  const spread = FOUR_FIFTHS * Math.sqrt((1 - ALIKE) * filled.variance + ALIKE * filled.deviation ** 2)
  const low = mayBeSooner ? item.availableIn : Math.max(0, item.availableIn, at - spread)
  return { id: item.id, startsIn: at, low: Math.min(low, at), high: at + spread, takes: takes?.seconds }
}

/** A slot before any claim; empty if it is unknown when the slot is free. */
const filledOf = (slot: Slot): Filled[] =>
  slot.free
    ? [
        {
          slot,
          at: slot.free.seconds,
          variance: slot.free.deviation ** 2,
          deviation: slot.free.deviation,
        },
      ]
    : []

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
    filled.at = at + takes.seconds
    filled.variance += takes.deviation ** 2
    filled.deviation += takes.deviation
    doneIn = Math.max(doneIn, filled.at)
  }
  return { starts, doneIn: unknown.length === 0 && rest.size === 0 ? doneIn : undefined }
}
