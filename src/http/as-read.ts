import { AppError } from "../errors.ts"
import { ItemChange } from "../item/item.ts"
import { ReadItem } from "../wire/forecast.ts"

const READ_ONLY = Object.keys(ReadItem.properties).filter((key) => !(key in ItemChange.properties))

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * A body with the `id` of the path is an item as it was read: the read-only keys are removed
 * from it. Any other body stays as it is. `readAt` is the item's `updated_at`.
 * @throws AppError `invalid` if it names another item
 */
export function asRead(body: unknown, id: string): { readonly body: unknown; readonly readAt?: string } {
  if (!isObject(body) || typeof body["id"] !== "number") return { body }
  if (body["id"] !== Number(id)) {
    throw new AppError("invalid", `the body is that of item ${body["id"]}, but the path names item ${id}`)
  }
  const rest = Object.fromEntries(Object.entries(body).filter(([key]) => !READ_ONLY.includes(key)))
  const { updated_at: readAt } = body
  return { body: rest, ...(typeof readAt === "string" && { readAt }) }
}
