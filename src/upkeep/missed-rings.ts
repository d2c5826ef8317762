import { BEAT_MS, Repeating } from "../background-work.ts"
import type { Reasons } from "../degraded-reasons.ts"

const TURN_MS = 6 * BEAT_MS

/** The newest event of the history, and the newest one that was read for the streams. */
export interface MissedRingsOptions {
  /** The newest event ID of the history. */
  readonly head: () => Promise<number>
  /** The newest event ID that was read for the streams; undefined while no stream is open. */
  readonly heard: () => number | undefined
  /** Rings the bell again. */
  readonly ring: () => void
  /** Called when the history cannot be read; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Checks about every 5 s whether the streams get what is stored. A lost notification would delay updates until the
 * next one. If this happens, `/health` reports it, and the bell is rung again.
 */
export class MissedRings extends Repeating {
  readonly #reasons: Reasons
  readonly #options: MissedRingsOptions
  /** What was read for the streams at the last check at which they lacked updates. */
  #behindAt: number | undefined

  constructor(reasons: Reasons, options: MissedRingsOptions) {
    super(TURN_MS, options.onError)
    this.#reasons = reasons
    this.#options = options
  }

  /** Checks once. */
  async turn(): Promise<void> {
    const { head: headOf, heard: heardOf, ring } = this.#options
    const heard = heardOf()
    // While no stream is open, nothing is read.
    const isBehind = heard !== undefined && (await headOf()) > heard
    const isDeaf = isBehind && heard === this.#behindAt
    this.#reasons.set("bell_deaf", isDeaf)
    if (isBehind) this.#behindAt = heard
    if (isDeaf) ring()
  }
}
