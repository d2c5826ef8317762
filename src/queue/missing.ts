import { AppError } from "../errors.ts"
import { lost } from "../item/lease.ts"
import type { Items } from "../store/items.ts"

/**
 * Refuses a worker whose item cannot be found: it was deleted, or the lease is made up. For a worker that makes
 * leases up, an item that never existed looks like one that others hold. Other errors are thrown as they are.
 * @throws AppError `gone`, `lease_lost`, and the error itself
 */
export async function missing(
  store: Pick<Items, "wasDeleted">,
  id: number,
  hasLease: boolean,
  error: unknown,
): Promise<never> {
  if (!(error instanceof AppError) || error.code !== "not_found") throw error
  if (await store.wasDeleted(id)) throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
  throw hasLease ? lost(id) : error
}
