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
const USUAL = 0.24
const USUAL_VALUES = 1.5
/** Student's distribution of many degrees of freedom is the normal one, and wider by this, divided by them, if they are few. */
const STUDENT = 0.62

/** How far the next logarithm may be from the middle of `count` others; `squares` is the sum of their squared distances to it. */
function reachOf(count: number, squares: number): number {
  const freedom = USUAL_VALUES + count - 1
  const variance = (squares + USUAL_VALUES * USUAL ** 2) / freedom
  return (FOUR_FIFTHS * Math.sqrt(variance * (1 + 1 / count))) / (1 - STUDENT / freedom)
}

/**
 * The range in which the next value is expected, from the values before it: at least one, and all above 0. The fewer
 * there are, the less is known about how much they vary and where their middle is, and the wider is the range.
 */
export function rangeOfNext(values: readonly number[]): Range {
  const logs = values.map(Math.log)
  const middle = mean(logs)
  const squares = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0)
  const reach = reachOf(logs.length, squares)
  // One value that is a small part of the others does not make values possible that are many times as large as all.
  const beyond = reachOf(logs.length, 0)
  return {
    low: Math.exp(Math.max(middle - reach, Math.min(...logs) - beyond)),
    high: Math.exp(Math.min(middle + reach, Math.max(...logs) + beyond)),
  }
}
