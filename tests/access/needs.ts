import { type Need } from "../../src/access/roles.ts"

/** All needs by name, so that the compiler finds a need that is missing here. */
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

/** All needs that a route can have. */
export const ALL_NEEDS: readonly Need[] = Object.keys(EVERY) as Need[]
