import { median } from "./averages.ts"
import { apart, type EarlierRun } from "./earlier-run.ts"

/** How far two runs of one worker usually are from each other; the natural logarithm of the ratio. */
const USUAL_APART = 0.25
/** If a worker is this many times as far from the others as its own runs are from each other, the difference is clear. */
const CLEAR = 2
/** The usual distance counts as much as this many pairs of runs. */
const USUAL_PAIRS = 2

/**
 * How far the runs of one worker are from each other: a standard deviation of the logarithm. Infinity if no worker has
 * two: then a difference may as well be one of the runs.
 */
function spreadOf(earlierRuns: readonly EarlierRun[]): number {
  let [squares, pairs] = [0, 0]
  for (const [i, one] of earlierRuns.entries()) {
    for (const other of earlierRuns.slice(0, i)) {
      if (other.run.worker !== one.run.worker) continue
      squares += apart(one, other) ** 2
      pairs += 1
    }
  }
  if (pairs === 0) return Number.POSITIVE_INFINITY
  return Math.sqrt((USUAL_PAIRS * USUAL_APART ** 2 + squares) / (USUAL_PAIRS + pairs))
}

/**
 * By worker: how slow it is beside the others. One run counts for a quarter of the difference that it shows, many runs
 * for half of it; so do few runs if the difference is clear. The other half is the other worker's.
 */
export function slownessOf(earlierRuns: readonly EarlierRun[]): Map<string, number> {
  const seen = new Map<string, number[]>()
  for (const one of earlierRuns) {
    const others = earlierRuns.filter(({ run }) => run.worker !== one.run.worker)
    if (others.length === 0) continue
    const off = median(others.map((other) => apart(one, other)))
    seen.set(one.run.worker, [...(seen.get(one.run.worker) ?? []), off])
  }
  const spread = spreadOf(earlierRuns)
  return new Map(
    [...seen].map(([worker, off]) => {
      const slow = median(off)
      const known = off.length * Math.max(1, (slow / (CLEAR * spread)) ** 2)
      return [worker, (slow * known) / (known + 1) / 2]
    }),
  )
}
