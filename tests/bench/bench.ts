import type { FanOut } from "./load.ts"
import { sleep } from "./machine.ts"
import { inQuiet } from "./noise.ts"
import { ours } from "./ours.ts"
import type { Peers } from "./peers.ts"
import type { Contender, Target } from "./processes.ts"
import { type Bar, median, type Row } from "./table.ts"

/** How long and how often the scenarios measure. */
export interface Plan {
  runs: number
  /** For scenarios with short runs, or with much noise. */
  manyRuns: number
  /** For comparisons of two servers that hardly differ, in slices of less than a second. */
  slices: number
  fanOutSeconds: number
  latencySeconds: number
  stalledSeconds: number
  writeSeconds: number
  settleMs: number
  storedUpdates: number
  diskSeconds: number
  renderSeconds: number
  restSeconds: number
  /** Runs only measures that have a bar, against the peer that the bar names. */
  barsOnly: boolean
}

/** The plan for which the bars were set. */
export const fullPlan: Plan = {
  runs: 3,
  manyRuns: 5,
  slices: 40,
  fanOutSeconds: 4,
  latencySeconds: 10,
  stalledSeconds: 60,
  writeSeconds: 5,
  settleMs: 3_000,
  storedUpdates: 1_000_000,
  diskSeconds: 20,
  renderSeconds: 150,
  restSeconds: 60,
  barsOnly: false,
}

/** Runs everything once and briefly. It shows that everything works, but not how fast. */
export const quickPlan: Plan = {
  ...fullPlan,
  runs: 1,
  manyRuns: 1,
  slices: 2,
  fanOutSeconds: 2,
  latencySeconds: 3,
  stalledSeconds: 10,
  writeSeconds: 2,
  settleMs: 1_000,
  storedUpdates: 50_000,
  diskSeconds: 5,
  renderSeconds: 15,
  restSeconds: 10,
}

/** It takes less than a minute in total. */
export const guardPlan: Plan = {
  ...quickPlan,
  latencySeconds: 4,
  settleMs: 1_500,
  barsOnly: true,
}

/** What a scenario gets. */
export interface Bench {
  plan: Plan
  /** Undefined if the binary could not be built. */
  ours: Contender | undefined
  peers: Peers
}

/** One scenario: measures and gives its rows of the table. */
export interface Scenario {
  letter: string
  name: string
  title: string
  measure(bench: Bench): Promise<Row[]>
}

type PeerName = Exclude<keyof Peers, "missing">

/** Our program and the named peers that can run. The bar compares with the first peer. */
export function contenders(bench: Bench, ...names: PeerName[]): Contender[] {
  const wanted = bench.plan.barsOnly ? names.slice(0, 1) : names
  return [bench.ours, ...wanted.map((name) => bench.peers[name])].filter((one) => one !== undefined)
}

/**
 * Measures each contender `runs` times in turn, each time with a new start, so that noise affects all of them
 * alike.
 */
export async function inTurn<Result>(
  title: string,
  candidates: Contender[],
  runs: number,
  measure: (target: Target, name: string) => Promise<Result>,
  tell: (result: Result) => string = () => "",
): Promise<Map<string, Result[]>> {
  const results = new Map<string, Result[]>(candidates.map(({ name }) => [name, []]))
  for (let number = 1; number <= runs; number++) {
    for (const { name, start } of candidates) {
      const work = (): Promise<Result> => once(start, (target) => measure(target, name))
      const run = await inQuiet(work).catch((error: unknown) => {
        if (name.startsWith(ours)) throw error
        console.error(`  ${title} ${name}: ${String(error)}`)
      })
      if (run === undefined) continue
      results.get(name)?.push(run.result)
      const others = `others ${run.foreignPct.toFixed(0)} %`
      console.error(`  ${title} ${number}/${runs} ${name}: ${tell(run.result)}, ${others}`)
      await sleep(200)
    }
  }
  return results
}

async function once<Result>(
  start: () => Promise<Target>,
  measure: (target: Target) => Promise<Result>,
): Promise<Result> {
  const target = await start()
  try {
    return await measure(target)
  } finally {
    await target.stop()
  }
}

/** One row: the medians of one figure of all runs, and the bar on it. */
export function row<Result>(
  results: Map<string, Result[]>,
  figure: (result: Result) => number,
  about: { scenario: string; measure: string; unit: string; bar?: Bar },
  faults: string[] = [],
): Row {
  const figures: Record<string, number> = {}
  for (const [name, of] of results) if (of.length > 0) figures[name] = median(of.map(figure))
  return { ...about, figures, faults }
}

/**
 * What went wrong in our runs. What went wrong in the runs of a peer is printed, but it is the fault of the
 * peer.
 */
export function faultsOf(results: Map<string, Pick<FanOut, "faults">[]>): string[] {
  for (const [name, of] of results) {
    const told = new Set(of.flatMap(({ faults }) => faults))
    if (!name.startsWith(ours) && told.size > 0) console.error(`  ${name}: ${[...told].join("; ")}`)
  }
  const own = [...results].filter(([name]) => name.startsWith(ours)).flatMap(([, of]) => of)
  return [...new Set(own.flatMap(({ faults }) => faults))]
}

/** One line on a run of streams. */
export function tellFanOut({ delivered, published, serverCpuMs, faults }: FanOut): string {
  const { lat_us: late } = delivered
  const clientPct = ((delivered.cpu_ms + published.cpu_ms) / (published.elapsed_s * 1000)) * 100
  return [
    `${Math.round(delivered.per_s / 1000)}k deliveries/s`,
    `${Math.round(published.per_s)} writes/s`,
    `p50 ${(late.p50 / 1000).toFixed(2)} ms, p99 ${(late.p99 / 1000).toFixed(2)} ms, max ${(late.max / 1000).toFixed(0)} ms`,
    `${((serverCpuMs * 1000) / delivered.events).toFixed(2)} us CPU each`,
    `client ${clientPct.toFixed(0)} %`,
    ...faults,
  ].join(", ")
}
