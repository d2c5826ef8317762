import { AppError } from "../errors.ts"
import type { Items } from "../store/items.ts"

/**
 * Refuses a worker whose item cannot be found: it was deleted, or never existed. Other errors are thrown as they are.
 * @throws AppError `gone`, and the error itself
 */
export async function missing(store: Pick<Items, "wasDeleted">, id: number, error: unknown): Promise<never> {
  if (!(error instanceof AppError) || error.code !== "not_found") throw error
  if (await store.wasDeleted(id)) throw new AppError("gone", `queue item ${id} was deleted; stop the work`)
  throw error
}
