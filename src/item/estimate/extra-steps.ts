import { withoutDigits } from "./count-in-words.ts"
import { type Amounts, lasts, type Part } from "./matching-steps.ts"
import { STEPS, type StepTrace } from "./trace.ts"

/**
 * This many steps whose names are the same, or differ only in a number, are a series. Fewer such steps may be
 * the passes of an encoder.
 */
const MIN_SERIES = 3

/** Whether a step has a number, and no name. */
const isNumbered = ({ name, total = 1 }: StepTrace): boolean => name === "" && total > 1

/** How many steps of a run have a name, or only numbers, and the indexes of the first and the last one. */
interface NameCount {
  readonly name: string
  readonly count: number
  readonly first: number
  readonly last: number
}

function namedIn(parts: readonly Part[]): readonly NameCount[] {
  const all = new Map<string, NameCount>()
  for (const [i, { step }] of parts.entries()) {
    const name = withoutDigits(step.name)
    const { count, first } = all.get(name) ?? { count: 0, first: i }
    if (name !== "" || isNumbered(step)) all.set(name, { name, count: count + 1, first, last: i })
  }
  return [...all.values()]
}

/**
 * The names that the steps of a series share: of pictures, or of scenes that are painted, animated and voiced, in turn
 * or one after the other. Empty if there is no series. The passes of an encoder after the pictures are none.
 */
function seriesIn(parts: readonly Part[]): ReadonlySet<string> {
  const all = namedIn(parts)
  const [longest] = all.toSorted((a, b) => b.count - a.count)
  if (!longest) return new Set()
  const names = all.filter(({ count, first, last }) => {
    const isInTurn = count > 1 && count > longest.count / 2 && first < longest.last && last > longest.first
    return isInTurn || (count === longest.count && count >= MIN_SERIES)
  })
  const steps = names.reduce((sum, { count }) => sum + count, 0)
  return new Set(steps >= MIN_SERIES ? names.map(({ name }) => name) : [])
}

/** How many steps these are. The last one may stand for several steps. */
const countOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { step }) => sum + (step.unit === STEPS ? step.size : 1), 0)

/**
 * How much longer an attempt takes than a run because the attempt has `more` steps; in seconds, negative for
 * fewer steps. The parts of the run from the index `from` on are still to come. The additional steps belong
 * to the run's series (pictures, chapters); if it has none, they are those that the attempt has not had yet, because its
 * steps come in another order: `missed`.
 */
export function surplusOf(
  parts: readonly Part[],
  from: number,
  more: number,
  amounts: Amounts,
  missed: readonly Part[] = [],
): number {
  if (more === 0) return 0
  const lastingOf = (some: readonly Part[]): number =>
    some.reduce((sum, part) => sum + lasts(part, amounts), 0)
  const series = seriesIn(parts)
  if (series.size === 0)
    return (lastingOf(missed) * Math.max(0, Math.min(more, missed.length))) / (missed.length || 1)
  const isOfSeries = ({ step }: Part): boolean => series.has(withoutDigits(step.name))
  const rest = parts.slice(from).filter(isOfSeries)
  // The rest of a round that is under way is not like a whole one.
  const known = rest.length > 0 && series.size === 1 ? rest : parts.filter(isOfSeries)
  // Fewer steps spare at most the time of those that were to come.
  return Math.max((more * lastingOf(known)) / countOf(known), -lastingOf(rest))
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
