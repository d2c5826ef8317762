import { USUAL_STEP } from "./step-durations.ts"

/** The deviation of a logistic distribution whose scale is 1. */
const LOGISTIC = Math.PI / Math.sqrt(3)
/** What varies by this much more than usual tells nothing: a standard deviation. */
const MAX_VARIED = 1

/**
 * How large something is that was expected to be `expected`, and has already reached `reached`: the middle of what is
 * still possible, if such values vary like that (`spread`, a standard deviation) in a logistic distribution of their
 * logarithms. If they vary much, the value is still expected to be the larger, the larger it already is.
 */
export function stillPossible(expected: number, reached: number, spread: number): number {
  const varied = Math.min(MAX_VARIED, spread - USUAL_STEP)
  if (varied <= 0) return expected
  const power = LOGISTIC / varied
  return reached > expected
    ? reached * (2 + (expected / reached) ** power) ** (1 / power)
    : expected * (1 + 2 * (reached / expected) ** power) ** (1 / power)
}
