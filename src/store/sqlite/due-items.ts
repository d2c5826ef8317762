import type { claims } from "./claim-order.ts"
import type { GroupCommit } from "./group-commit.ts"
import type { WaitingSets } from "./waiting-sets.ts"

/** Lets workers claim the items whose `available_at` has come. */
export class DueItems {
  readonly #claims: Pick<ReturnType<typeof claims>, "ripe" | "ripen">
  readonly #group: GroupCommit
  readonly #sets: WaitingSets
  readonly #steadyMs: () => number
  /** The transaction under way. */
  #batch: Promise<void> | undefined

  /** `steadyMs` is the steady clock. */
  constructor(
    statements: ReturnType<typeof claims>,
    group: GroupCommit,
    sets: WaitingSets,
    steadyMs: () => number,
  ) {
    this.#claims = statements
    this.#group = group
    this.#sets = sets
    this.#steadyMs = steadyMs
  }

  /**
   * Resolves once everything that was due at the call can be claimed. Thousands of items may be due at one time, so
   * others write and read between two transactions.
   */
  async release(): Promise<void> {
    const nowMs = this.#steadyMs()
    while (this.#claims.ripe.get(nowMs)) {
      this.#batch ??= this.#group
        .run(() => {
          for (const item of this.#claims.ripen.all(nowMs)) this.#sets.noteWaiting(item)
        })
        .finally(() => (this.#batch = undefined))
      await this.#batch
    }
  }
}
