import { type Claimed, type ClaimRequest, type Client, type Held, ServerError } from "../client/client.ts"
import type { QueueItem } from "../item/item.ts"

/** How a run gets its item. */
export interface ItemSource {
  /**
   * Gets the item and its lease. It is called again after each try in which the server could not be reached.
   */
  readonly first: () => Promise<Held>
  /** The flag that names the item: "--item 7". */
  readonly name: string
  /** The item's ID, as soon as it is known; absent for a lent item. */
  readonly id?: () => number | undefined
  /** Whether the lease belongs to the command that started us. That command renews and ends it. */
  readonly isLent: boolean
  /** Whether we added the item for our command, so that no other worker can render it. Default false. */
  readonly isOwn?: boolean
  /** Whether the server may have added our item, though it gave no answer. Default: it has not. */
  readonly isPerhapsAdded?: () => boolean
  /**
   * Whether another process has begun this attempt: the item is lent, or this is the next step of an item
   * whose lease was kept.
   */
  readonly isContinued: () => boolean
  /** The item as it was claimed; undefined before that, and for a lent item. */
  readonly item: () => QueueItem | undefined
}

/** How to get an item that was not lent to us. */
export interface ItemFinding {
  /** The flag that names the item. */
  readonly name: string
  /** Resolves with the item's ID. After it has succeeded once, it is not called again. */
  readonly find: () => Promise<number>
  /** Takes the lease that an earlier step kept for this item; undefined if there is none. */
  readonly kept: (id: number) => Held | undefined
}

/** How to claim an item. */
export interface Claiming {
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** What is known about the render before it begins. */
  readonly known: Pick<ClaimRequest, "kind" | "totals">
}

/** Gets an item by the lease that an earlier step kept, and otherwise claims it. */
export function claiming(
  client: Client,
  { worker, leaseS, known }: Claiming,
  { name, find, kept }: ItemFinding,
): ItemSource {
  let id: number | undefined
  let item: QueueItem | undefined
  let before: Held | undefined
  let isContinued = false
  const first = async (): Promise<Held> => {
    id ??= await find()
    before ??= kept(id)
    const renewed = before && (await renewedOrLost(client, before))
    if (before && renewed) {
      item = renewed
      isContinued = true
      return before
    }
    const claimed = await taken(client, id, { worker, lease: leaseS, ...known }, before)
    item = claimed.item
    return { id, token: claimed.lease.token }
  }
  return { name, first, id: () => id, isLent: false, isContinued: () => isContinued, item: () => item }
}

/**
 * Claims an item. A server that does not know all keys gets only those that every version knows. @throws
 * ServerError
 */
async function taken(
  client: Client,
  id: number,
  { worker, lease, ...known }: { readonly worker: string; readonly lease: number } & Claiming["known"],
  before: Held | undefined,
): Promise<Claimed> {
  try {
    return await client.take(id, { worker, lease, ...known }, before)
  } catch (error) {
    // Any other error in the given values must be corrected by the user.
    if (!(error instanceof ServerError) || !/\bunknown key\b/.test(error.message)) throw error
    return client.take(id, { worker, lease }, before)
  }
}

/**
 * The item of a lease that is still held; undefined if the lease is lost.
 * @throws ServerError if it is unknown whether the lease is held
 */
async function renewedOrLost(client: Client, held: Held): Promise<QueueItem | undefined> {
  try {
    return (await client.heartbeat(held)).item
  } catch (error) {
    if (error instanceof ServerError && error.code === "lease_lost") return undefined
    throw error
  }
}
