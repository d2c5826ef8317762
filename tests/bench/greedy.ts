import { inTurn, row, type Scenario } from "./bench.ts"
import { type Published, Readers, write } from "./load.ts"
import { sleep } from "./machine.ts"
import { ours, oursAlone, paths, startForClients } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"

/** The requests that the other client sends all the time. */
const PER_SECOND = 100
const SECONDS = 5
/** The other client may wait this many times as long as alone. */
const BAR = { kind: "at most", limit: 2, times: oursAlone } as const

/** What the greedy client does, with a token of its own; it goes on until the signal aborts. */
type Greed = (target: Target, signal: AbortSignal) => Promise<void>

async function again(signal: AbortSignal, once: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) await once()
}

/** Streams above the limit of one client are refused. The client closes its streams and begins again. */
const streams: Greed = (target, signal) =>
  again(signal, async () => {
    const readers = await Readers.open(target, { count: 10_000, untilLive: false })
    await readers.finish()
  })

const replays: Greed = (target, signal) =>
  again(signal, async () => {
    const readers = await Readers.open(target, { count: 1000, lastEventId: 1, untilLive: false })
    await sleep(500)
    await readers.finish()
  })

const requests: Greed = (target, signal) =>
  again(signal, () =>
    write(target, {
      connections: 50,
      requests: 100_000,
      seconds: SECONDS,
      method: "GET",
      path: paths.list,
      body: "",
    }),
  )

const GREEDS: Readonly<Record<string, Greed>> = {
  "10,000 streams": streams,
  "1,000 replays": replays,
  "100,000 requests": requests,
}

const STORED = 20_000
/**
 * Lists that are read before the measurement, as many as a client may read at once. Afterwards the server's code
 * is compiled: the bench gives the server one CPU, and the compiler's threads take as much of it as the requests.
 */
const WARM_UP = 4000

/** The greedy client of each server. */
const greedyOf = new WeakMap<Target, Target>()

async function fill(open: Target): Promise<void> {
  const { ok } = await write(open, { connections: 16, requests: STORED })
  if (ok < STORED) throw new Error(`only ${ok} of ${STORED} updates were stored`)
}

async function withHistory(): Promise<Target> {
  const [other, greedy, first] = await startForClients(3, [], fill)
  if (!other || !greedy || !first) throw new Error("a client is missing")
  await write(first, { connections: 16, requests: WARM_UP, method: "GET", path: paths.list, body: "" })
  greedyOf.set(other, greedy)
  return other
}

async function beside(target: Target, greed: Greed | undefined): Promise<Published> {
  const stop = new AbortController()
  const going = greed?.(greedyOf.get(target) ?? target, stop.signal)
  await sleep(1000)
  const load = {
    connections: 1,
    perSecond: PER_SECOND,
    seconds: SECONDS,
    method: "GET",
    path: paths.item,
    body: "",
    // The greedy client runs on the same CPU of this machine; elsewhere it would have its own.
    isFirst: true,
  } as const
  const published = await write(target, load)
  stop.abort()
  await going
  return published
}

/** One client asks for everything. How long does another client wait? */
export const greedy: Scenario = {
  letter: "P",
  name: "greedy",
  title: "one greedy client beside another",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const rows = []
    for (const [what, greed] of Object.entries(GREEDS)) {
      const candidates = [ours, oursAlone].map((name): Contender => ({ name, start: withHistory }))
      const measure = (target: Target, name: string): Promise<Published> =>
        beside(target, name === ours ? greed : undefined)
      const tell = ({ rt_us, bad }: Published): string => `p99 ${rt_us.p99} us, ${bad} refused`
      const results = await inTurn(`P ${what}`, candidates, plan.runs, measure, tell)
      const faults = [...results.values()].flat().filter(({ bad, neterr }) => bad + neterr > 0)
      rows.push(
        row(
          results,
          ({ rt_us }) => rt_us.p99 / 1000,
          { scenario: "P", measure: `another client asks for ${what}: p99 of GET`, unit: "ms", bar: BAR },
          faults.length > 0 ? ["requests of the other client were refused"] : [],
        ),
      )
    }
    return rows
  },
}
