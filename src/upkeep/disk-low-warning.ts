import { FAST_ROUND_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"

/** With less free room than this, the disk counts as nearly full. */
const LOW_BYTES = 256 * 1024 * 1024

/** Questions about the disk. */
export interface DiskOptions {
  /** The free bytes on the disk of the database. */
  readonly freeBytes: () => number
  /** Called when the disk cannot be checked; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/** Checks about every second how much room is free on the disk of the database. */
export class DiskLowWarning extends Repeating {
  readonly #reasons: Reasons
  readonly #options: DiskOptions

  constructor(reasons: Reasons, options: DiskOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
  }

  /** Checks once. */
  round(): void {
    const free = this.#options.freeBytes()
    this.#reasons.set("disk_low", free < LOW_BYTES, `${Math.floor(free / 1024 / 1024)} MiB free`)
  }
}
