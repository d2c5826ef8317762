import { AppError } from "../errors.ts"
import type { Items } from "../store/contract/items.ts"

/**
 * Throws the error for a worker whose item the store has refused with `error`: `gone` if the item was
 * deleted, otherwise the error itself.
 * @throws AppError `gone`, or `error`
 */
export async function throwGoneIfDeleted(
  store: Pick<Items, "wasDeleted">,
  id: number,
  error: unknown,
): Promise<never> {
  if (!(error instanceof AppError) || error.code !== "not_found") throw error
  if (await store.wasDeleted(id)) throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
  throw error
}
