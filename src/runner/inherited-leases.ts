import { type Client, type Held, ServerError } from "../client/client.ts"
import type { KeptLease } from "./lease-file.ts"
import { isDenied, isUnreachable } from "./server-errors.ts"
import { Session } from "./session.ts"
import { deliver, type Verdict, wordOf } from "./verdict.ts"

/** What is needed to end a lease that another worker left behind. */
export interface HeirOptions {
  /** The server that gave the lease. */
  readonly client: Client
  /** The worker's name, for an item that must be claimed again. */
  readonly worker: string
  /** Length of a lease in seconds. */
  readonly leaseS: number
  /** Prints a line for the user. */
  readonly say: (text: string) => void
}

/**
 * The lease of a completed item that went back to the queue because its completion was not reported in time.
 * Undefined if another attempt has begun in the meantime: then the other attempt counts.
 */
async function reclaimed(
  { client, worker, leaseS }: HeirOptions,
  lease: KeptLease,
): Promise<Held | undefined> {
  const claimed = await client.take(lease.id, { worker, lease: leaseS }, lease)
  const held = { id: lease.id, token: claimed.lease.token }
  if (claimed.item.attempt === lease.attempt + 1) return held
  await client.release(held)
  return undefined
}

async function ended(options: HeirOptions, lease: KeptLease, verdict: Verdict): Promise<boolean> {
  try {
    await deliver(options.client, lease, verdict)
    return true
  } catch (error) {
    const isLost = error instanceof ServerError && error.code === "lease_lost"
    if (!isLost || verdict.end !== "complete") throw error
    const held = await reclaimed(options, lease)
    if (!held) return false
    await deliver(options.client, held, verdict)
    return true
  }
}

/**
 * Ends a lease that a worker left behind when it was killed. First it kills the rest of the command. Then it
 * reports the verdict, or gives the item back if there is no verdict. A lease that has already ended is left
 * alone. Returns false if the item waits for another worker, which it does for one minute after a restore:
 * then try again later.
 * @throws ServerError if the server cannot be reached or denies us access: then try again later
 */
export async function settle(options: HeirOptions, lease: KeptLease): Promise<boolean> {
  const { say } = options
  const verdict = lease.verdict ?? { end: "release" }
  if (lease.mark !== undefined) await new Session(undefined, lease.mark).stop(0)
  try {
    const isEnded = await ended(options, lease, verdict)
    const whose = lease.verdict ? "as its last worker could not report" : "because its worker was killed"
    if (isEnded) say(`queue item ${lease.id}: ${wordOf(verdict)}, ${whose}`)
    else say(`queue item ${lease.id}: another attempt has begun since, so its earlier result does not count`)
  } catch (error) {
    if (!(error instanceof ServerError) || isUnreachable(error) || isDenied(error)) throw error
    if (error.code === "leased") return false
    // The lease has ended, or the item is gone, so nothing is left to do.
    if (lease.verdict) say(`queue item ${lease.id}: its earlier result does not count: ${error.message}`)
  }
  return true
}
