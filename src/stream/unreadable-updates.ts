import { AppError } from "../errors.ts"
import type { StoredUpdate } from "../item/stored.ts"
import type { Page } from "../store/contract/history.ts"
import { type UpdateFrame, updateFrames } from "../wire/frames.ts"

/** How many event IDs are read together. */
const ASKED_TOGETHER = 32

/** A run of updates that cannot be read. */
export interface Hole {
  /** Distinguishes holes from updates. */
  readonly type: "hole"
  /** The event ID before the hole. */
  readonly after: number
  /** How many updates it hides. */
  readonly count: number
}

/** Reads the updates with some event IDs. */
type ReadUpdates = (ids: readonly number[]) => Promise<Page>

/**
 * Reads updates one by one if a damaged database cannot give them together. Returns the readable updates, and
 * a hole for each run of unreadable ones. Event IDs ascend; updates that are no longer stored are left out.
 * @throws AppError if the database cannot be reached, because then nothing is known about the updates
 */
export async function salvage(
  read: ReadUpdates,
  ids: readonly number[],
): Promise<readonly (UpdateFrame | Hole)[]> {
  const found: (UpdateFrame | Hole)[] = []
  for (let at = 0; at < ids.length; at += ASKED_TOGETHER) {
    const some = ids.slice(at, at + ASKED_TOGETHER)
    const together = await readable(read, some)
    if (together) found.push(...updateFrames(together))
    else for (const id of some) append(found, id, await readable(read, [id]))
  }
  return found
}

/** The updates with these event IDs; null if not all of them can be read. */
async function readable(read: ReadUpdates, ids: readonly number[]): Promise<readonly StoredUpdate[] | null> {
  try {
    const { updates, more } = await read(ids)
    const last = updates.at(-1)?.id ?? 0
    if (!more) return updates
    const others = await readable(
      read,
      ids.filter((id) => id > last),
    )
    return others && [...updates, ...others]
  } catch (error) {
    if (error instanceof AppError) throw error
    // The fault was reported when the whole page could not be read.
    return null
  }
}

function append(found: (UpdateFrame | Hole)[], id: number, updates: readonly StoredUpdate[] | null): void {
  if (updates) {
    found.push(...updateFrames(updates))
    return
  }
  const last = found.at(-1)
  if (last?.type === "hole") found[found.length - 1] = { ...last, count: last.count + 1 }
  else found.push({ type: "hole", after: id - 1, count: 1 })
}
