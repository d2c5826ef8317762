/** Prints the figures of `docs/learned.md`: `bun tests/item/figures.ts`. */
import { histories } from "./histories.ts"
import { figuresOf, scoresOf } from "./replay.ts"

const real = histories()
const line = (cells: readonly string[]): void => console.log(`| ${cells.join(" | ")} |`)

line(["kind", "runs known", "bar, mean", "bar, worst moment", "time left", "band holds"])
line(Array.from({ length: 6 }, () => "---"))
for (const [kind, attempts] of [...real, ["all", undefined] as const]) {
  for (const runs of [1, 3, 8]) {
    const scores = attempts
      ? scoresOf(attempts, runs)
      : [...real.values()].flatMap((all) => scoresOf(all, runs))
    const { barMean, barWorst, etaError, bandHolds } = figuresOf(scores)
    line([
      kind,
      String(runs),
      `${barMean.toFixed(1)} points`,
      `${barWorst.toFixed(1)} points`,
      `${etaError.toFixed(0)} %`,
      `${bandHolds.toFixed(0)} %`,
    ])
  }
}
