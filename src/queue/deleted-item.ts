import { AppError, isRefusal } from "../errors.ts"
import { lost } from "../item/lease.ts"
import type { Items } from "../store/contract/items.ts"

/**
 * Throws the error for a worker whose item the store has refused with `error`: `gone` if the item was
 * deleted, otherwise the error itself. A lease that was neither the item's last one nor the last that was revoked
 * gets `lease_lost`, as it does from an item that is there, so that nobody can find out which items were deleted
 * by making up a lease.
 * @throws AppError `gone`, `lease_lost`, or `error`
 */
export async function throwGoneIfDeleted(
  store: Pick<Items, "wasDeleted">,
  id: number,
  lease: string | undefined,
  error: unknown,
): Promise<never> {
  if (!isRefusal(error, "not_found")) throw error
  if (!(await store.wasDeleted(id))) throw error
  if (lease !== undefined && !(await store.wasDeleted(id, lease))) throw lost(id)
  throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
}
