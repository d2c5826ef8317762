import type { Caller } from "../access/authorize.ts"
import { unknownItem } from "../errors.ts"
import { ID } from "./params.ts"

const ITEM_ID = new RegExp(ID)

/**
 * Checks the item of a path for a share link, which contains a token for one item. For such a token no other
 * item exists.
 * @throws AppError `not_found`
 */
export function checkOwnItem(
  { item }: Pick<Caller, "item">,
  params: Readonly<Record<string, string | undefined>> | undefined,
): void {
  const id = params?.["id"]
  if (item === undefined || id === undefined || !ITEM_ID.test(id) || Number(id) === item) return
  throw unknownItem(id)
}
