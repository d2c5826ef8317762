import { mean } from "./averages.ts"
import { NO_COUNT, withoutDigits } from "./count-in-words.ts"
import type { AttemptNow, Run } from "./earlier-run.ts"
import type { Point } from "./step-line.ts"
import { STEPS, type StepTrace, type Trace } from "./trace.ts"

/** If the percentages of a step begin by more points than this below what was reached before, they are the step's own. */
const OWN_BAR = 20
/** Words that stand this many points away from where they stood in the runs name another step. */
const ELSEWHERE = 20
/** Steps that begin at percentages that differ by at most this many points are at the same place of the bar. */
const SAME_PLACE = 2
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

/**
 * How much there is to do, by unit: what was declared, otherwise what the first step of that unit has to do. The steps of
 * an attempt become more, and the first one stays the same.
 */
function amountsIn(steps: readonly StepTrace[], declared: StepTrace["totals"]): StepTrace["totals"] {
  const amounts: Record<string, number> = {}
  for (const { unit, size } of steps) if (size > 0 && unit !== STEPS) amounts[unit] ??= size
  return { ...amounts, ...declared }
}

/** What the words of a step count, whatever the words are. */
const IN_WORDS = "#"

/** What a step counts, with its number among the steps; undefined if it counts nothing. */
function countedAt(
  { unit, index }: StepTrace,
  counted: Point | readonly Point[] | undefined,
): string | undefined {
  if (unit === NO_COUNT || unit === STEPS || (unit === "" && !counted)) return undefined
  return `${index} ${unit === "" || unit.includes(IN_WORDS) ? IN_WORDS : unit}`
}

/** A part of the bar, in percent. */
interface PartOfBar {
  readonly from: number
  readonly to: number
}

/** What is known of the steps of some runs without comparing them. */
export interface KnownSteps {
  /** By name, as it is and without the numbers in it: from where to where on the bar the steps of that name went. */
  readonly stretches: ReadonlyMap<string, PartOfBar>
  /** The order of the names in each run: see `orderOf`. */
  readonly orders: readonly (readonly string[])[]
  /** Whether words come again after others in a run. */
  readonly comeAgain: boolean
  /** The steps of the runs, if all runs went the same way along the bar; otherwise undefined. */
  readonly way: readonly StepTrace[] | undefined
  /** What the order of an attempt's steps says of them: see `byOrder`. */
  readonly judged: WeakMap<readonly StepTrace[], Words>
  /** What each run counts in exactly one of its steps, and in the step of the same number. */
  readonly counted: ReadonlySet<string>
}

/** See `KnownSteps`. */
function stretchesOf(runs: readonly Run[]): Map<string, PartOfBar> {
  const all = new Map<string, PartOfBar>()
  for (const { steps } of runs) {
    let reached = 0
    for (const [i, { name, from, lines }] of steps.entries()) {
      const begins = lines.percent?.[0]?.[0] ?? from ?? reached
      reached = lines.percent?.at(-1)?.[0] ?? begins
      const next = steps[i + 1]
      const ends = next ? Math.max(reached, next.lines.percent?.[0]?.[0] ?? next.from ?? 0) : 100
      const series = withoutDigits(name)
      const known = all.get(series) ?? { from: begins, to: ends }
      all.set(series, { from: Math.min(known.from, begins), to: Math.max(known.to, ends) })
    }
  }
  for (const name of runs.flatMap(({ steps }) => steps.map((step) => step.name))) {
    const ofSeries = all.get(withoutDigits(name))
    if (ofSeries) all.set(name, ofSeries)
  }
  return all
}

/** The names of some steps without the numbers in them, each series only once. */
const orderOf = (steps: readonly StepTrace[]): string[] =>
  steps.map(({ name }) => withoutDigits(name)).filter((name, i, all) => name !== all[i - 1])

/** Whether a name comes again after another one. */
const comesAgain = (order: readonly string[]): boolean => new Set(order).size < order.length

/** Whether an order has these names one after the other, perhaps with others between them. */
function isPartOf(names: readonly string[], order: readonly string[]): boolean {
  let i = 0
  for (const name of names) {
    i = order.indexOf(name, i) + 1
    if (i === 0) return false
  }
  return true
}

/** Whether these steps are the first ones of others, and each began at the same percentage. */
const goTheWay = (steps: readonly StepTrace[], others: readonly StepTrace[]): boolean =>
  steps.every(({ name, from = 0 }, i) => {
    const other = others[i]
    const isNamed = other !== undefined && withoutDigits(other.name) === withoutDigits(name)
    return isNamed && Math.abs((other.from ?? 0) - from) <= SAME_PLACE
  })

