import { type Static, Type } from "@sinclair/typebox"

import { wholeCount } from "../item/schema-parts.ts"

/** What `POST /queue/:id/output` answers. */
export const OutputStored = Type.Object({
  attempt: wholeCount("the attempt that printed it"),
  end: wholeCount("the position after the last byte that was taken: the `offset` of what comes next"),
})

export type OutputStored = Static<typeof OutputStored>

/** A piece of what a command printed, as an event. */
export const OutputPart = Type.Object({
  attempt: wholeCount("the attempt that printed it"),
  from: wholeCount("the position of its first byte in what was printed"),
  to: wholeCount("the position after its last byte: the `after` of what comes next"),
  missing: wholeCount("how many bytes before it are not kept"),
  text: Type.String({ description: "printable text, tabs and line breaks" }),
})

export type OutputPart = Static<typeof OutputPart>
