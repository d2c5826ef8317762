import { rmSync } from "node:fs"
import { join } from "node:path"

import { row, type Scenario } from "./bench.ts"
import { folder, freePort, memoryBytes, moveTo, run, sleep, tree } from "./machine.ts"
import { databaseFolder, ours, paths, serveCommand } from "./ours.ts"
import { firstAnswer, Process } from "./processes.ts"

interface Start {
  firstAnswerMs: number
  restBytes: number
  privateBytes: number
}

async function startOnce(name: string, argv: (port: number) => string[], restMs: number): Promise<Start> {
  const port = freePort()
  // The server inherits the CPU: a wrapper that pins it would be measured with it.
  moveTo("server")
  const startedMs = performance.now()
  const server = Process.start(name, argv(port), {})
  moveTo("client")
  const answer = await firstAnswer(`http://127.0.0.1:${port}${paths.health}`)
  const firstAnswerMs = performance.now() - startedMs
  if (!answer.ok) throw new Error(`${paths.health} answered ${answer.status}`)
  await sleep(restMs)
  const pids = tree([server.pid])
  const [restBytes, privateBytes] = [memoryBytes(pids, "Rss"), memoryBytes(pids, "Private_Dirty")]
  await server.stop()
  return { firstAnswerMs, restBytes, privateBytes }
}

/** The name of the column of the least program that answers. */
const bare = "bare Bun"

/**
 * Compiles the smallest program that answers, in the same way as ours. Returns its path, or undefined if that
 * fails.
 */
function bareProgram(): string | undefined {
  const [source, file] = [join(import.meta.dir, "native/bare.ts"), join(folder("bin"), "bare")]
  const how = ["--compile", "--bytecode", "--format=esm", "--outfile", file]
  const { ok, text } = run([process.execPath, "build", ...how, source])
  if (!ok) console.error(`  G ${bare}: ${text}`)
  return ok ? file : undefined
}

/** The time from the start of the process to its first answer, and its memory at rest. */
export const start: Scenario = {
  letter: "G",
  name: "start",
  title: "start to first answer; memory at rest",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const fresh: Start[] = []
    const again: Start[] = []
    const least: Start[] = []
    const bareFile = bareProgram()
    for (let number = 1; number <= plan.manyRuns; number++) {
      const home = databaseFolder()
      const databasePath = join(home, "track-studio.db")
      const serve = (port: number): string[] => serveCommand(port, databasePath)
      fresh.push(await startOnce(ours, serve, 0))
      again.push(await startOnce(ours, serve, 2_000))
      if (bareFile) least.push(await startOnce("bare", (port) => [bareFile, `${port}`], 2_000))
      rmSync(home, { recursive: true, force: true })
      console.error(`  G ${number}/${plan.manyRuns}: ${again.at(-1)?.firstAnswerMs.toFixed(1)} ms`)
    }
    const bar = (limit: number) => ({ kind: "at most", limit }) as const
    const figures = (starts: Start[]): Map<string, Start[]> => new Map([[ours, starts]])
    const beside = new Map([...figures(again), [bare, least]])
    const about = (measure: string, unit: string) => ({ scenario: "G", measure, unit })
    const ms = ({ firstAnswerMs }: Start): number => firstAnswerMs
    return [
      row(beside, ms, { ...about("start to first answer", "ms"), bar: bar(40) }),
      row(figures(fresh), ms, about("start to first answer, creating the database", "ms")),
      row(beside, ({ restBytes }) => restBytes / 1e6, {
        ...about("memory at rest (RSS)", "MB"),
        bar: bar(60),
      }),
      row(
        figures(again),
        ({ privateBytes }) => privateBytes / 1e6,
        about("memory at rest, private and written", "MB"),
      ),
    ]
  },
}
