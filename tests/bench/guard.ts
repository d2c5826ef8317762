import { type Bench, guardPlan, type Scenario } from "./bench.ts"
import { type Bar, passes, plainTable, type Row } from "./table.ts"

const limitMs = 55_000

// Noise fails nobody, but a collapse does: bars are twice as wide, and a figure that misses its bar is
// measured once more.
const slack = 2

function widened(bar: Bar): Bar {
  return { ...bar, limit: bar.kind === "at least" ? bar.limit / slack : bar.limit * slack }
}

async function measured(bench: Bench, scenario: Scenario): Promise<Row[]> {
  const rows = await scenario.measure(bench)
  return rows.flatMap(({ bar, ...row }) => (bar ? [{ ...row, bar: widened(bar) }] : []))
}

/**
 * The short form. Returns the exit code, which is 1 only if a figure is worse than half its bar or an answer
 * was wrong.
 */
export async function guard(ready: Pick<Bench, "ours" | "peers">, scenarios: Scenario[]): Promise<number> {
  if (ready.peers.missing.length > 0) {
    console.log(`benchmark guard skipped: missing ${ready.peers.missing.join(", ")}`)
    return 0
  }
  if (!ready.ours) {
    console.log("benchmark guard failed: ours can't be built")
    return 1
  }
  const bench = { ...ready, plan: guardPlan }
  const startMs = performance.now()
  const rows: Row[] = []
  for (const scenario of scenarios) {
    if (performance.now() - startMs > limitMs) {
      console.log(`${scenario.letter} skipped: no time left`)
      continue
    }
    const beforeMs = performance.now()
    const first = await measured(bench, scenario)
    const takesMs = performance.now() - beforeMs
    const again = first.some((row) => passes(row) === false)
    const inTime = performance.now() - startMs + takesMs < limitMs
    rows.push(...(again && inTime ? await measured(bench, scenario) : first))
  }
  console.log(`${plainTable(rows)}\n`)
  const failed = rows.filter((row) => passes(row) === false)
  for (const { measure, faults } of failed)
    console.log(`worse than half its bar: ${[measure, ...faults].join("; ")}`)
  if (failed.length === 0) console.log("benchmark guard: every ratio is within half its bar")
  return failed.length > 0 ? 1 : 0
}
