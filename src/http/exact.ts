/** What may be no number that a double holds: each of at most 15 digits is one. */
const SUSPICIOUS = /\d(?:\.?\d){15}|\d[eE]/
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** A decimal number as its digits and its exponent, in one way for each value. */
function normal(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, "")
  const short = digits.replace(/0+$/, "")
  if (short === "") return "0"
  return `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`
}

const isExact = (source: string, value: number): boolean =>
  Number.isFinite(value) && normal(source) === normal(String(value))

/** What is wrong with the first of these numbers that is within a value, by its path; undefined if none is. */
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
  typeof context === "object" && context !== null && "source" in context ? String(context.source) : undefined

/**
 * What is wrong with the `metadata` of a JSON text, whose numbers are given back as they came: the first that would
 * not be, such as 1e400 or one of 20 digits. Undefined if all would.
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
  const metadata = typeof parsed === "object" && parsed !== null && "metadata" in parsed && parsed.metadata
  return pathTo(found, metadata, "metadata")
}
