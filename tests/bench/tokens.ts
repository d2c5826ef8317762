import { type Bench, faultsOf, inTurn, row, type Scenario, tellFanOut } from "./bench.ts"
import { type FanOut, fanOut, Readers, write } from "./load.ts"
import { sleep } from "./machine.ts"
import { ours, oursOpen, startForClients, startOurs } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"
import { median, type Row, short } from "./table.ts"

/** With a token a figure may be this much worse. */
const WORSE = 0.03
const MOST_BYTES = 100

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

async function fannedOut({ plan }: Bench): Promise<Row> {
  const measure = (target: Target): Promise<FanOut> =>
    fanOut(target, { count: 100 }, { connections: 16, seconds: plan.fanOutSeconds })
  const results = await inTurn("O A1", [...candidates], plan.manyRuns, measure, tellFanOut)
  const about = {
    scenario: "O",
    measure: "a token on every request: A1, deliveries",
    unit: "1/s",
    bar: atLeast,
  }
  return row(results, ({ delivered }) => delivered.per_s, about, faultsOf(results))
}

async function written({ plan }: Bench): Promise<Row> {
  const measure = async (target: Target): Promise<number> => {
    const { ok, sent, per_s } = await write(target, { connections: 16, seconds: plan.writeSeconds })
    if (ok < sent) throw new Error(`${sent - ok} writes failed`)
    return per_s
  }
  const results = await inTurn("O F", [...candidates], plan.manyRuns, measure, short)
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
    const readers = await Readers.open(target, { count: 5000, inFlight: 256, untilLive: false })
    await readers.finish()
    if (readers.connected.failed > 0) throw new Error(`${readers.connected.failed} streams did not open`)
    return readers.connected.storm_ms
  }
  const results = await inTurn("O D", [...candidates], plan.manyRuns, measure, short)
  const about = {
    scenario: "O",
    measure: "a token on every request: D, 5,000 connect",
    unit: "ms",
    bar: atMost,
  }
  return row(results, (ms) => ms, about)
}

async function held({ plan }: Bench): Promise<Row> {
  const count = 10_000
  const measure = async (target: Target): Promise<number> => {
    await sleep(plan.settleMs / 2)
    const beforeBytes = target.memoryBytes()
    const readers = await Readers.open(target, { count })
    await sleep(plan.settleMs)
    const bytes = (target.memoryBytes() - beforeBytes) / count
    await readers.finish()
    return bytes
  }
  const results = await inTurn("O C", [...candidates], plan.runs, measure, short)
  const [own, open] = [ours, oursOpen].map((name) => median(results.get(name) ?? []))
  const more = (own ?? Number.NaN) - (open ?? Number.NaN)
  const bar = { kind: "at most", limit: MOST_BYTES } as const
  const measureOf = "a token on every request: memory of an idle stream more than without"
  return { scenario: "O", measure: measureOf, unit: "bytes", figures: { [ours]: more }, bar, faults: [] }
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
