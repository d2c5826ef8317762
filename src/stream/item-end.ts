import { type EndOrStatus, endOrStatus } from "../item/state-in-one-word.ts"
import type { End, UpdateFrame } from "../wire/frames.ts"

/** How an item ended, as a stream says it. */
export type ItemEnd = Pick<End, "status" | "outcome">

/** One object for each end, however many streams keep it. */
const ENDS: ReadonlyMap<EndOrStatus, ItemEnd> = new Map<EndOrStatus, ItemEnd>([
  ["completed", { status: "completed", outcome: "completed" }],
  ["failed", { status: "failed", outcome: "failed" }],
  ["cancelled", { status: "failed", outcome: "cancelled" }],
  ["lost", { status: "failed", outcome: "lost" }],
])

/**
 * How the item of the last of these updates has ended: undefined if it is not finished, and `before` if there are no
 * updates.
 */
export function endIn(updates: readonly UpdateFrame[], before?: ItemEnd): ItemEnd | undefined {
  const last = updates.at(-1)
  return last ? ENDS.get(endOrStatus(last.update)) : before
}
