import { AppError } from "../errors.ts"
import type { QueueItem } from "../item/item.ts"
import type { Idempotency } from "./contract/items.ts"

/**
 * The item that a repeated `add` answers: the one that the first answered.
 * @throws AppError `idempotency_mismatch` if the key was used with another digest
 */
export function keptAnswer(
  { key, digest }: Idempotency,
  kept: { readonly digest: string; readonly answer: string },
): QueueItem {
  if (kept.digest !== digest) {
    throw new AppError("idempotency_mismatch", `Idempotency-Key "${key}" was used with another body`)
  }
  return JSON.parse(kept.answer)
}
