import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"
import { FAULTS, type Life } from "../store/contract/life.ts"

/** What is called when the database has a fault. */
export interface DatabaseCheckOptions {
  /** Called at each check that does not find the database at its path. */
  readonly onReplaced: () => void
  /** Called when the database cannot be checked; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/** Checks the database every second, and notes its faults for `/health`. */
export class DatabaseCheck extends Repeating {
  readonly #life: Life
  readonly #reasons: Reasons
  readonly #options: DatabaseCheckOptions

  constructor(life: Life, reasons: Reasons, options: DatabaseCheckOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#life = life
    this.#reasons = reasons
    this.#options = options
  }

  /** Checks once. */
  round(): void {
    const faults = this.#life.faults()
    for (const fault of FAULTS) {
      const detail = fault === "database_unwritable" ? this.#life.failure : ""
      this.#reasons.set(fault, faults.includes(fault), detail)
    }
    if (faults.includes("file_replaced")) this.#options.onReplaced()
  }
}
