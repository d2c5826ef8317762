import { type Static, Type } from "@sinclair/typebox"

import { AppError } from "../errors.ts"
import { OneOf } from "../item/schema-parts.ts"

/** The digits of an ID, as a pattern. */
export const ID_DIGITS = "[1-9][0-9]{0,15}"
/** A text that is an ID and nothing else, as a pattern. */
export const ID = `^${ID_DIGITS}$`
/** A whole number in a query, by its least value, as a pattern. */
export const WHOLE_NUMBERS = { 0: "^(0|[1-9][0-9]{0,14})$", 1: "^[1-9][0-9]{0,14}$" } as const

/** The id of a queue item in a path. */
export const ItemParams = Type.Object({
  id: Type.String({ pattern: ID, description: "a positive integer of at most 16 digits" }),
})

/** The number of a song in a path. */
export const SongParams = Type.Object({
  song_id: Type.String({ pattern: ID, description: "a positive integer of at most 16 digits" }),
})

/** A whole number in a query, from 0 or 1, as text; `Number` of it is safe. */
export const queryInteger = (from: 0 | 1, description: string) =>
  Type.Optional(Type.String({ pattern: WHOLE_NUMBERS[from], description }))

/** A whole number of a query as a number; undefined if it was left out. */
export const numberIn = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

/** A choice in a query: `true` or `false`, as text. */
export const queryBoolean = (description: string) => Type.Optional(OneOf(["true", "false"], description))

/** How many rows a page holds at most; a larger `limit` counts as this. */
export const MAX_ROWS = 1000

/**
 * A whole number in a query; a number above `most` counts as `most`. `unit` says in the reference what is
 * counted.
 */
export const queryUpTo = (from: 0 | 1, most: number, unit = "") =>
  queryInteger(from, `from ${from} to ${most}${unit} (more counts as ${most})`)

/** A number of the query; a number above `most` counts as `most`. It is `fallback` if the query has none. */
export const bounded = (text: string | undefined, fallback: number, most: number): number =>
  Math.min(text === undefined ? fallback : Number(text), most)

/** The lease token in the query of a worker's routes. The header `Lease` does the same. */
export const LeaseParams = Type.Object(
  { lease: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "a lease token" })) },
  { additionalProperties: false },
)

/** The header as the reference names it. */
export const LEASE = { Lease: "the token of the lease; `?lease=` is the same" }

/** The token of the lease that was sent: in the header, otherwise in the query. */
export const leaseOf = (request: Request, query: Static<typeof LeaseParams>): string | undefined =>
  request.headers.get("lease") || query.lease || undefined

/**
 * The token of the lease, for a route that needs one.
 * @throws AppError `invalid`
 */
export function requiredLease(request: Request, query: Static<typeof LeaseParams>): string {
  const token = leaseOf(request, query)
  if (token === undefined)
    throw new AppError("invalid", "the lease is missing: send the header Lease or ?lease=")
  return token
}

const KEY = /^[\x21-\x7e]{1,255}$/

/** The key by which a client may repeat a request; undefined if there is none. @throws AppError `invalid` */
export function idempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key")
  if (key === null) return undefined
  if (!KEY.test(key)) {
    throw new AppError(
      "invalid",
      "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces",
    )
  }
  return key
}
