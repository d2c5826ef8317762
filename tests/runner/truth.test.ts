import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { createParser } from "eventsource-parser"

import type { ProgressUpdate } from "../../src/item/item.ts"
import { figure, PROVE, quantile } from "../proof.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { faultsOf, ffmpegProgram, historyOf } from "./programs.ts"

setDefaultTimeout(240_000)

const ffmpeg = ffmpegProgram()
/** How long a render takes, in seconds. */
const LENGTH = 65
const POINTS = 2
/** ffmpeg reports twice a second. On a busy machine its reports are late. */
const LATE_MS = 1000
const ETA_SHARE = 0.15
const ETA_SECONDS = 2

/** A song video: a tone, its waves on a moving picture, encoded as libx264 and AAC. */
const song = (seconds: number, ...output: string[]): string[] => [
  ...["-hide_banner", "-f", "lavfi", "-i", `sine=frequency=220:duration=${seconds}`],
  ...["-f", "lavfi", "-i", `testsrc2=size=640x360:rate=25:duration=${seconds}`],
  ...["-filter_complex", "[0:a]showwaves=size=640x120:mode=line[waves];[1:v][waves]overlay=0:240[video]"],
  ...["-map", "[video]", "-map", "0:a", "-threads", "1", "-c:v", "libx264", "-c:a", "aac"],
  ...["-t", String(seconds), "-y", ...output],
]

/** How long a song must be so that its render takes about `LENGTH` on this machine, in whole seconds. */
function songLength(folder: string): number {
  const trial = 20
  const startedMs = performance.now()
  Bun.spawnSync(["ffmpeg", "-v", "quiet", ...song(trial, join(folder, "trial.mp4"))])
  return Math.ceil((LENGTH * 1.05 * trial * 1000) / (performance.now() - startedMs))
}

/** An update, and when a viewer got it. */
interface Sight {
  readonly atMs: number
  readonly update: ProgressUpdate
}

/** What a viewer of the item sees until it is finished. */
async function sightsOf(server: TestServer, id: number): Promise<Sight[]> {
  const sights: Sight[] = []
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === undefined) sights.push({ atMs: performance.now(), update: JSON.parse(data) })
    },
  })
  const answer = await fetch(`${server.url}/api/v1/progress/stream/${id}?until=finished`)
  const decoder = new TextDecoder()
  for await (const chunk of answer.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
  return sights
}

/** How far a render was at a time, in percent. */
interface Truth {
  readonly atMs: number
  readonly share: number
}

/** ffmpeg's lines on the terminal about its output time, as they come. */
async function truthsOf(stderr: ReadableStream<Uint8Array>, total: number): Promise<Truth[]> {
  const truths: Truth[] = []
  const decoder = new TextDecoder()
  for await (const chunk of stderr) {
    for (const [, h, m, s] of decoder.decode(chunk).matchAll(/time=(\d+):(\d+):([\d.]+)/g)) {
      const seconds = Number(h) * 3600 + Number(m) * 60 + Number(s)
      truths.push({ atMs: performance.now(), share: (seconds / total) * 100 })
    }
  }
  return truths
}

/** At each time: by how many points the viewer's screen differed from what ffmpeg has printed lately. */
const pointsOff = (sights: readonly Sight[], truths: readonly Truth[], lateMs: number): number[] =>
  truths.flatMap(({ atMs }) => {
    const shown = sights.findLast((sight) => sight.atMs <= atMs)?.update
    if (shown?.status !== "processing") return []
    const said = truths.filter((one) => one.atMs <= atMs && one.atMs >= atMs - lateMs)
    return [Math.min(...said.map(({ share }) => Math.abs(shown.progress - share)))]
  })

/**
 * The seconds left at a time if the render continues at its pace so far; undefined if that is not known yet.
 */
function lineAt(truths: readonly Truth[], atMs: number): number | undefined {
  const [first, last] = [truths[0], truths.findLast((one) => one.atMs <= atMs)]
  if (first === undefined || last === undefined || last.share <= first.share) return undefined
  return (((last.atMs - first.atMs) / (last.share - first.share)) * (100 - last.share)) / 1000
}

/** The middle of a render: from 10 to 90 %. */
const middleOf = (sights: readonly Sight[]): Sight[] =>
  sights.filter(
    ({ update: { status, progress } }) => status === "processing" && progress >= 10 && progress < 90,
  )

