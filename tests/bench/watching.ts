import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"

import { row, type Scenario } from "./bench.ts"
import { exactCpuMs, folder, freePort, onBoth, run } from "./machine.ts"
import { inQuiet } from "./noise.ts"
import { binary, databaseFolder, ours, oursAlone, paths, serveCommand } from "./ours.ts"
import { Process, ready } from "./processes.ts"

const VIEWERS = 20

interface Render {
  /** The CPU time of ffmpeg, in milliseconds. */
  readonly ffmpegMs: number
  /** The part of it that ffmpeg itself does not report, because its own clock starts late, in milliseconds. */
  readonly unreportedMs: number
  /** The CPU time of the server and of `run` during the render, in milliseconds; 0 if they do not run. */
  readonly watchingMs: number
  /** The time from the start to the end of ffmpeg, as ffmpeg itself reports it, in milliseconds. */
  readonly tookMs: number
  readonly faults: string[]
}

/**
 * A render of this many seconds of video, which writes no file. It reports its progress twice a second, as by
 * default.
 */
const ffmpeg = (seconds: number): string[] => [
  ...["ffmpeg", "-hide_banner", "-nostdin", "-benchmark"],
  ...["-f", "lavfi", "-i", `testsrc2=size=1280x720:rate=30:duration=${seconds}`],
  ...["-c:v", "libx264", "-preset", "medium", "-f", "null", "-"],
]

/** What ffmpeg said of itself at its end. */
function benchmark(name: string): { readonly reportedMs: number; readonly tookMs: number } {
  const said = readFileSync(join(folder("log"), `${name}.err`), "utf8")
  const [, user, system, real] = /bench: utime=([\d.]+)s stime=([\d.]+)s rtime=([\d.]+)s/.exec(said) ?? []
  return { reportedMs: (Number(user) + Number(system)) * 1000, tookMs: Number(real) * 1000 }
}

async function alone(seconds: number): Promise<Render> {
  const process = Process.start("render-alone", onBoth(ffmpeg(seconds)), {})
  const faults = (await process.exited) === 0 ? [] : ["ffmpeg failed"]
  const { reportedMs, tookMs } = benchmark("render-alone")
  const ffmpegMs = process.usedMs
  return { ffmpegMs, unreportedMs: ffmpegMs - reportedMs, watchingMs: 0, tookMs, faults }
}

/** Counts the updates of one viewer until its stream ends. */
async function viewed(url: string): Promise<number> {
  const answer = await fetch(url, { headers: { accept: "text/event-stream" } })
  const decoder = new TextDecoder()
  let updates = 0
  try {
    // An update and its end always come together, because each chunk is one write of the server.
    for await (const bytes of answer.body ?? []) {
      updates += decoder.decode(bytes, { stream: true }).match(/^id: /gm)?.length ?? 0
    }
  } catch {
    // The server has ended, and the stream with it.
  }
  return updates
}

/** `unreportedMs` is that of a render of the same length on its own. */
async function watched(seconds: number, unreportedMs: number): Promise<Render> {
  const home = databaseFolder()
  const port = freePort()
  const server = Process.start(ours, onBoth(serveCommand(port, join(home, "track-studio.db"))), {})
  await ready(port, [server])
  const url = `http://127.0.0.1:${port}`
  const viewers = Array.from({ length: VIEWERS }, () => viewed(`${url}${paths.stream}`))
  const beforeMs = exactCpuMs(server.pid)
  const command = [binary, "run", "--server", url, "--song", "1", "--total", `${seconds}`, "--"]
  const runner = Process.start("render-watched", onBoth([...command, ...ffmpeg(seconds)]), {})
  const code = await runner.exited
  const serverMs = exactCpuMs(server.pid) - beforeMs
  await server.stop()
  const updates = await Promise.all(viewers)
  rmSync(home, { recursive: true, force: true })
  const { reportedMs, tookMs } = benchmark("render-watched")
  const ffmpegMs = reportedMs + unreportedMs
  const least = tookMs / 1000
  const faults = [
    ...(code === 0 ? [] : ["run failed"]),
    // Twice a second, and some more at the beginning and the end.
    ...(Math.min(...updates) < least ? [`a viewer got ${Math.min(...updates)} updates in ${least} s`] : []),
  ]
  // What `run` used counts ffmpeg in, because it has waited for it.
  const runnerMs = runner.usedMs - ffmpegMs
  console.error(`  M server ${serverMs.toFixed(0)} ms, run ${runnerMs.toFixed(0)} ms, ${updates[0]} updates`)
  return { ffmpegMs, unreportedMs, watchingMs: serverMs + runnerMs, tookMs, faults }
}

/** How much it costs a render that 20 viewers watch it, on the same two CPUs. */
export const watching: Scenario = {
  letter: "M",
  name: "watching",
  title: "what watching costs the render: ffmpeg with and without, 20 viewers, two reports a second",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    if (!run(["ffmpeg", "-version"]).ok) throw new Error("ffmpeg is missing")
    const renders = new Map<string, Render[]>([
      [ours, []],
      [oursAlone, []],
    ])
    let unreportedMs = 0
    for (let number = 1; number <= plan.manyRuns; number++) {
      for (const [name, render] of [[oursAlone, alone] as const, [ours, watched] as const]) {
        const { result, foreignPct } = await inQuiet(() => render(plan.renderSeconds, unreportedMs))
        unreportedMs = result.unreportedMs
        renders.get(name)?.push(result)
        const share = ((result.watchingMs / result.ffmpegMs) * 100).toFixed(2)
        const took = `${(result.tookMs / 1000).toFixed(1)} s, ffmpeg ${(result.ffmpegMs / 1000).toFixed(1)} s of CPU`
        const others = `others ${foreignPct.toFixed(0)} %`
        console.error(`  M ${number}/${plan.manyRuns} ${name}: ${took}, watching ${share} %, ${others}`)
      }
    }
    const faults = [...new Set([...renders.values()].flat().flatMap((one) => one.faults))]
    const about = (measure: string, unit: string) => ({ scenario: "M", measure, unit })
    const seconds = `${plan.renderSeconds} s of 720p by libx264`
    return [
      row(
        new Map([[ours, renders.get(ours) ?? []]]),
        ({ watchingMs, ffmpegMs }) => (watchingMs / ffmpegMs) * 100,
        {
          ...about(`${seconds}, ${VIEWERS} viewers: CPU of server and run over ffmpeg's own`, "%"),
          bar: { kind: "at most", limit: 0.5 },
        },
        faults,
      ),
      row(renders, ({ tookMs }) => tookMs / 1000, about(`${seconds}: the render took`, "s")),
      row(renders, ({ ffmpegMs }) => ffmpegMs / 1000, about(`${seconds}: CPU of ffmpeg`, "s")),
    ]
  },
}
