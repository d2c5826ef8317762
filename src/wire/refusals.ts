import { type Static, Type } from "@sinclair/typebox"

import { type ErrorCode, REFUSALS } from "../errors.ts"
import { OneOf } from "../item/schema-parts.ts"

// `Object.keys` returns plain strings, so the type is stated here.
const codes = Object.keys(REFUSALS) as ErrorCode[]

/** The body of every refusal, whatever its HTTP status (`REFUSALS` in `errors`). */
export const ErrorAnswer = Type.Object({
  error: Type.String({ description: "a sentence for people: what is wrong, and what is allowed" }),
  /** The reason for programs: one of a closed set. */
  code: OneOf(codes),
  request_id: Type.String({ description: "what the server's log calls this request" }),
  directive: Type.Optional(Type.Literal("cancel", { description: "present when a worker must stop" })),
})
export type ErrorAnswer = Static<typeof ErrorAnswer>
