import { mean } from "./averages.ts"
import type { Part } from "./matching-steps.ts"
import { type Point, type StepLine, timeAt } from "./step-line.ts"
import { SIGNALS, type StepTrace } from "./trace.ts"

/**
 * A line with fewer points does not show how even the pace of a step was. Then the step counts as this
 * uneven.
 */
const MIN_LINE = 4
const UNSHOWN = 0.25
/** Where a step was this many times as fast or as slow as on average, it stood still or jumped. */
const SUDDEN = 8
/** Two runs show whether a course is that of the work if this is at least the logarithm of the ratio of their amounts. */
const OTHER_SIZE = Math.log(2)
/** How far into a step two runs are compared, as parts of the step. */
const COMPARED = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
/** Two runs may be alike by chance. So with fewer others than this a run counts as uneven, too, as it is by itself. */
const MIN_OTHERS = 2
/** By how much the distance between two runs is multiplied to compare it with a roughness. */
const ROUGHNESS_OF_DISTANCE = 4

/** The points of a step's finest line. */
function finestOf({ lines }: StepTrace): readonly Point[] {
  let finest: readonly Point[] = []
  for (const signal of SIGNALS) {
    const line = lines[signal] ?? []
    if (line.length > finest.length) finest = line
  }
  return finest
}

/** How uneven the pace of a step was that took this many seconds. */
export function unevennessOf(step: StepTrace, seconds: number): Pick<Part, "roughness" | "fixed"> {
  const finest = finestOf(step)
  const [from = 0] = finest[0] ?? []
  const [to = 0, end = 0] = finest.at(-1) ?? []
  if (to <= from || end <= 0 || seconds <= 0) return { roughness: 0, fixed: 0 }
  if (finest.length < MIN_LINE) return { roughness: UNSHOWN, fixed: 0 }
  let [off, sudden] = [0, 0]
  for (let i = 1; i < finest.length; i += 1) {
    const [v0 = 0, t0 = 0] = finest[i - 1] ?? []
    const [v1 = 0, t1 = 0] = finest[i] ?? []
    const [way, time] = [(v1 - v0) / (to - from), (t1 - t0) / end]
    off += Math.abs(way - time)
    if (Math.max(way, time) > SUDDEN * Math.min(way, time)) sudden += Math.abs(way - time)
  }
  return { roughness: ((off / 2) * end) / seconds, fixed: off > 0 ? sudden / off : 0 }
}

/** The part of its time after which a step had reached this part of a line. */
function timeOn(line: StepLine, { seconds }: Part, part: number): number {
  const [from, to] = [line.values[0] ?? 0, line.values.at(-1) ?? 0]
  return timeAt(line, from + part * (to - from)) / seconds
}

/** The finest signal of a step that another run of it has too, as two lines. */
function inCommon(one: Part, other: Part): readonly [StepLine, StepLine] | undefined {
  if (one.seconds <= 0 || other.seconds <= 0) return undefined
  for (const signal of SIGNALS) {
    const [a, b] = [one.lines[signal], other.lines[signal]]
    if (a && b && a.values.length >= MIN_LINE && b.values.length >= MIN_LINE) return [a, b]
  }
  return undefined
}

/**
 * How far two courses of a step are from each other, as a part of the step's time; undefined if they have no
 * signal in common.
 */
function distance(one: Part, other: Part): number | undefined {
  const lines = inCommon(one, other)
  if (!lines) return undefined
  const [a, b] = lines
  return mean(COMPARED.map((part) => Math.abs(timeOn(a, one, part) - timeOn(b, other, part))))
}

/**
 * Whether the run with much more to do went evenly (1) or like the other one (0); undefined if both had about as much
 * to do.
 */
function evenedBy(one: Part, other: Part): number | undefined {
  const by = other.logOfSize - one.logOfSize
  const lines =
    one.step.unit === other.step.unit && Math.abs(by) > OTHER_SIZE ? inCommon(one, other) : undefined
  const apart = lines && distance(one, other)
  if (!lines || apart === undefined) return undefined
  const [long, line] = by > 0 ? [other, lines[1]] : [one, lines[0]]
  const uneven = mean(COMPARED.map((part) => Math.abs(timeOn(line, long, part) - part)))
  return apart > 0 ? apart ** 2 / (apart ** 2 + uneven ** 2) : 0
}

/** The same step in other runs. */
const sameStep = ({ step: { name, index } }: Part, others: readonly (readonly Part[])[]): Part[] =>
  others.flatMap((parts) => parts.find(({ step }) => step.name === name && step.index === index) ?? [])

/** How much the course of a step differs from the course of the same step in other runs: see `Part`. */
function variationOf(part: Part, others: readonly Part[]): number {
  const far = others.flatMap((other) => distance(part, other) ?? [])
  if (far.length === 0) return part.roughness
  const seen = Math.min(part.roughness, ROUGHNESS_OF_DISTANCE * mean(far))
  return far.length < MIN_OTHERS ? (seen + part.roughness) / 2 : seen
}

/** How much of a step's unevenness does not grow with the work, as runs with more or less to do show: see `Part`. */
function fixedOf(part: Part, others: readonly Part[]): number {
  const evened = others.flatMap((other) => evenedBy(part, other) ?? [])
  return evened.length > 0 ? mean(evened) : part.fixed
}

/** The parts of all runs, each with how its course differs from the other runs. */
export const compared = (runs: readonly (readonly Part[])[]): Part[][] =>
  runs.map((parts) => {
    const others = runs.filter((other) => other !== parts)
    return parts.map((part) => {
      const same = sameStep(part, others)
      return { ...part, variation: variationOf(part, same), fixed: fixedOf(part, same) }
    })
  })
