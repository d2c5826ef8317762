import type { Bus } from "../bus/bus.ts"
import { removed } from "../item/changes.ts"
import { isFinished } from "../item/moves.ts"
import type { Items } from "../store/items.ts"
import type { Upkeep } from "../store/upkeep.ts"

/**
 * Deletes the items that finished before a time (RFC 3339 UTC), the oldest first and at most this many, as a person
 * would: viewers see it. Answers how many there were.
 */
export async function removeFinished(
  upkeep: Pick<Upkeep, "finishedBefore">,
  items: Items,
  bus: Bus,
  before: string,
  limit: number,
): Promise<number> {
  const ids = await upkeep.finishedBefore(before, limit)
  for (const id of ids) {
    // It may have been put back into the queue meanwhile.
    await items.change(id, (stored, moment) =>
      stored.item.completed_at !== null && stored.item.completed_at < before && isFinished(stored.item.status)
        ? removed(stored, moment)
        : { ...stored, quiet: true },
    )
    bus.notify()
  }
  return ids.length
}
