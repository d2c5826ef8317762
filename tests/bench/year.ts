import { rmSync } from "node:fs"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { created } from "../../src/item/add-cancel-retry-delete.ts"
import { claimed, released } from "../../src/item/lease.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Retention } from "../../src/upkeep/retention.ts"
import { pass } from "../upkeep/hours.ts"
import { renderDay, RENDERS_A_DAY } from "../upkeep/renders.ts"
import type { Scenario } from "./bench.ts"
import { databaseFolder, ours, oursSmall } from "./ours.ts"
import { median, type Row } from "./table.ts"

const DAY_MS = 86_400_000
const REPORTS = 40
/** After this many days a list of 100 items is full. */
const FEW_DAYS = 6
const WAITING = 40
const LISTED = 100
const ROUNDS = 40
/** The clock of CPU time may advance in steps of 10 ms, so a call is made this often for one figure. */
const CALLS = 20
/** A snapshot of the few open items takes a tenth as long. */
const SNAPSHOTS = 400

/** Calls that are made often, and must not cost more in an old queue. */
const KINDS = ["list of 100", "claim", "snapshot"] as const
type Kind = (typeof KINDS)[number]

/** The CPU time of one of so many calls, in microseconds. */
async function cpuUs(calls: number, call: (nth: number) => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage()
  for (let nth = 0; nth < calls; nth += 1) await call(nth)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / calls
}

/**
 * A queue that has run for this many days, each of which ended with a round of retention. Some items wait
 * now.
 */
class Aged implements Disposable {
  readonly #folder = databaseFolder()
  #nowMs = Date.parse("2026-01-01T00:00:00Z")
  readonly #store = new SqliteStore(join(this.#folder, "track-studio.db"), () => ({
    now: () => this.#nowMs,
    steadyMs: () => this.#nowMs,
  }))

  static async of(days: number): Promise<Aged> {
    const aged = new Aged()
    const store = aged.#store
    const now = (): number => aged.#nowMs
    const onError = (error: unknown): never => {
      throw error
    }
    const sleep = async (): Promise<void> => undefined
    const options = {
      updatesMs: 7 * DAY_MS,
      perItem: 10_000,
      itemsMs: 0,
      awayMs: () => 0,
      now,
      sleep,
      onError,
    }
    const retention = new Retention(store.upkeep, store, new LocalBus(), options)
    await retention.start()
    for (let day = 0; day < days; day += 1) {
      await renderDay(store, REPORTS)
      aged.#nowMs += DAY_MS
      await pass(store, 24)
      await retention.round()
    }
    await retention.stop()
    for (let i = 0; i < WAITING; i += 1) await store.add((moment) => created({ song_id: 1 }, moment))
    return aged
  }

  /** The CPU time of one call of each kind, in microseconds. */
  async costs(): Promise<Record<Kind, number>> {
    const store = this.#store
    const list = await cpuUs(CALLS, () => store.list({ limit: LISTED }))
    const snapshot = await cpuUs(SNAPSHOTS, async () =>
      store.updates((await store.latest({ of: "open" })).ids),
    )
    const taken: { readonly id: number; readonly token: string }[] = []
    const claim = await cpuUs(CALLS, async (nth) => {
      const taker = { worker: "bench", token: `lease ${nth}`, leaseMs: 60_000 }
      const change = await store.claim([], (stored, moment) => claimed(stored, taker, moment))
      if (change) taken.push({ id: change.item.id, token: taker.token })
    })
    for (const { id, token } of taken)
      await store.change(id, (stored, moment) => released(stored, token, moment))
    return { "list of 100": list, claim, snapshot }
  }

  [Symbol.dispose](): void {
    void this.#store.close().then(() => rmSync(this.#folder, { recursive: true, force: true }))
  }
}

/**
 * How much a queue costs that has rendered for a year, compared with a queue that has rendered for a week.
 */
export const year: Scenario = {
  letter: "Y",
  name: "year",
  title: "a year of renders against a week",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const days = plan.storedUpdates < 1_000_000 ? 60 : 365
    using old = await Aged.of(days)
    using young = await Aged.of(FEW_DAYS)
    const seen = Object.fromEntries(
      KINDS.map((kind) => [kind, { old: [] as number[], young: [] as number[] }]),
    )
    // In turn, so that noise affects both. The first rounds let the runtime compile the code.
    for (let round = -5; round < ROUNDS; round += 1) {
      const [mine, other] = [await old.costs(), await young.costs()]
      if (round < 0) continue
      for (const kind of KINDS) {
        seen[kind]?.old.push(mine[kind])
        seen[kind]?.young.push(other[kind])
      }
    }
    const bar = { kind: "at most", limit: 2, times: oursSmall } as const
    return KINDS.map((kind): Row => ({
      scenario: "Y",
      measure: `${days} days of ${RENDERS_A_DAY} renders against ${FEW_DAYS}: ${kind}, CPU`,
      unit: "us",
      figures: { [ours]: median(seen[kind]?.old ?? []), [oursSmall]: median(seen[kind]?.young ?? []) },
      bar,
      faults: [],
    }))
  },
}
