import { type Need } from "../../src/access/roles.ts"

/** The compiler misses a need that is left out here. */
const EVERY: Readonly<Record<Need, true>> = {
  nothing: true,
  item: true,
  read: true,
  figures: true,
  add: true,
  change: true,
  files: true,
  claim: true,
  report: true,
  operations: true,
  admin: true,
}

/** All that a route can ask of its caller. */
export const ALL_NEEDS: readonly Need[] = Object.keys(EVERY) as Need[]
