import type { AttemptNow } from "./earlier-run.ts"
import { ask, blended, type Experience, wholes } from "./experience.ts"
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

/** How long an attempt that has not begun will take. */
export interface Outlook {
  /** How long it is expected to take, in seconds. */
  readonly seconds: number
  /** The standard deviation of that, in seconds. */
  readonly deviation: number
}

/** This many standard deviations to both sides hold four fifths of a normal distribution. */
export const FOUR_FIFTHS = 1.2816
/** An attempt that goes on is not over: at least this part of the time so far is left. */
const LEAST_LEFT = 0.02
/** The bar of an attempt that goes on has not reached its end. */
export const MAX_SHOWN = 99
/** The usual error of an outlook's logarithm. */
const USUAL = 0.25

/** How long the attempt will still take; null if no run resembles it. */
export function estimate(place: AttemptNow, experience: Experience): Estimate | null {
  const said = ask(place, experience)
  if (!said) return null
  const { left, deviation, extent } = said
  const whole = place.at + left
  const spread = Math.exp(FOUR_FIFTHS * deviation)
  return {
    left,
    low: Math.max(0, Math.min(left, extent.least, whole / spread - place.at)),
    high: Math.max(extent.most, whole * spread - place.at),
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
  const weighted = (value: (seconds: number) => number): number => {
    const whole = weights.reduce((sum, weight) => sum + weight, 0)
    return all.reduce((sum, seconds, i) => sum + value(seconds) * (weights[i] ?? 1), 0) / whole
  }
  const seconds = weighted((one) => one)
  const seen = weighted((one) => (one / seconds - 1) ** 2)
  // The mean of few is uncertain itself, and they are nearer to it than the next one will be.
  const ofNext = (all.length + 1) / Math.max(1, all.length - 1)
  return { seconds, deviation: seconds * blended(USUAL, seen * ofNext, all.length) }
}
