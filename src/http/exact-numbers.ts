import { isObject } from "../is-object.ts"

/**
 * A number that may not fit exactly into a double. A number with at most 15 digits and no exponent always
 * fits.
 */
const SUSPICIOUS = /\d(?:\.?\d){15}|\d[eE]/
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** A decimal number as digits and exponent. Equal values have the same form. */
function normal(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, "")
  const short = digits.replace(/0+$/, "")
  if (short === "") return "0"
  return `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`
}

/** A number with at most 15 digits is kept exactly, also with an exponent, unless that is extreme. */
const isShort = (source: string, value: number): boolean =>
  source.length <= 15 && Math.abs(value) > 1e-300 && Math.abs(value) < 1e300

const isExact = (source: string, value: number): boolean =>
  !SUSPICIOUS.test(source) ||
  isShort(source, value) ||
  (Number.isFinite(value) && normal(source) === normal(String(value)))

/** A sentence about the first inexact number inside a value, with its path; undefined if there is none. */
function pathTo(found: ReadonlyMap<unknown, Inexact>, value: unknown, path: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined
  const inexact = found.get(value)
  if (inexact) return `${path}.${inexact.key} must be a number that is kept exactly, not ${inexact.source}`
  for (const [key, inner] of Object.entries(value)) {
    const below = pathTo(found, inner, `${path}.${key}`)
    if (below !== undefined) return below
  }
  return undefined
}

interface Inexact {
  readonly key: string
  readonly source: string
}

const sourceOf = (context: unknown): string | undefined =>
  isObject(context) && "source" in context ? String(context["source"]) : undefined

/**
 * Numbers in `metadata` must be returned exactly as they were sent. Returns a sentence about the first number
 * in a JSON text that would change, such as 1e400 or a number with 20 digits; undefined if there is none. Its notation
 * may change: 1.0 is returned as 1, and -0, which Python sends as -0.0, as 0.
 */
export function inexactMetadata(text: string): string | undefined {
  if (!SUSPICIOUS.test(text)) return undefined
  const found = new Map<unknown, Inexact>()
  const parsed: unknown = JSON.parse(
    text,
    function note(this: unknown, key: string, value: unknown, ...rest: unknown[]) {
      const source = sourceOf(rest[0])
      if (typeof value === "number" && source !== undefined && !isExact(source, value)) {
        found.set(this, { key, source: source.slice(0, 60) })
      }
      return value
    },
  )
  if (found.size === 0) return undefined
  return isObject(parsed) ? pathTo(found, parsed["metadata"], "metadata") : undefined
}
