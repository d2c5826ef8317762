import type { Client, ReadItem, WorkerSeen } from "../client/client.ts"
import { missingTags, offersOf } from "../item/missing-tags.ts"
import { isWaiting } from "../item/moves.ts"
import type { Zone } from "../terminal/times-of-day.ts"

/** The tags of an item that no worker offers; empty if a worker may take the item, or if it does not wait. */
export type Unserved = (item: ReadItem) => readonly string[]

/** Asks for the workers if any of the items waits for one; null if none waits, or if we may not know. */
export async function workersFor(
  client: Client,
  items: readonly ReadItem[],
): Promise<readonly WorkerSeen[] | null> {
  if (!items.some(({ status }) => isWaiting(status))) return null
  try {
    return await client.workers()
  } catch {
    return null
  }
}

/**
 * The tags because of which these workers do not take an item. If the workers are not known, each item counts
 * as served.
 */
export function unservedBy(workers: readonly WorkerSeen[] | null): Unserved {
  const offers = offersOf(workers ?? [])
  return (item) => (isWaiting(item.status) ? missingTags(item.tags, offers) : [])
}

/** Why no worker takes an item: `no worker offers 4k`; empty if a worker takes it. */
export const unservedText = (missing: readonly string[]): string =>
  missing.length === 0 ? "" : `no worker offers ${missing.join(", ")}`

/** Since when the queue is paused; null if it is not, or if this caller may not know. */
export async function pausedAt(client: Client): Promise<string | null> {
  try {
    return (await client.counts()).paused_at
  } catch {
    return null
  }
}

/** Why no worker takes this item: `queue paused since 14:32`, `no worker offers 4k`; none if it does not wait. */
export async function reasonsToWait(client: Client, item: ReadItem, zone: Zone): Promise<string[]> {
  if (!isWaiting(item.status)) return []
  const [since, workers] = [await pausedAt(client), await workersFor(client, [item])]
  const paused = since === null ? "" : `queue paused since ${zone.when(Date.parse(since), Date.now())}`
  return [paused, unservedText(unservedBy(workers)(item))].filter((reason) => reason !== "")
}
