import { rmSync } from "node:fs"
import { join } from "node:path"

import { faultsOf, inTurn, row, type Scenario, tellFanOut } from "./bench.ts"
import { type FanOut, fanOut, type Published, write } from "./load.ts"
import { folder, sleep } from "./machine.ts"
import { ours, oursAlone, oursContender, paths } from "./ours.ts"
import { Process, type Target } from "./processes.ts"

interface Shared extends FanOut {
  /** Requests that need no disk, sent all the time: they wait only if the event loop stands still. */
  health: Published
  bulkMbPerSecond: number
}

const perSecond = 100

async function besideBulk(target: Target, seconds: number, bulky: boolean): Promise<Shared> {
  const file = join(folder("run"), "bulk")
  const argv = [process.execPath, join(import.meta.dir, "bulk.ts"), file]
  const bulk = bulky
    ? Process.start("bulk", ["nice", "-n", "10", ...argv], { on: "client", pipe: true })
    : undefined
  if (bulk) await sleep(1_000)
  let health: Published | undefined
  const probe = async (): Promise<void> => {
    const load = { connections: 1, perSecond, seconds, method: "GET", path: paths.health, body: "" } as const
    health = await write(target, load)
  }
  const run = await fanOut(target, { count: 100 }, { connections: 16, perSecond, seconds }, probe)
  let bulkMbPerSecond = 0
  bulk?.signal("SIGTERM")
  for await (const line of bulk?.lines() ?? [])
    bulkMbPerSecond = (JSON.parse(line) as { mb_per_s: number }).mb_per_s
  await bulk?.stop()
  rmSync(file, { force: true })
  if (!health) throw new Error("the health probe did not run")
  return { ...run, health, bulkMbPerSecond }
}

function tell(run: Shared): string {
  const stallMs = run.health.rt_us.max / 1000
  return `${tellFanOut(run)}, loop stalls up to ${stallMs.toFixed(1)} ms, bulk ${run.bulkMbPerSecond.toFixed(0)} MB/s`
}

/** Streams while another program fills the disk. */
export const disk: Scenario = {
  letter: "J",
  name: "disk",
  title: "a bulk writer with fsync on the same disk",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const candidates = [ours, oursAlone].map((name) => ({ name, start: () => oursContender.start() }))
    const measure = (target: Target, name: string): Promise<Shared> =>
      besideBulk(target, plan.diskSeconds, name === ours)
    const results = await inTurn("J", candidates, plan.runs, measure, tell)
    const about = (figure: string, unit = "ms") => {
      return {
        scenario: "J",
        measure: `bulk writer beside, ${perSecond} updates/s to 100 readers: ${figure}`,
        unit,
      }
    }
    return [
      row(results, ({ delivered }) => delivered.lat_us.p99 / 1000, about("p99"), faultsOf(results)),
      row(results, ({ delivered }) => delivered.lat_us.max / 1000, about("longest wait for an update")),
      row(results, ({ health }) => health.rt_us.max / 1000, about("longest stall of the loop (GET /health)")),
      row(results, ({ bulkMbPerSecond }) => bulkMbPerSecond, about("the bulk writer", "MB/s")),
    ]
  },
}
