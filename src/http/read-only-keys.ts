import { AppError } from "../errors.ts"
import { isObject } from "../is-object.ts"
import { ItemChange } from "../item/item.ts"
import { ReadItem } from "../wire/forecast.ts"

const READ_ONLY = Object.keys(ReadItem.properties).filter((key) => !(key in ItemChange.properties))

/**
 * Removes the read-only keys from a body that is a whole item, as it was read: the body has the `id` of the
 * path. Any other body stays as it is. Returns the item's `updated_at` if the body has it.
 * @throws AppError `invalid` if the body has the ID of another item
 */
export function withoutReadOnly(body: unknown, id: string): string | undefined {
  if (!isObject(body) || typeof body["id"] !== "number") return undefined
  if (body["id"] !== Number(id)) {
    throw new AppError("invalid", `the body is that of item ${body["id"]}, but the path names item ${id}`)
  }
  const { updated_at: readAt } = body
  for (const key of READ_ONLY) delete body[key]
  return typeof readAt === "string" ? readAt : undefined
}
