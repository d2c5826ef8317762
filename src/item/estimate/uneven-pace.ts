import { type Line, type Point, timeAt } from "./line.ts"
import type { Part } from "./matching-steps.ts"
import { SIGNALS, type StepTrace } from "./trace.ts"

/**
 * A line with fewer points does not show how even the pace of a step was. Then the step counts as this
 * uneven.
 */
const MIN_LINE = 4
const UNSHOWN = 0.25
/** Where a step was this many times as fast or as slow as on average, it stood still or jumped. */
const SUDDEN = 8
/** The places in a step at which two runs are compared, as parts of the step. */
const COMPARED = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
/** Two runs may be alike by chance. So a run must be compared with at least this many others. */
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
export function unevennessOf(step: StepTrace, seconds: number): Pick<Part, "roughness" | "sudden"> {
  const finest = finestOf(step)
  const [from = 0] = finest[0] ?? []
  const [to = 0, end = 0] = finest.at(-1) ?? []
  if (to <= from || end <= 0 || seconds <= 0) return { roughness: 0, sudden: 0 }
  if (finest.length < MIN_LINE) return { roughness: UNSHOWN, sudden: 0 }
  let [off, sudden] = [0, 0]
  for (let i = 1; i < finest.length; i += 1) {
    const [v0 = 0, t0 = 0] = finest[i - 1] ?? []
    const [v1 = 0, t1 = 0] = finest[i] ?? []
    const [way, time] = [(v1 - v0) / (to - from), (t1 - t0) / end]
    off += Math.abs(way - time)
    if (Math.max(way, time) > SUDDEN * Math.min(way, time)) sudden += Math.abs(way - time)
  }
  return { roughness: ((off / 2) * end) / seconds, sudden: off > 0 ? sudden / off : 0 }
}

/** The part of its time after which a step had reached this part of a line. */
function timeOn(line: Line, { seconds }: Part, part: number): number {
  const [from, to] = [line.values[0] ?? 0, line.values.at(-1) ?? 0]
  return timeAt(line, from + part * (to - from)) / seconds
}

/**
 * How far two courses of a step are from each other, as a part of the step's time; undefined if they have no
 * signal in common.
 */
function distance(one: Part, other: Part): number | undefined {
  if (one.seconds <= 0 || other.seconds <= 0) return undefined
  for (const signal of SIGNALS) {
    const [a, b] = [one.lines[signal], other.lines[signal]]
    if (!a || !b || a.values.length < MIN_LINE || b.values.length < MIN_LINE) continue
    const apart = COMPARED.map((part) => Math.abs(timeOn(a, one, part) - timeOn(b, other, part)))
    return apart.reduce((sum, value) => sum + value, 0) / apart.length
  }
  return undefined
}

/** How much the course of a step differs from the course of the same step in other runs: see `Part`. */
function variationOf(part: Part, others: readonly (readonly Part[])[]): number {
  const { name, index } = part.step
  const far = others.flatMap((parts) => {
    const other = parts.find(({ step }) => step.name === name && step.index === index)
    return other ? (distance(part, other) ?? []) : []
  })
  if (far.length < MIN_OTHERS) return part.roughness
  const mean = far.reduce((sum, value) => sum + value, 0) / far.length
  return Math.min(part.roughness, ROUGHNESS_OF_DISTANCE * mean)
}

/** The parts of all runs, each with how much its course differs from the other runs. */
export const compared = (runs: readonly (readonly Part[])[]): Part[][] =>
  runs.map((parts) => {
    const others = runs.filter((other) => other !== parts)
    return parts.map((part) => ({ ...part, variation: variationOf(part, others) }))
  })
