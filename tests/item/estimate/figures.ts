/** Prints the figures of `docs/learned.md`: `bun tests/item/estimate/figures.ts`. */
import { differingKinds } from "./differing-kinds.ts"
import { histories } from "./histories.ts"
import { machineKinds } from "./machine-kinds.ts"
import { madeKinds } from "./made-kinds.ts"
import { otherKinds } from "./other-kinds.ts"
import { figuresOf, median, type Score, scoresOf } from "./replay.ts"
import { reportingKinds } from "./reporting-kinds.ts"
import { studioKinds } from "./studio-kinds.ts"
import { unseenKinds } from "./unseen-kinds.ts"

/** The seed of the random values in the made-up kinds. */
const SEEDS = [11, 12, 13, 14, 15, 16, 17, 18]
const MADE_ATTEMPTS = 12

const line = (cells: readonly string[]): void => console.log(`| ${cells.join(" | ")} |`)

function header(): void {
  line(["kind", "runs known", "bar, mean", "bar, worst moment", "time left", "band holds", "band"])
  line(Array.from({ length: 7 }, () => "---"))
}

function row(kind: string, runs: number, scores: readonly Score[]): void {
  const { barMean, barWorst, etaError, bandHolds } = figuresOf(scores)
  line([
    kind,
    String(runs),
    `${barMean.toFixed(1)} points`,
    `${barWorst.toFixed(1)} points`,
    `${etaError.toFixed(0)} %`,
    `${bandHolds.toFixed(0)} %`,
    `${median(scores.flatMap(({ widths }) => widths)).toFixed(0)} %`,
  ])
}

const real = histories()
header()
for (const [kind, attempts] of real) {
  for (const runs of [1, 3, 8]) row(kind, runs, scoresOf(attempts, runs))
}
for (const runs of [1, 3, 8]) {
  const all = [...real.values()]
  row(
    "all",
    runs,
    all.flatMap((attempts) => scoresOf(attempts, runs)),
  )
}

for (const kinds of [
  madeKinds,
  otherKinds,
  unseenKinds,
  machineKinds,
  reportingKinds,
  differingKinds,
  studioKinds,
]) {
  const made = SEEDS.map((seed) => kinds(seed, MADE_ATTEMPTS))
  header()
  for (const kind of made[0]?.keys() ?? []) {
    row(
      kind,
      3,
      made.flatMap((of) => scoresOf(of.get(kind) ?? [], 3)),
    )
  }
}
