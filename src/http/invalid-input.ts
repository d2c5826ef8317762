import type { TSchema } from "@sinclair/typebox"
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors"
import type { ValidationError } from "elysia"

import { AppError } from "../errors.ts"
import { MAX_TEXT_BYTES } from "../item/item.ts"

const [LIST, OBJECT] = ["a list", "an object"]

const quoted = (value: unknown): string => {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? LIST : OBJECT
  const shown = JSON.stringify(value) ?? "nothing"
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown
}

const FORMATS: Readonly<Record<string, string>> = {
  text: `text of at most ${MAX_TEXT_BYTES} bytes, without NUL and lone surrogates`,
  tag: "a tag: text of 1 to 64 characters",
}

/**
 * What a schema allows, in words: its description if it is a text with a pattern or a length, otherwise its
 * conditions.
 */
function allowed(schema: TSchema): string {
  const isShaped = ["pattern", "minLength", "maxLength"].some((key) => schema[key] !== undefined)
  if (isShaped && schema["description"] !== undefined) return String(schema["description"])
  const union: TSchema[] | undefined = schema["anyOf"]
  if (union) return `one of ${union.map(allowed).join(", ").replaceAll("one of ", "")}`
  if (schema["const"] !== undefined) return String(schema["const"])
  const { minimum, maximum } = schema
  switch (schema["type"]) {
    case "integer":
      if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
        return `an integer from ${minimum} to ${maximum}`
      return minimum === 1 ? "a positive integer" : `an integer of ${minimum} or more`
    case "number":
      if (minimum === undefined) return `a number above ${schema["exclusiveMinimum"]}, at most ${maximum}`
      return `a number from ${minimum} to ${maximum}`
    case "string":
      return FORMATS[String(schema["format"])] ?? `text that matches ${schema["pattern"]}`
    case "null":
      return "null"
    case "array":
      return `a list of at most ${schema["maxItems"]} different values`
    case "object":
      return `a JSON object (at most 32 levels deep, each ${FORMATS["text"]})`
    default:
      return `a ${schema["type"]}`
  }
}

/** A sentence that says what is wrong and what is allowed. */
function explain(on: string, schema: TSchema, { path, type, value, schema: failed }: ValueError): string {
  // The path is a JSON pointer: a slash and a tilde inside a key are escaped.
  const steps = path.slice(1).split("/")
  const name = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")).join(".")
  // All values of a query are text, so a number is shown without quotation marks.
  const found = on === "the query" && /^-?\d{1,20}$/.test(String(value)) ? String(value) : quoted(value)
  const keys = Object.keys(schema["properties"]).join(", ")
  if (path === "") return `${on} must be a JSON object with the keys ${keys}`
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    return `${on} has the unknown key "${name.slice(0, 60)}"; it can have ${keys || "none"}`
  }
  if (type === ValueErrorType.ObjectRequiredProperty) return `${on} lacks "${name}": ${allowed(failed)}`
  const isOfType =
    (failed["type"] === "object" && found === OBJECT) || (failed["type"] === "array" && found === LIST)
  return `${name} must be ${allowed(failed)}${isOfType ? "; this one is not" : `, not ${found}`}`
}

/** A refusal of input that does not fit its schema: it says what is wrong and what is allowed. */
export function invalid({ validator, value, type }: ValidationError): AppError {
  const on = type === "body" ? "the body" : type === "query" ? "the query" : "the path"
  const first = "Errors" in validator ? validator.Errors(value).First() : undefined
  const schema: TSchema = "Schema" in validator ? validator.Schema() : {}
  return new AppError("invalid", first ? explain(on, schema, first) : `${on} is not valid`)
}