/** How far an ETA was from the time that was left. */
interface Miss {
  readonly seconds: number
  /** As a fraction of the time that was left. */
  readonly share: number
}

/** The error of each ETA in the middle, and the error of a straight line at the same time. */
function etaErrors(sights: readonly Sight[], truths: readonly Truth[]): { eta: Miss; line: Miss }[] {
  const endMs = sights.at(-1)?.atMs ?? 0
  return middleOf(sights).flatMap(({ atMs, update: { eta_seconds: eta } }) => {
    const [left, line] = [(endMs - atMs) / 1000, lineAt(truths, atMs)]
    const miss = (said: number): Miss => ({
      seconds: Math.abs(said - left),
      share: Math.abs(said - left) / left,
    })
    return eta === undefined || line === undefined ? [] : [{ eta: miss(eta), line: miss(line) }]
  })
}

/** Compares what a viewer saw with the truth, and prints the difference. */
function judge(name: string, sights: readonly Sight[], truths: readonly Truth[]): void {
  const off = pointsOff(sights, truths, 0)
  const errors = etaErrors(sights, truths)
  const median = (of: (error: { eta: Miss; line: Miss }) => number): number => quantile(errors.map(of), 0.5)
  const [seconds, share] = [median(({ eta }) => eta.seconds), median(({ eta }) => eta.share)]
  const line = median((error) => error.line.share)
  figure(
    `${name}: at ${off.length} times at most ${Math.max(...off).toFixed(1)} points off, median ` +
      `${quantile(off, 0.5).toFixed(1)}; ETA in the middle 80 %, ${errors.length} times, ` +
      `median error ${seconds.toFixed(1)} s, ${(share * 100).toFixed(1)} % of what was left ` +
      `(a straight line: ${(line * 100).toFixed(1)} %)`,
  )
  expect(off.length).toBeGreaterThan(LENGTH)
  expect(Math.max(...pointsOff(sights, truths, LATE_MS))).toBeLessThanOrEqual(POINTS)
  expect(errors.length).toBeGreaterThan(middleOf(sights).length * 0.9)
  // If even a straight line is far off, the machine did not keep its pace, and nobody could foresee the end.
  if (line > ETA_SHARE) console.warn(`the ETA is not judged: ${name} did not keep its pace`)
  else expect(share <= ETA_SHARE || seconds <= ETA_SECONDS).toBeTrue()
  const ends = sights.filter(({ update }) => update.progress === 100)
  expect(ends.map(({ update }) => update.status)).toEqual(["completed"])
}

describe.skipIf(ffmpeg === null || !PROVE)(
  `a render by ffmpeg of ${LENGTH} s shows its true share and its end`,
  () => {
    test("under run, as fast as the machine goes", async () => {
      await using server = await start()
      using folder = temporaryFolder()
      const id = await server.add()
      const total = songLength(folder.path)
      const wrapped = [...PROGRAM, "run", "--item", String(id), "--total", String(total), "--", "ffmpeg"]
      const sights = sightsOf(server, id)
      const startedMs = performance.now()
      const render = Bun.spawn([...wrapped, ...song(total, join(folder.path, "song.mp4"))], {
        env: { ...process.env, TRACK_STUDIO_SERVER: server.url },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      })
      const truths = await truthsOf(render.stderr, total)
      expect(await render.exited).toBe(0)
      const took = ((performance.now() - startedMs) / 1000).toFixed(1)
      judge(`a song of ${total} s under run, rendered in ${took} s`, await sights, truths)
      expect(faultsOf(await historyOf(server, id))).toEqual([])
    })

    test("by itself, in real time", async () => {
      await using server = await start()
      const id = await server.add()
      const url = `${server.url}/api/v1/queue/${id}/ingest/ffmpeg?total=${LENGTH}&finish=true`
      const sights = sightsOf(server, id)
      const startedMs = performance.now()
      const command = ["ffmpeg", "-progress", url, "-re", ...song(LENGTH, "-f", "null", "-")]
      const render = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" })
      const truths = await truthsOf(render.stderr, LENGTH)
      expect(await render.exited).toBe(0)
      const took = ((performance.now() - startedMs) / 1000).toFixed(1)
      judge(`a song of ${LENGTH} s by itself, rendered in ${took} s`, await sights, truths)
      expect(faultsOf(await historyOf(server, id))).toEqual([])
    })
  },
)
