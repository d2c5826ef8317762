import { type Amounts, lasts, type Part } from "./matching-steps.ts"
import { STEPS, type StepTrace, withoutDigits } from "./trace.ts"

/**
 * This many steps whose names are the same, or differ only in a number, are a series: fewer may be the passes of an
 * encoder.
 */
const MIN_SERIES = 3

/** The name of all steps of a series, the longest one; undefined if there is none. */
function seriesIn(parts: readonly Part[]): string | undefined {
  const counts = new Map<string, number>()
  for (const { step } of parts) {
    const name = withoutDigits(step.name)
    if (name !== "") counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  let longest: string | undefined
  let most = MIN_SERIES - 1
  for (const [name, count] of counts) if (count > most) [longest, most] = [name, count]
  return longest
}

/** How many steps these are: the last one may take in others. */
const countOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { step }) => sum + (step.unit === STEPS ? step.size : 1), 0)

/**
 * How much longer an attempt takes than a run whose parts from `from` on are still to come, because it has
 * `more` steps; in seconds, below 0 for fewer steps. The additional steps are of the run's series (pictures,
 * chapters). 0 if the run has no series.
 */
export function surplusOf(parts: readonly Part[], from: number, more: number, amounts: Amounts): number {
  if (more === 0) return 0
  const series = seriesIn(parts)
  if (series === undefined) return 0
  const isOfSeries = ({ step }: Part): boolean => withoutDigits(step.name) === series
  const rest = parts.slice(from).filter(isOfSeries)
  const known = rest.length > 0 ? rest : parts.filter(isOfSeries)
  const each = known.reduce((sum, part) => sum + lasts(part, amounts), 0) / countOf(known)
  return Math.max(more, -countOf(rest)) * each
}

/** How many more steps follow a step of an attempt than follow one of a run; 0 while that is unknown. */
export function moreSteps(now: StepTrace | undefined, was: StepTrace | undefined): number {
  if (now?.total === undefined || was?.total === undefined) return 0
  // In a series the number of steps is the size of the step, and is counted there.
  if (now.unit === STEPS && was.unit === STEPS) return 0
  return now.total - now.index - (was.total - was.index)
}
