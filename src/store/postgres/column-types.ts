import { bigint, customType } from "drizzle-orm/pg-core"

/** A time: RFC 3339 UTC in the program, epoch milliseconds in the database. An int8 arrives as text. */
export const time = customType<{ data: string; driverData: number | string | null }>({
  dataType: () => "bigint",
  toDriver: (value: string | null) => (value === null ? null : Date.parse(value)),
  fromDriver: (value) => new Date(Number(value)).toISOString(),
})

/** JSON as text: Bun's client would store a text that is given for json or jsonb as a JSON string. */
export const jsonText = <T>(textOf: (value: T) => string = JSON.stringify) =>
  customType<{ data: T; driverData: string | null }>({
    dataType: () => "text",
    toDriver: (value: T | null) => (value === null ? null : textOf(value)),
    fromDriver: (value) => JSON.parse(value ?? "null"),
  })()

/** A whole number as far as JavaScript counts exactly. */
export const long = (name?: string) =>
  name === undefined ? bigint({ mode: "number" }) : bigint(name, { mode: "number" })
