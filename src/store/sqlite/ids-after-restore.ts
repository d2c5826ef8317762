import type { Database } from "bun:sqlite"

import { lastNumber, setLastNumber } from "./autoincrement.ts"
import type { PresentDatabase } from "./kept-by-restore.ts"

/**
 * If the present database is gone or cannot be read, new IDs begin this far above those of the backup. The
 * database cannot have given as many IDs since the backup.
 */
const UNKNOWN_JUMP = 10_000_000

/** The IDs after which a restored database continues. */
export interface IdsAfterRestore {
  /** The last event ID of the backup. */
  readonly lastUpdate: number
  /** The highest event ID that may have been given; the first new one is two above it. */
  readonly resumed: number
  /** The highest item ID that may have been given. */
  readonly item: number
}

/**
 * Event IDs and item IDs continue above those of the backup and of the present database, so that no ID has
 * two meanings.
 */
export function idsAfterRestore(
  client: Database,
  present: PresentDatabase | null,
  isReplaced: boolean,
): IdsAfterRestore {
  const [lastUpdate, lastItem] = [lastNumber(client, "updates"), lastNumber(client, "queue_items")]
  const jump = isReplaced && present === null ? UNKNOWN_JUMP : 0
  return {
    lastUpdate,
    resumed: Math.max(lastUpdate, present?.updateId ?? 0) + jump,
    item: Math.max(lastItem, present?.itemId ?? 0) + jump,
  }
}

/** Lets new event IDs and item IDs begin above the given ones. */
export function raiseIds(client: Database, { resumed, item }: IdsAfterRestore): void {
  // One event ID is left out. A reader that is at the old newest ID has seen updates that are lost; a reader
  // at the new one has not.
  setLastNumber(client, "updates", resumed + 1)
  setLastNumber(client, "queue_items", item)
}
