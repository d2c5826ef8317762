import { rmSync } from "node:fs"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { created } from "../../src/item/add-cancel-retry-delete.ts"
import type { Upkeep } from "../../src/store/contract/upkeep.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Retention } from "../../src/upkeep/retention.ts"
import { put } from "../contracts/store.contract.ts"
import { pass } from "../upkeep/hours.ts"
import { inTurn, row, type Scenario } from "./bench.ts"
import { databaseFolder, ours } from "./ours.ts"
import { Target } from "./processes.ts"

const DAY_MS = 86_400_000
const ITEMS = 200
const REPORTS = 250

interface Removed {
  /** The CPU time of the largest step, in milliseconds. */
  cpuMs: number
  /** How long a step took at most, in milliseconds, with the wait for the disk. */
  longestMs: number
  steps: number
}

/** The items were rendered so many days ago that their updates may be removed now. */
async function filled(store: SqliteStore): Promise<void> {
  for (let i = 0; i < ITEMS; i += 1) {
    const { item } = await store.add((moment) => created({ song_id: 1 }, moment))
    await put(store, item.id, { status: "processing" })
    const reports = Array.from({ length: REPORTS }, (_, at) =>
      put(store, item.id, { message: `frame ${at}` }),
    )
    await Promise.all(reports)
    await put(store, item.id, { status: "completed" })
  }
}

/** The same upkeep, but each step is timed. Nothing else runs in the event loop during a step. */
function timed(upkeep: Upkeep, result: Removed): Upkeep {
  const step = async (run: () => Promise<number>): Promise<number> => {
    const [startMs, before] = [performance.now(), process.cpuUsage()]
    const done = await run()
    const { user, system } = process.cpuUsage(before)
    result.cpuMs = Math.max(result.cpuMs, (user + system) / 1000)
    result.longestMs = Math.max(result.longestMs, performance.now() - startMs)
    result.steps += 1
    return done
  }
  return new Proxy(upkeep, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== "function") return member
      const isStep = key === "thin" || key === "purge" || key === "shrink"
      return isStep
        ? (...given: unknown[]) => step(() => member.apply(target, given) as Promise<number>)
        : member.bind(target)
    },
  })
}

async function removed(): Promise<Removed> {
  const folder = databaseFolder()
  let nowMs = Date.now() - 30 * DAY_MS
  const now = (): number => nowMs
  const store = new SqliteStore(join(folder, "track-studio.db"), () => ({ now, steadyMs: now }))
  const result: Removed = { cpuMs: 0, longestMs: 0, steps: 0 }
  const upkeep = timed(store.upkeep, result)
  const onError = (error: unknown): never => {
    throw error
  }
  const options = {
    updatesMs: 7 * DAY_MS,
    perItem: 10_000,
    itemsMs: 0,
    awayMs: () => 0,
    now,
    sleep: Bun.sleep,
    onError,
  }
  const retention = new Retention(upkeep, store, new LocalBus(), options)
  await retention.start()
  await filled(store)
  nowMs += 30 * DAY_MS
  await pass(store, 25)
  await retention.round()
  await retention.stop()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
  return result
}

/** What streams notice when old updates are removed: during a step the server writes to nobody. */
export const retention: Scenario = {
  letter: "R",
  name: "retention",
  title: "old updates are removed beside everything else",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const nothing = {
      stream: { path: "/", live: false },
      write: { method: "PUT", path: "/", body: "" },
    } as const
    const candidates = [{ name: ours, start: async () => new Target(ours, 0, nothing, []) }]
    const tell = ({ cpuMs, longestMs, steps }: Removed): string =>
      `at most ${cpuMs.toFixed(1)} ms of CPU, ${longestMs.toFixed(1)} ms in all, ${steps} steps`
    const results = await inTurn("R", candidates, plan.runs, removed, tell)
    const about = (figure: string) => ({
      scenario: "R",
      measure: `${ITEMS * REPORTS} updates are removed: ${figure}`,
      unit: "ms",
    })
    const bar = { kind: "at most", limit: 15 } as const
    return [
      row(results, ({ cpuMs }) => cpuMs, { ...about("CPU of the largest step"), bar }),
      row(results, ({ longestMs }) => longestMs, about("longest step, with the disk")),
    ]
  },
}