/** What the order of an attempt's steps says of them, without those that no run had. */
function byOrder(
  steps: readonly StepTrace[],
  { stretches, orders, comeAgain, way, judged }: KnownSteps,
): Words {
  const before = judged.get(steps)
  if (before !== undefined) return before
  const told = orderOf(steps).filter((name) => stretches.has(name))
  const isAgain = (comeAgain || comesAgain(told)) && !(way && goTheWay(steps, way))
  const isKnown = orders.some((order) => isPartOf(told, order))
  const words = isAgain ? "again" : isKnown ? "as before" : "elsewhere"
  judged.set(steps, words)
  return words
}

/** The counts of a run's steps that show which step it is: no other step of the run counts the same. */
function countsOf({ steps }: Run): ReadonlySet<string> {
  const all = steps.flatMap((step) => countedAt(step, step.lines.unit) ?? [])
  const unitOf = (key: string): string => key.slice(key.indexOf(" "))
  return new Set(all.filter((key) => all.filter((other) => unitOf(other) === unitOf(key)).length === 1))
}

/** See `KnownSteps`. */
export function knownSteps(runs: readonly Run[]): KnownSteps {
  const [first = new Set<string>(), ...others] = runs.map(countsOf)
  const orders = runs.map(({ steps }) => orderOf(steps))
  const way = runs[0]?.steps ?? []
  const isSameWay = runs.every(({ steps }) => steps.length === way.length && goTheWay(steps, way))
  return {
    stretches: stretchesOf(runs),
    orders,
    comeAgain: orders.some(comesAgain),
    way: isSameWay ? way : undefined,
    judged: new WeakMap(),
    counted: new Set([...first].filter((key) => others.every((keys) => keys.has(key)))),
  }
}

/** What the words of an attempt say of its step, compared with the runs. */
export type Words = "as before" | "unknown" | "again" | "elsewhere"

/**
 * `unknown`: words that no run used, such as the title of a song, unless the step is known by what it counts.
 * `again`: words that come again after others, and not as in all runs, so that they only say what is being done just now.
 * `elsewhere`: words that come in another order than in the runs, or now stand elsewhere on the bar.
 */
export function wordsNow({ steps, latest, from }: Trace, known: KnownSteps): Words {
  const last = steps.at(-1)
  if (!last || last.name === "" || last.total !== undefined) return "as before"
  const { stretches, counted } = known
  const stretch = stretches.get(last.name) ?? stretches.get(withoutDigits(last.name))
  if (!stretch) {
    const key = countedAt(last, latest.unit)
    return key === undefined || !counted.has(key) ? "unknown" : "as before"
  }
  const percent = latest.percent?.[0] ?? from
  const words = byOrder(steps, known)
  if (words !== "as before") return words
  // Of words that come again, those beyond where their step ended in the runs do not say which step it is.
  if (known.comeAgain && percent > (known.way?.[steps.length]?.from ?? 100) + SAME_PLACE) return "again"
  return from < stretch.from - ELSEWHERE || percent > stretch.to + ELSEWHERE ? "elsewhere" : "as before"
}

const offBars = new WeakMap<Run, number>()

/** How far the percentages of a run were from the part of its time that was over, on average. NaN without percentages. */
export function offBarOf(run: Run): number {
  const { steps, seconds } = run
  const known =
    offBars.get(run) ?? mean((lineOf(steps) ?? []).map(([value, at]) => Math.abs(value / 100 - at / seconds)))
  offBars.set(run, known)
  return known
}

/** These runs as if each had one step, in which its percentages went on; without those that reported none. */
export const runsAlongTheBar = (runs: readonly Run[]): Run[] =>
  runs.flatMap((run) => {
    const line = lineOf(run.steps) ?? []
    return line.length >= MIN_POINTS
      ? [{ ...run, steps: [oneStep(line, amountsIn(run.steps, run.steps[0]?.totals))] }]
      : []
  })

/** The steps of attempts as one step, the line up to the beginning of their last one, and how much there is to do. */
const joined = new WeakMap<readonly StepTrace[], ReturnType<typeof joinedOf>>()

const joinedOf = (steps: readonly StepTrace[], declared: AttemptNow["totals"]) => ({
  line: lineOf(steps),
  steps: [oneStep([], undefined)],
  declared,
  totals: amountsIn(steps, declared),
})

/** An attempt as if it had one step; undefined if its percentages do not say how far it is. */
export function attemptAlongTheBar(now: AttemptNow): AttemptNow | undefined {
  const {
    steps: told,
    lines,
    latest: { percent },
  } = now.trace
  const known = joined.get(told)
  const one = known && known.declared === now.totals ? known : joinedOf(told, now.totals)
  joined.set(told, one)
  const { line, steps, totals } = one
  const isFirst = told.length === 1
  if (!line || (!percent && line.length === 1 && !isFirst)) return undefined
  const before = line.length > 1 ? line.at(-1) : undefined
  const latest: Point | undefined = percent ? [percent[0], (told.at(-1)?.at ?? 0) + percent[1]] : before
  const percents = isFirst ? lines.percent : line
  return {
    ...now,
    totals,
    trace: { steps, lines: { percent: percents }, latest: { percent: latest }, from: 0 },
  }
}
