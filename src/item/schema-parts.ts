import { type TSchema, Type } from "@sinclair/typebox"

/** A time, as RFC 3339 has it. */
export const Time = Type.String({ format: "date-time" })

/** The schema with a sentence about what it means, for the reference. */
export const described = <T extends TSchema>(schema: T, description: string): T => ({
  ...schema,
  description,
})

/** The schema, or null. */
export const OrNull = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

/** One of these words. */
export const OneOf = <const Word extends string>(words: readonly Word[], description?: string) =>
  Type.Union(
    words.map((word) => Type.Literal(word)),
    description === undefined ? {} : { description },
  )

/** A whole number of things, 0 or more. */
export const wholeCount = (description: string) => Type.Integer({ minimum: 0, description })
