import { type Bench, contenders, faultsOf, inTurn, row, type Scenario, tellFanOut } from "./bench.ts"
import { type FanOut, fanOut } from "./load.ts"
import type { Row } from "./table.ts"

const perSecond = ({ delivered }: FanOut): number => delivered.per_s
const cpuUsEach = ({ delivered, serverCpuMs }: FanOut): number => (serverCpuMs * 1000) / delivered.events

async function flatOut(
  bench: Bench,
  scenario: string,
  size: { readers: number; publishers: number; bar: number },
): Promise<Row[]> {
  const { runs, fanOutSeconds: seconds } = bench.plan
  const title = `${scenario} ${size.readers} readers, ${size.publishers} publishers`
  const results = await inTurn(
    title,
    contenders(bench, "nchan", "betterSse", "floor"),
    runs,
    (target) => fanOut(target, { count: size.readers }, { connections: size.publishers, seconds }),
    tellFanOut,
  )
  const about = (measure: string): string =>
    `${size.readers} readers, ${size.publishers} publishers: ${measure}`
  const bar = { kind: "at least", limit: size.bar, times: "nchan" } as const
  return [
    row(results, perSecond, { scenario, measure: about("deliveries"), unit: "1/s", bar }, faultsOf(results)),
    row(results, cpuUsEach, { scenario, measure: about("server CPU a delivery"), unit: "us" }),
    row(results, ({ published }) => published.per_s, {
      scenario,
      measure: about("updates taken"),
      unit: "1/s",
    }),
  ]
}

/** Fan-out at full speed: publishers send as fast as they get answers. */
export const fanOutFew: Scenario = {
  letter: "A1",
  name: "fanout",
  title: "fan-out flat out, 100 readers",
  async measure(bench) {
    const few = await flatOut(bench, "A1", { readers: 100, publishers: 16, bar: 3.5 })
    if (bench.plan.barsOnly) return few
    return [...few, ...(await flatOut(bench, "A1", { readers: 100, publishers: 64, bar: 6 }))]
  },
}

/** The same to 1,000 readers, two publishers. */
export const fanOutMany: Scenario = {
  letter: "A2",
  name: "fanout",
  title: "fan-out flat out, 1,000 readers",
  measure: (bench) => flatOut(bench, "A2", { readers: 1000, publishers: 2, bar: 1.4 }),
}

/** Latency of few updates to many readers. */
export const latency: Scenario = {
  letter: "B",
  name: "latency",
  title: "10 updates/s to 1,000 readers",
  async measure(bench) {
    const warmupSeconds = 2
    const seconds = warmupSeconds + bench.plan.latencySeconds
    const results = await inTurn(
      "B",
      contenders(bench, "nchan", "betterSse"),
      bench.plan.manyRuns,
      (target) => fanOut(target, { count: 1000, warmupSeconds }, { connections: 2, perSecond: 10, seconds }),
      tellFanOut,
    )
    const bar = { kind: "at most", limit: 1.25, times: "nchan" } as const
    const ms = (quantile: "p50" | "p99") => (run: FanOut) => run.delivered.lat_us[quantile] / 1000
    const measure = "10 updates/s to 1,000 readers"
    return [
      row(
        results,
        ms("p99"),
        { scenario: "B", measure: `${measure}: p99`, unit: "ms", bar },
        faultsOf(results),
      ),
      row(results, ms("p50"), { scenario: "B", measure: `${measure}: p50`, unit: "ms" }),
      row(results, cpuUsEach, { scenario: "B", measure: `${measure}: server CPU a delivery`, unit: "us" }),
    ]
  },
}
