import { AppError } from "../errors.ts"
import type { Items } from "../store/items.ts"

/**
 * For a worker whose item cannot be found: throws `gone` if it was deleted, and otherwise the error as it is.
 * @throws AppError `gone`, and the error itself
 */
export async function missing(store: Pick<Items, "wasDeleted">, id: number, error: unknown): Promise<never> {
  if (!(error instanceof AppError) || error.code !== "not_found") throw error
  if (await store.wasDeleted(id)) throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
  throw error
}
