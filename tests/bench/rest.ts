import { rmSync } from "node:fs"
import { join } from "node:path"

import { row, type Scenario } from "./bench.ts"
import { exactCpuMs, freePort, sleep, writtenBytes } from "./machine.ts"
import { inQuiet } from "./noise.ts"
import { databaseFolder, ours, serveCommand } from "./ours.ts"
import { Process, ready } from "./processes.ts"

/** After this time the work that a start leaves is done, and code that runs often is compiled. */
const SETTLE_MS = 60_000

interface Rest {
  readonly cpuPct: number
  readonly written: number
}

async function atRest(seconds: number): Promise<Rest> {
  const home = databaseFolder()
  const port = freePort()
  const server = Process.start(ours, serveCommand(port, join(home, "track-studio.db")), { on: "server" })
  await ready(port, [server])
  await sleep(SETTLE_MS)
  const before = { ms: exactCpuMs(server.pid), written: writtenBytes(server.pid) }
  await sleep(seconds * 1000)
  const cpuPct = (exactCpuMs(server.pid) - before.ms) / (seconds * 10)
  const written = writtenBytes(server.pid) - before.written
  await server.stop()
  rmSync(home, { recursive: true, force: true })
  return { cpuPct, written }
}

/** A server that gets no requests. */
export const rest: Scenario = {
  letter: "N",
  name: "rest",
  title: "a server at rest: CPU and what it writes to the disk",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const rests: Rest[] = []
    for (let number = 1; number <= plan.runs; number++) {
      const { result } = await inQuiet(() => atRest(plan.restSeconds))
      rests.push(result)
      console.error(`  N ${number}/${plan.runs}: ${result.cpuPct.toFixed(3)} %, ${result.written} bytes`)
    }
    const figures = new Map([[ours, rests]])
    const about = (measure: string, unit: string) => ({ scenario: "N", measure, unit })
    return [
      row(figures, ({ cpuPct }) => cpuPct, {
        ...about(`at rest for ${plan.restSeconds} s: CPU`, "% of one"),
        bar: { kind: "at most", limit: 0.1 },
      }),
      row(figures, ({ written }) => written, {
        ...about(`at rest for ${plan.restSeconds} s: written to the disk`, "bytes"),
        bar: { kind: "at most", limit: 0 },
      }),
    ]
  },
}
