import { faultsOf, inTurn, row, type Scenario, tellFanOut } from "./bench.ts"
import { type FanOut, fanOut, write } from "./load.ts"
import { ours, oursSmall, paths, startOurs } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"

const manyItems = 5_000
const fewItems = 50
const updates = 10_000
const perSecond = 1_000

async function watched(target: Target, items: number): Promise<FanOut> {
  const put = { path: paths.item, body: target.write.body, items }
  const { ok } = await write(target, { ...put, connections: 64, requests: items })
  if (ok !== items) throw new Error(`${ok} of ${items} items were started`)
  const readers = { count: items, path: paths.itemStream, filtered: true }
  return fanOut(target, readers, { ...put, connections: 16, requests: updates, perSecond })
}

/** Many items, each with its own reader, against few. */
export const items: Scenario = {
  letter: "I",
  name: "items",
  title: "many items, each watched, against few",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const counts: Record<string, number> = { [ours]: manyItems, [oursSmall]: fewItems }
    const candidates = Object.entries(counts).map(([name, count]): Contender => ({
      name,
      start: () => startOurs({ items: count }),
    }))
    const measure = (target: Target, name: string): Promise<FanOut> =>
      watched(target, counts[name] ?? fewItems)
    const results = await inTurn("I", candidates, plan.runs, measure, tellFanOut)
    const about = `${manyItems} items with a reader each against ${fewItems}, ${perSecond} updates/s`
    const bar = { kind: "at most", limit: 2, times: oursSmall } as const
    const cpuUs = { scenario: "I", measure: `${about}: server CPU an update`, unit: "us", bar }
    const p99 = { scenario: "I", measure: `${about}: p99`, unit: "ms" }
    return [
      row(
        results,
        ({ serverCpuMs, published }) => (serverCpuMs * 1000) / published.ok,
        cpuUs,
        faultsOf(results),
      ),
      row(results, ({ delivered }) => delivered.lat_us.p99 / 1000, p99),
    ]
  },
}
