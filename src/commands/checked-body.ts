import type { Static, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import { AppError } from "../errors.ts"

/**
 * The body of a request, checked before it is sent. `allowed` says of some keys what they can be.
 * @throws AppError `invalid` with the first key that is wrong, and its value
 */
export function checkedBody<T extends TSchema>(
  schema: T,
  body: Readonly<Record<string, unknown>>,
  allowed: ReadonlyMap<string, string> = new Map(),
): Static<T> {
  if (Value.Check(schema, body)) return body
  const [first] = [...Value.Errors(schema, body)]
  const name = first?.path.slice(1).replaceAll("/", ".") ?? ""
  const hint = allowed.has(name) ? `; it can be ${allowed.get(name)}` : ""
  throw new AppError("invalid", `${name} cannot be ${JSON.stringify(first?.value)}${hint}`)
}
