import type { Held } from "../client/client.ts"
import type { QueueItem } from "../item/item.ts"

/** Linux refuses to start a program with a longer variable (128 KiB with the name). */
const MAX_VARIABLE_LENGTH = 100_000

/** The variables that describe the item to its command; `undefined` removes one that we inherited. */
export function variablesOf(
  item: QueueItem | undefined,
  held: Held | undefined,
  server: string,
): Record<string, string | undefined> {
  const json = item && JSON.stringify(item)
  return {
    TRACK_STUDIO_SERVER: server,
    TRACK_STUDIO_ITEM: json && Buffer.byteLength(json) <= MAX_VARIABLE_LENGTH ? json : undefined,
    TRACK_STUDIO_ITEM_ID: item && String(item.id),
    TRACK_STUDIO_SONG_ID: item && String(item.song_id),
    TRACK_STUDIO_LEASE: item && held?.token,
  }
}
