import { type Claimed, type Client, ServerError } from "../client/client.ts"
import type { KeptLease } from "./lease-file.ts"
import { type ClaimNotes, type LostClaims, OwnLease } from "./own-lease.ts"
import { ProcessTree } from "./process-tree.ts"
import { isFinalRefusal, isMissing } from "./server-errors.ts"
import { stopwatch } from "./suspended-machine.ts"
import { deliver, type Verdict, wordOf } from "./verdict.ts"

/** How often to ask for an item that the server does not have. */
const MISSING_EVERY_MS = 5000

/** What is needed to end a lease that another worker left behind. */
export interface HeirOptions {
  /** The server that gave the lease. */
  readonly client: Client
  /** The worker's name, for an item that must be claimed again. */
  readonly worker: string
  /** Length of a lease in seconds. */
  readonly leaseS: number
  /** How long to keep trying to report a result. */
  readonly reportWithinMs: number
  /** The claims by place of the same program. Default: it makes none. */
  readonly lostClaims?: LostClaims
  /** Prints a line for the user. */
  readonly say: (text: string) => void
}

/** A lease that a worker left behind when it was killed. */
export class LeaseOfKilledWorker {
  readonly #heir: HeirOptions
  readonly #kept: KeptLease
  readonly #lease: OwnLease
  /** Whether the server is known to have no update of our attempt. */
  #isForgotten = false
  /** How long we have known the lease. */
  readonly #knownMs = stopwatch()
  /** How long ago the server last did not have the item; undefined if it has it. */
  #missingMs: (() => number) | undefined

  /** `notes` keep for the next worker what becomes of the lease, if we are killed before it has ended. */
  constructor(heir: HeirOptions, kept: KeptLease, notes: ClaimNotes) {
    this.#heir = heir
    this.#kept = kept
    const { id, token, attempt, queued_at, unanswered = 0 } = kept
    const of = { ...heir, isOursAfterRetry: () => this.#isForgotten, say: () => undefined }
    this.#lease = OwnLease.of({ id, token }, { attempt, queued_at }, { ...of, ...notes, unanswered })
  }

  /**
   * Ends the lease. First it kills the rest of the command. Then it reports the verdict, or gives the item back if
   * there is no verdict. A completed item that went back to the queue is claimed again, unless another attempt has
   * begun since. A lease that has already ended is left alone. Returns false if the item cannot be claimed yet: for
   * one minute after a restore, because a claim whose answer was lost may hold it, or because the server has another
   * database. Then try again later.
   * @throws ServerError if the server cannot be reached or denies us access: then try again later
   */
  async settle(): Promise<boolean> {
    const { id, mark, verdict } = this.#kept
    const { say } = this.#heir
    const given: Verdict = verdict ?? { end: "release" }
    if ((this.#missingMs?.() ?? MISSING_EVERY_MS) < MISSING_EVERY_MS) return false
    if (mark !== undefined) await new ProcessTree(undefined, mark).stop(0)
    try {
      await this.#end(given)
      const why = verdict ? "as its last worker could not report" : "because its worker was killed"
      say(`queue item ${id}: ${wordOf(given)}, ${why}`)
    } catch (error) {
      if (!isFinalRefusal(error)) throw error
      if (error.code === "leased") return false
      if (isMissing(error) && verdict && this.#knownMs() < this.#heir.reportWithinMs) {
        if (!this.#missingMs) say(`queue item ${id}: ${error.message}; its result is kept and tried again`)
        this.#missingMs = stopwatch()
        return false
      }
      if (error.code === "illegal_move" && this.#lease.isPerhapsOurs) return false
      // The lease has ended, or the item is gone, so nothing is left to do.
      if (verdict) say(`queue item ${id}: its earlier result does not count: ${error.message}`)
    }
    return true
  }

  /** Whether the result counts for an item that this program has claimed. Then `settle` reports it. */
  async takeOver(claimed: Claimed): Promise<boolean> {
    return this.#kept.verdict?.end === "complete" && (await this.#lease.takeOver(claimed))
  }

  /**
   * Whether the server has no update of our attempt, because a backup from before it was restored. After a retry by a
   * person it has them. @throws ServerError if the server cannot be reached or denies us access
   */
  async #isAttemptForgotten(): Promise<boolean> {
    const { id, attempt } = this.#kept
    const { client } = this.#heir
    for (let after = 0; ;) {
      const { updates, next } = await client.history(id, after)
      if (updates.some((update) => (update.attempt ?? 0) >= attempt)) return false
      if (!next || next <= after) return true
      after = next
    }
  }

  async #end(verdict: Verdict): Promise<void> {
    const { client } = this.#heir
    const held = await this.#lease.hold()
    try {
      await deliver(client, held, verdict)
    } catch (error) {
      const isLost = error instanceof ServerError && error.code === "lease_lost"
      if (!isLost || verdict.end !== "complete") throw error
      this.#isForgotten = await this.#isAttemptForgotten()
      this.#lease.lost(held)
      await deliver(client, await this.#lease.hold(), verdict)
    }
  }
}
