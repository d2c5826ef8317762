import type { Attempt, Told } from "./histories.ts"

/** One step of an attempt that is made up. */
export interface MadeStep {
  readonly name: string
  readonly seconds: number
  readonly counts: "seconds" | "images" | "frames" | "percent" | "nothing"
  readonly size: number
  /** How long each part of the step takes compared with the others. One part if the pace is even. */
  readonly costs?: readonly number[]
  /** How far the step is after a part of its time; by default as `costs` say. */
  readonly way?: (time: number) => number
  /** The percentages at its beginning and at its end; by default it has an equal part of the bar. */
  readonly from?: number
  readonly to?: number
}

/** How far a step is after a part of its time. */
export function wayOf(costs: readonly number[] = [1]): (time: number) => number {
  const whole = costs.reduce((sum, cost) => sum + cost, 0)
  return (time) => {
    let rest = time * whole
    for (const [i, cost] of costs.entries()) {
      if (rest <= cost) return (i + rest / cost) / costs.length
      rest -= cost
    }
    return 1
  }
}

function told(step: MadeStep, done: number, of: { from: number; to: number }): Omit<Told, "at"> {
  const { counts, size } = step
  if (counts === "nothing") return { progress: Math.floor(of.from) }
  const progress = Math.floor(of.from + (of.to - of.from) * done)
  if (counts === "percent") return { progress }
  if (counts === "seconds") return { progress, media: { out_time: done * size, total: size } }
  return { progress, unit: { done: Math.floor(done * size), total: size, name: counts } }
}

/** An attempt that consists of steps, each an equal part of the bar, with a report every few seconds. */
export function attempt(
  item: number,
  kind: string,
  worker: string,
  every: number,
  steps: readonly MadeStep[],
): Attempt {
  const reports: Told[] = []
  const totals: Record<string, number> = {}
  let at = 0
  for (const [i, step] of steps.entries()) {
    const way = step.way ?? wayOf(step.costs)
    const { from = (98 * i) / steps.length, to = (98 * (i + 1)) / steps.length } = step
    const of = { from, to }
    if (step.counts !== "percent" && step.counts !== "nothing") totals[step.counts] = step.size
    for (let inStep = 0; inStep < step.seconds; inStep += every) {
      const name = { current_step: step.name, step: { index: i + 1, total: steps.length, name: step.name } }
      const report = told(step, way(inStep / step.seconds), of)
      reports.push({ at: at + inStep, ...(step.name !== "" && name), ...report })
    }
    at += step.seconds
  }
  return { item, kind, worker, seconds: at, reports, totals }
}
