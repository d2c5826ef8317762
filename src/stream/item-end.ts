import type { StoredUpdate } from "../item/stored.ts"
import { updateIn } from "../item/update.ts"
import { controlFrame, type Frame, type UpdateFrame } from "../wire/frames.ts"
import type { StreamRequest } from "./stream-request.ts"

/**
 * The last of these updates, or `before` if there are none. Always undefined for a stream that does not end with its
 * item: it keeps no update in memory.
 */
export const lastSeen = (
  { untilFinished }: StreamRequest,
  updates: readonly UpdateFrame[],
  before?: StoredUpdate,
): StoredUpdate | undefined => (untilFinished ? (updates.at(-1)?.update ?? before) : undefined)

/** What a stream that ends with its item says last. `last` is the update that ended the item. */
export function endFrame(last: StoredUpdate, last_event_id: number): Frame {
  const { outcome } = updateIn(last)
  return controlFrame({ event: "end", last_event_id, status: last.status, ...(outcome && { outcome }) })
}
