import { apart, type EarlierRun } from "./earlier-run.ts"

/** Two runs are half as near as two equal ones if their times differ this much; the natural logarithm of the ratio. */
const ODD = 0.4
/** How much less a run counts if few others are near it: an exponent. With 1, two suspended runs of eight spoil the estimate. */
const ALONE = 1.5

/** How near two runs are to each other, 0 to 1. They are near if one of them predicts the other. */
function nearness(one: EarlierRun, other: EarlierRun): number {
  const far = Math.min(Math.abs(apart(one, other)), Math.abs(apart(other, one)))
  return 1 / (1 + (far / ODD) ** 4)
}

/**
 * A run counts as much as there are other runs near it, compared with the run that has most of them. So a few that are
 * like each other, as those whose machine was suspended, count little beside the many. With only two different runs it
 * is unknown which one is unusual.
 */
export function weightsOf(earlierRuns: readonly EarlierRun[]): number[] {
  if (earlierRuns.length < 3) return earlierRuns.map(() => 1)
  const near = earlierRuns.map(() => 0)
  for (const [i, one] of earlierRuns.entries()) {
    for (const [j, other] of earlierRuns.slice(0, i).entries()) {
      const both = nearness(one, other)
      near[i] = (near[i] ?? 0) + both
      near[j] = (near[j] ?? 0) + both
    }
  }
  const most = Math.max(...near)
  return near.map((each) => (most > 0 ? (each / most) ** ALONE : 1))
}
