import { withoutDigits } from "./count-in-words.ts"
import { type Amounts, lasts, type Part } from "./matching-steps.ts"
import { STEPS, type StepTrace } from "./trace.ts"

/**
 * This many steps whose names are the same, or differ only in a number, are a series. Fewer such steps may be
 * the passes of an encoder.
 */
const MIN_SERIES = 3

/**
 * The names that the steps of a series share: of pictures, or of scenes that are painted, animated and voiced in turn.
 * Empty if there is no series.
 */
function seriesIn(parts: readonly Part[]): ReadonlySet<string> {
  const counts = new Map<string, number>()
  for (const { step } of parts) {
    const name = withoutDigits(step.name)
    if (name !== "") counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const most = Math.max(0, ...counts.values())
  const names = [...counts].filter(([, count]) => count > 1 && count > most / 2)
  const steps = names.reduce((sum, [, count]) => sum + count, 0)
  return new Set(steps >= MIN_SERIES ? names.map(([name]) => name) : [])
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
  if (series.size === 0) return 0
  const isOfSeries = ({ step }: Part): boolean => series.has(withoutDigits(step.name))
  const rest = parts.slice(from).filter(isOfSeries)
  // The rest of a round that is under way is not like a whole one.
  const known = rest.length > 0 && series.size === 1 ? rest : parts.filter(isOfSeries)
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
