import { withoutDigits } from "./count-in-words.ts"
import { type Amounts, lasts, type Part } from "./matching-steps.ts"
import { STEPS, type StepTrace } from "./trace.ts"

/**
 * This many steps whose names are the same, or differ only in a number, are a series. Fewer such steps may be
 * the passes of an encoder.
 */
const MIN_SERIES = 3

/** The name that all steps of a series share, of the longest series; undefined if there is none. */
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

/** How many steps these are. The last one may stand for several steps. */
const countOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { step }) => sum + (step.unit === STEPS ? step.size : 1), 0)

/**
 * How much longer an attempt takes than a run because the attempt has `more` steps; in seconds, negative for
 * fewer steps. The parts of the run from the index `from` on are still to come. The additional steps belong
 * to the run's series (pictures, chapters). 0 if the run has no series.
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

/**
 * How many more steps follow after a step of the attempt than after the step of the run; 0 if that is
 * unknown.
 */
export function moreSteps(now: StepTrace | undefined, was: StepTrace | undefined): number {
  if (now?.total === undefined || was?.total === undefined) return 0
  // In a series the number of steps is the size of the step, so it is considered there.
  if (now.unit === STEPS && was.unit === STEPS) return 0
  return now.total - now.index - (was.total - was.index)
}
