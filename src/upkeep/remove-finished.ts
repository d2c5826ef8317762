import type { Bus } from "../bus/bus.ts"
import { isRefusal } from "../errors.ts"
import { removed } from "../item/add-cancel-retry-delete.ts"
import { isFinished } from "../item/moves.ts"
import type { Items } from "../store/contract/items.ts"
import type { Ended, Upkeep } from "../store/contract/upkeep.ts"

/**
 * Deletes items that finished within one of these periods, the oldest first and at most this many. Each is
 * deleted as if a person did it: viewers see it. Returns how many there were.
 */
export async function removeFinished(
  upkeep: Pick<Upkeep, "finished">,
  items: Items,
  bus: Bus,
  finished: readonly Ended[],
  limit: number,
): Promise<number> {
  for (const ended of finished) {
    const ids = await upkeep.finished(ended, limit)
    for (const id of ids) {
      // It may have returned to the queue meanwhile, or a person may have deleted it.
      const change = items.change(id, (stored, moment) =>
        isFinished(stored.item.status) && isWithin(stored.item.completed_at, ended)
          ? removed(stored, moment)
          : { ...stored, quiet: true },
      )
      await change.catch((error: unknown) => {
        if (!isRefusal(error, "not_found")) throw error
      })
      bus.notify()
    }
    if (ids.length > 0) return ids.length
  }
  return 0
}

function isWithin(time: string | null, { fromMs, toMs }: Ended): boolean {
  const ms = Date.parse(time ?? "")
  return ms >= fromMs && ms <= toMs
}
