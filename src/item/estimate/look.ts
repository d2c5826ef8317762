import type { Trace } from "./trace.ts"

/** How many characters of a look count. More would not fit into an index of PostgreSQL. */
const LOOK_CHARACTERS = 200

/** The beginning of a look by which attempts are compared. */
export const shortLook = (look: string): string =>
  look.length <= LOOK_CHARACTERS ? look : [...look].slice(0, LOOK_CHARACTERS).join("")

/**
 * What similar attempts have in common: the number of steps, and the name of the first step or otherwise the
 * unit that it counts. Empty until a report says something that can be compared.
 */
export function lookOf({ steps, latest }: Trace, total: number): string {
  const [first] = steps
  const counts = first?.unit || (latest.percent || first?.lines.percent ? "percent" : "")
  const name = first?.name || counts
  const isNumbered = first?.total !== undefined && first.total > 1
  if (name === "") return isNumbered ? `${first.total} steps` : ""
  return shortLook(total > 1 ? `${total} steps, ${name}` : name)
}
