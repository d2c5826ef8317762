import { type Bench, contenders, faultsOf, inTurn, row, type Scenario, tellFanOut } from "./bench.ts"
import { type FanOut, fanOut, Readers } from "./load.ts"
import { sleep } from "./machine.ts"
import type { Target } from "./processes.ts"
import { median, short } from "./table.ts"
import { type Way, waysBesideUsual } from "./ways.ts"

/** A measurement of open streams, and what went wrong. */
export interface Opened {
  figure: number
  faults: string[]
}

function opened(figure: number, { connected }: Readers): Opened {
  const closed = connected.failed + connected.pending
  return { figure, faults: closed > 0 ? [`${closed} streams did not open`] : [] }
}

/** Says a measurement of open streams in one line. */
export const tellOpened = ({ figure, faults }: Opened): string => [short(figure), ...faults].join(", ")

const openedResult = {
  figure: ({ figure }: Opened): number => figure,
  tell: tellOpened,
  faults: ({ faults }: Opened): string[] => faults,
}

/**
 * So many streams are opened and closed before the memory is measured: the code that a program loads at their first use is
 * not the memory of a stream, and who loads it at the start must have no advantage.
 */
const FIRST_STREAMS = 200

/** Measures the memory of an idle stream, with 10,000 open. */
export async function bytesPerStream(target: Target, settleMs: number, way?: Way): Promise<Opened> {
  const count = 10_000
  const first = await Readers.open(target, { count: FIRST_STREAMS, ...way })
  await first.finish()
  await sleep(settleMs)
  const beforeBytes = target.memoryBytes()
  const readers = await Readers.open(target, { count, ...way })
  await sleep(settleMs)
  const bytes = (target.memoryBytes() - beforeBytes) / count
  await readers.finish()
  return opened(bytes, readers)
}

/** Memory of idle streams. */
export const memory: Scenario = {
  letter: "C",
  name: "memory",
  title: "memory of an idle stream, 10,000 open",
  async measure(bench) {
    const { runs, settleMs } = bench.plan
    const candidates = contenders(bench, "nchan", "betterSse", "floor")
    const results = await inTurn(
      "C",
      candidates,
      runs,
      (target) => bytesPerStream(target, settleMs),
      tellOpened,
    )
    const bar = { kind: "at most", limit: 0.65, times: "nchan" } as const
    const about = { scenario: "C", measure: "10,000 idle streams: memory (PSS) a stream", unit: "bytes", bar }
    const ways = await waysBesideUsual(
      bench,
      { scenario: "C", measure: "10,000 idle streams: memory a stream", unit: "bytes", runs },
      (target, way) => bytesPerStream(target, settleMs, way),
      openedResult,
    )
    return [row(results, ({ figure }) => figure, about, faultsOf(results)), ...ways]
  },
}

async function stormMs(target: Target, way?: Way): Promise<Opened> {
  const readers = await Readers.open(target, { count: 5000, inFlight: 256, untilLive: false, ...way })
  await readers.finish()
  return opened(readers.connected.storm_ms, readers)
}

/** Many connect at once. */
export const connect: Scenario = {
  letter: "D",
  name: "connect",
  title: "5,000 connect, 256 in flight",
  async measure(bench) {
    const candidates = contenders(bench, "nchan", "betterSse", "floor")
    const results = await inTurn(
      "D",
      candidates,
      bench.plan.manyRuns,
      (target) => stormMs(target),
      tellOpened,
    )
    const bar = { kind: "at most", limit: 2.5, times: "nchan" } as const
    const about = {
      scenario: "D",
      measure: "5,000 connect, 256 in flight: until all have a byte",
      unit: "ms",
      bar,
    }
    const ways = await waysBesideUsual(
      bench,
      { scenario: "D", measure: "5,000 connect", unit: "ms", runs: bench.plan.manyRuns },
      stormMs,
      openedResult,
    )
    return [row(results, ({ figure }) => figure, about, faultsOf(results)), ...ways]
  },
}

interface Load {
  readers: number
  stalled: number
}

interface Sampled extends FanOut {
  /** Memory over the last 10 s. */
  endBytes: number
}

const warmupSeconds = 10
const updatesPerSecond = 2000

async function sampled(target: Target, { readers, stalled }: Load, bench: Bench): Promise<Sampled> {
  const seconds = warmupSeconds + bench.plan.stalledSeconds
  const samples: number[] = []
  const sample = async (): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await sleep(1000)
      samples.push(target.memoryBytes())
    }
  }
  const streams = { count: readers, stalled, warmupSeconds, limitSeconds: seconds + 60 }
  const load = { connections: 16, perSecond: updatesPerSecond, seconds }
  const run = await fanOut(target, streams, load, sample)
  return { ...run, endBytes: median(samples.slice(-10)) }
}

/** One reader of many never reads. */
export const stalled: Scenario = {
  letter: "E",
  name: "stalled",
  title: "one reader of 100 never reads",
  async measure(bench) {
    const candidates = contenders(bench, "nchan")
    const measure = (one: Load) => (target: Target) => sampled(target, one, bench)
    const tell = (run: Sampled): string => `${tellFanOut(run)}, ${(run.endBytes / 1e6).toFixed(1)} MB`
    const without = await inTurn("E without", candidates, 1, measure({ readers: 99, stalled: 0 }), tell)
    const beside = await inTurn("E with", candidates, 1, measure({ readers: 100, stalled: 1 }), tell)
    const pairs = new Map<string, [Sampled, Sampled][]>()
    for (const [name, [calm]] of without) {
      const loaded = beside.get(name)?.[0]
      if (calm && loaded) pairs.set(name, [[calm, loaded]])
    }
    const scenario = "E"
    const about = (measure: string, unit: string): { scenario: string; measure: string; unit: string } => {
      return { scenario, measure: `one of 100 readers stalled, 2,000 updates/s: ${measure}`, unit }
    }
    const faults = [...faultsOf(without), ...faultsOf(beside)]
    return [
      row(
        pairs,
        ([calm, loaded]) => (loaded.endBytes - calm.endBytes) / 1e6,
        {
          ...about("memory more than without it", "MB"),
          bar: { kind: "at most", limit: 8 },
        },
        faults,
      ),
      row(pairs, ([, loaded]) => loaded.published.per_s, {
        ...about("updates taken", "1/s"),
        bar: { kind: "at least", limit: updatesPerSecond * 0.99 },
      }),
      row(pairs, ([calm, loaded]) => loaded.delivered.lat_us.p99 / calm.delivered.lat_us.p99, {
        ...about("p99 of the others against without it", "times"),
        bar: { kind: "at most", limit: 1.5 },
      }),
      row(pairs, ([, loaded]) => loaded.delivered.lat_us.p99 / 1000, about("p99 of the others", "ms")),
    ]
  },
}
