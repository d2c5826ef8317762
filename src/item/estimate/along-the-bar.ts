import { NO_COUNT, withoutDigits } from "./count-in-words.ts"
import type { Run } from "./earlier-run.ts"
import type { Point } from "./step-line.ts"
import { STEPS, type StepTrace, type Trace } from "./trace.ts"

/** If the percentages of a step begin by more points than this below what was reached before, they are the step's own. */
const OWN_BAR = 20
/** A line with fewer points does not show how a run went. */
const MIN_POINTS = 3

/** The percentages of all steps as one line; undefined if each step has a bar of its own. */
function lineOf(steps: readonly StepTrace[]): readonly Point[] | undefined {
  const line: Point[] = [[0, 0]]
  let reached = 0
  const add = (value: number, at: number): void => {
    if (value <= reached || at <= 0) return
    reached = value
    line.push([value, at])
  }
  for (const { from, at, lines } of steps) {
    const begins = lines.percent?.[0]?.[0] ?? from ?? reached
    if (begins < reached - OWN_BAR) return undefined
    add(begins, at)
    for (const [value, then] of lines.percent ?? []) add(value, at + then)
  }
  return line
}

const oneStep = (percent: readonly Point[], totals: StepTrace["totals"]): StepTrace => ({
  name: "",
  index: 1,
  unit: "",
  size: 0,
  at: 0,
  lines: { percent },
  ...(totals && { totals }),
})

/** What the words of a step count, whatever the words are. */
const IN_WORDS = "#"

/** What a step counts, with its place among the steps; undefined if it counts nothing. */
function countedAt(
  { unit, index }: StepTrace,
  counted: Point | readonly Point[] | undefined,
): string | undefined {
  if (unit === NO_COUNT || unit === STEPS || (unit === "" && !counted)) return undefined
  return `${index} ${unit === "" || unit.includes(IN_WORDS) ? IN_WORDS : unit}`
}

/** What is known of the steps of some runs without comparing them. */
export interface KnownSteps {
  /** Their names, as they are and without the numbers in them. */
  readonly names: ReadonlySet<string>
  /** What each run counts in exactly one of its steps, and at the same place. */
  readonly counted: ReadonlySet<string>
}

/** The counts of a run's steps that show which step it is: no other step of the run counts the same. */
function countsOf({ steps }: Run): ReadonlySet<string> {
  const all = steps.flatMap((step) => countedAt(step, step.lines.unit) ?? [])
  const unitOf = (key: string): string => key.slice(key.indexOf(" "))
  return new Set(all.filter((key) => all.filter((other) => unitOf(other) === unitOf(key)).length === 1))
}

/** See `KnownSteps`. */
export function knownSteps(runs: readonly Run[]): KnownSteps {
  const names = new Set(runs.flatMap(({ steps }) => steps.flatMap(({ name }) => [name, withoutDigits(name)])))
  const [first = new Set<string>(), ...others] = runs.map(countsOf)
  return { names, counted: new Set([...first].filter((key) => others.every((keys) => keys.has(key)))) }
}

/**
 * Whether an attempt now says something that no run said: the title of a song, or the name of a file. That names no step
 * that a run had, unless it is known by what it counts.
 */
export function isInOtherWords({ steps, latest }: Trace, { names, counted }: KnownSteps): boolean {
  const last = steps.at(-1)
  if (!last || last.name === "" || last.total !== undefined || names.has(last.name)) return false
  if (names.has(withoutDigits(last.name))) return false
  const key = countedAt(last, latest.unit)
  return key === undefined || !counted.has(key)
}

/** These runs as if each had one step, in which its percentages went on; without those that reported none. */
export const runsAlongTheBar = (runs: readonly Run[]): Run[] =>
  runs.flatMap((run) => {
    const line = lineOf(run.steps) ?? []
    return line.length >= MIN_POINTS ? [{ ...run, steps: [oneStep(line, run.steps[0]?.totals)] }] : []
  })

/** The steps of attempts as one step, and the line up to the beginning of their last one. */
const joined = new WeakMap<readonly StepTrace[], ReturnType<typeof joinedOf>>()

const joinedOf = (steps: readonly StepTrace[]) => ({ line: lineOf(steps), steps: [oneStep([], undefined)] })

/** An attempt as if it had one step; undefined if its percentages do not say how far it is. */
export function traceAlongTheBar({ steps: told, lines, latest: { percent } }: Trace): Trace | undefined {
  const one = joined.get(told) ?? joinedOf(told)
  joined.set(told, one)
  const { line, steps } = one
  const isFirst = told.length === 1
  if (!line || (!percent && line.length === 1 && !isFirst)) return undefined
  const before = line.length > 1 ? line.at(-1) : undefined
  const latest: Point | undefined = percent ? [percent[0], (told.at(-1)?.at ?? 0) + percent[1]] : before
  return { steps, lines: { percent: isFirst ? lines.percent : line }, latest: { percent: latest }, from: 0 }
}
