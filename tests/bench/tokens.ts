import { type Bench, faultsOf, inTurn, row, type Scenario } from "./bench.ts"
import { type FanOut, fanOut, Readers, write } from "./load.ts"
import { sleep } from "./machine.ts"
import { ours, oursOpen, startForClients, startOurs } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"
import { bytesPerStream, tellOpened } from "./streams.ts"
import { median, type Row, short } from "./table.ts"

/** With a token a figure may be this much worse. */
const WORSE = 0.03
const MOST_BYTES = 100
const SLICE_SECONDS = 0.3
/** Slices that do not count: the server compiles its code meanwhile. */
const FIRST_SLICES = 4
/** A server whose clients have gone still has to close their streams, on the CPU of both. */
const REST_MS = 200

/** Limits that count but stop nobody: all requests come from one client. */
const LIMITS = ["--requests-per-token", "1000000", "--streams-per-client", "1000000"]

async function startWithToken(): Promise<Target> {
  const [client] = await startForClients(1, LIMITS)
  if (!client) throw new Error("there is no client")
  return client
}

/** Ours with a token on every request, and beside it without any. */
const candidates: readonly Contender[] = [
  { name: ours, start: startWithToken },
  { name: oursOpen, start: () => startOurs({ items: 1 }) },
]

const atLeast = { kind: "at least", limit: 1 - WORSE, times: oursOpen } as const
const atMost = { kind: "at most", limit: 1 + WORSE, times: oursOpen } as const

/**
 * Measures both servers in turn, in slices so short and so many that whatever disturbs the machine for a while disturbs
 * both alike: between runs of some seconds the figures of one server differ by a tenth, and the bar is 3 %.
 */
async function inSlices(
  title: string,
  slices: number,
  measure: (target: Target) => Promise<number>,
): Promise<Map<string, number[]>> {
  const results = new Map<string, number[]>(candidates.map(({ name }) => [name, []]))
  const both: { name: string; target: Target }[] = []
  try {
    for (const { name, start } of candidates) both.push({ name, target: await start() })
    for (let number = -FIRST_SLICES; number < slices; number++) {
      for (const { name, target } of number % 2 === 0 ? both : both.toReversed()) {
        const figure = await measure(target)
        if (number >= 0) results.get(name)?.push(figure)
        await sleep(REST_MS)
      }
    }
  } finally {
    for (const { target } of both) await target.stop()
  }
  for (const [name, figures] of results)
    console.error(`  ${title} ${name}: ${short(median(figures))} in the median of ${figures.length} slices`)
  return results
}

async function fannedOut({ plan }: Bench): Promise<Row> {
  const runs: Pick<FanOut, "faults">[] = []
  const measure = async (target: Target): Promise<number> => {
    const readers = { count: 100, quietMs: 100 }
    const run = await fanOut(target, readers, { connections: 16, seconds: SLICE_SECONDS })
    runs.push(run)
    return run.delivered.per_s
  }
  const results = await inSlices("O A1", plan.slices, measure)
  const about = {
    scenario: "O",
    measure: "a token on every request: A1, deliveries",
    unit: "1/s",
    bar: atLeast,
  }
  return row(results, (perSecond) => perSecond, about, faultsOf(new Map([[ours, runs]])))
}

async function written({ plan }: Bench): Promise<Row> {
  const measure = async (target: Target): Promise<number> => {
    const { ok, sent, per_s } = await write(target, { connections: 16, seconds: SLICE_SECONDS })
    if (ok < sent) throw new Error(`${sent - ok} writes failed`)
    return per_s
  }
  const results = await inSlices("O F", plan.slices, measure)
  const about = {
    scenario: "O",
    measure: "a token on every request: F, 16 connections",
    unit: "1/s",
    bar: atLeast,
  }
  return row(results, (perSecond) => perSecond, about)
}

async function stormed({ plan }: Bench): Promise<Row> {
  const measure = async (target: Target): Promise<number> => {
    const readers = await Readers.open(target, { count: 5000, inFlight: 256, untilLive: false, quietMs: 100 })
    await readers.finish()
    if (readers.connected.failed > 0) throw new Error(`${readers.connected.failed} streams did not open`)
    return readers.connected.storm_ms
  }
  const results = await inSlices("O D", plan.slices, measure)
  const about = {
    scenario: "O",
    measure: "a token on every request: D, 5,000 connect",
    unit: "ms",
    bar: atMost,
  }
  return row(results, (ms) => ms, about)
}

async function held({ plan }: Bench): Promise<Row> {
  const measure = (target: Target) => bytesPerStream(target, plan.settleMs)
  const results = await inTurn("O C", [...candidates], plan.manyRuns, measure, tellOpened)
  const of = (name: string): number => median((results.get(name) ?? []).map(({ figure }) => figure))
  const bar = { kind: "at most", limit: MOST_BYTES } as const
  const measureOf = "a token on every request: memory of an idle stream more than without"
  const figures = { [ours]: of(ours) - of(oursOpen) }
  return { scenario: "O", measure: measureOf, unit: "bytes", figures, bar, faults: faultsOf(results) }
}

/** What a token on every request costs, beside the same server without. */
export const tokens: Scenario = {
  letter: "O",
  name: "tokens",
  title: "a token on every request",
  async measure(bench) {
    if (!bench.ours) return []
    return [await fannedOut(bench), await written(bench), await stormed(bench), await held(bench)]
  },
}
