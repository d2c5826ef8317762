import type { Client, ReadItem } from "../client/client.ts"
import { missingTags, offersOf } from "../item/tags.ts"

/** Those of an item's tags that keep every worker from it; none where one may take it, or where it does not wait. */
export type Unserved = (item: ReadItem) => readonly string[]

/** Whether an item waits for a worker. */
export const waits = ({ status }: ReadItem): boolean => status === "queued" || status === "retrying"

/** Asks who works, if that matters to any of the items; where we may not know, every item counts as served. */
export async function unservedBy(client: Client, items: readonly ReadItem[]): Promise<Unserved> {
  if (!items.some((item) => waits(item) && item.tags.length > 0)) return () => []
  try {
    const offers = offersOf(await client.workers())
    return (item) => (waits(item) ? missingTags(item.tags, offers) : [])
  } catch {
    return () => []
  }
}

/** Why no worker takes an item: `no worker offers 4k`; empty where one does. */
export const unservedText = (missing: readonly string[]): string =>
  missing.length === 0 ? "" : `no worker offers ${missing.join(", ")}`
