import type { AttemptNow } from "./earlier-run.ts"
import { ask, type Experience, wholes } from "./experience.ts"
import { FOUR_FIFTHS, rangeOfNext } from "./range-of-next.ts"
import { declaredOf } from "./step-durations.ts"

/** How long an attempt will still take. */
export interface Estimate {
  /** Seconds, 0 or more. */
  readonly left: number
  /** The end lies between `low` and `high` with a chance of four in five: seconds, at most `left`. */
  readonly low: number
  /** Seconds, at least `left`. */
  readonly high: number
}

/** How long an attempt that has not begun will take, or how long a worker is still busy. */
export interface Outlook {
  /** How long it is expected to take, in seconds. */
  readonly seconds: number
  /** It takes between `low` and `high` with a chance of four in five: seconds, at most `seconds`. */
  readonly low: number
  /** Seconds, at least `seconds`. */
  readonly high: number
}

/** An attempt that goes on is not over: at least this part of the time so far is left. */
const LEAST_LEFT = 0.02
/** The bar of an attempt that goes on has not reached its end. */
export const MAX_SHOWN = 99

/** How long the attempt will still take; null if no run resembles it. */
export function estimate(now: AttemptNow, experience: Experience): Estimate | null {
  const said = ask(now, experience)
  if (!said) return null
  const { left, deviation, extent } = said
  const whole = now.at + left
  const spread = Math.exp(FOUR_FIFTHS * deviation)
  return {
    left,
    low: Math.max(0, Math.min(left, extent.low, whole / spread - now.at)),
    high: Math.max(extent.high, whole * spread - now.at),
  }
}

/**
 * Which part of its whole time an attempt has used, in percent: below 100 while the attempt goes on, and
 * never below `before`, the value that was shown last for this attempt.
 */
export function timeProgress(at: number, left: number, before: number): number {
  const rest = Math.max(left, LEAST_LEFT * at)
  const now = at + rest > 0 ? (100 * at) / (at + rest) : 0
  return Math.max(before, Math.min(MAX_SHOWN, now))
}

/**
 * How long an attempt will take on a worker, estimated from how much there is to do; undefined if no run
 * resembles the attempt.
 */
export function outlook(
  experience: Experience,
  worker: string,
  totals: Readonly<Record<string, number>> = {},
): Outlook | undefined {
  const { weights } = experience
  const all = wholes(experience, worker, declaredOf(totals))
  if (all.length === 0) return undefined
  // Many such attempts take the mean each. How much one of them varies is shown by the unusual runs, too.
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  const seconds = all.reduce((sum, one, i) => sum + one * (weights[i] ?? 1), 0) / whole
  const { low, high } = rangeOfNext(all)
  return { seconds, low: Math.min(seconds, low), high: Math.max(seconds, high) }
}
