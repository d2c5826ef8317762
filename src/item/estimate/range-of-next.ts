import { mean } from "./averages.ts"

/** A value lies between `low` and `high` with a chance of four in five. */
export interface Range {
  /** Above 0, at most `high`. */
  readonly low: number
  /** In the unit of the values, as `low` is. */
  readonly high: number
}

/** This many standard deviations to both sides hold four fifths of a normal distribution. */
export const FOUR_FIFTHS = 1.2816
/** How much the logarithms of such values usually vary: a standard deviation, and how many values it counts as. */
const USUAL = 0.28
const USUAL_VALUES = 2
/** Student's distribution of many degrees of freedom is the normal one, and wider by this, divided by them, if they are few. */
const STUDENT = 0.62

/**
 * Between what the next value lies, according to the values before it, which are above 0; at least one. The fewer they
 * are, the less is known of how much they vary, and of where their middle is.
 */
export function rangeOfNext(values: readonly number[]): Range {
  const logs = values.map(Math.log)
  const middle = mean(logs)
  const freedom = USUAL_VALUES + logs.length - 1
  const squares = logs.reduce((sum, log) => sum + (log - middle) ** 2, USUAL_VALUES * USUAL ** 2)
  const deviation = Math.sqrt((squares / freedom) * (1 + 1 / logs.length))
  const reach = (FOUR_FIFTHS * deviation) / (1 - STUDENT / freedom)
  return { low: Math.exp(middle - reach), high: Math.exp(middle + reach) }
}
