import { basename } from "node:path"

import { framesAsked } from "../renderers/blender.ts"
import type { RendererName } from "../renderers/renderer.ts"

/** Where a command's progress is read: its standard output, its standard error, or a pipe of its own. */
export type Source = 1 | 2 | 3

/** What to run, and how to understand it. */
export interface Plan {
  readonly command: readonly string[]
  readonly renderer: RendererName
  /** Seconds of output for ffmpeg, frames for Blender; undefined while unknown. */
  readonly total: number | undefined
  readonly sources: readonly Source[]
}

/** Programs that run the command that follows, with the file descriptors they were given. */
const RUNNERS = new Set([
  "chrt",
  "env",
  "ionice",
  "nice",
  "nohup",
  "setsid",
  "stdbuf",
  "taskset",
  "time",
  "timeout",
])

/** Where in the command this program is named: first, or after programs that run it; -1 when it is not. */
function placeOf(command: readonly string[], program: RegExp): number {
  const place = command.findIndex((word) => program.test(basename(word)))
  return place > 0 && !RUNNERS.has(basename(command[0] ?? "")) ? -1 : place
}

const FFMPEG = /^ffmpeg(?:-?\d[\d.]*)?(?:\.exe)?$/i
const BLENDER = /^blender(?:-?\d[\d.]*)?(?:\.exe)?$/i

/** What the command line says by itself. */
export function rendererOf(command: readonly string[]): RendererName {
  if (placeOf(command, FFMPEG) >= 0) return "ffmpeg"
  return placeOf(command, BLENDER) >= 0 ? "blender" : "lines"
}

/** Where ffmpeg was told to write its progress. */
function ffmpegSources(url: string): Source[] {
  if (url === "-" || url === "pipe:" || url === "pipe:1") return [1]
  return url === "pipe:2" ? [2] : []
}

function planFfmpeg(command: readonly string[], total: number | undefined): Plan {
  const plan = { command, renderer: "ffmpeg", total } as const
  const place = placeOf(command, FFMPEG)
  // A script: what runs inside tells its progress on standard output.
  if (place === -1) return { ...plan, sources: [1] }
  const own = command.findLastIndex((word, index) => index > place && /^--?progress$/.test(word))
  if (own >= 0) return { ...plan, sources: ffmpegSources(command[own + 1] ?? "") }
  const more = ["-progress", "pipe:3"]
  return { ...plan, command: command.toSpliced(place + 1, 0, ...more), sources: [3] }
}

/**
 * How a command is run. ffmpeg gets `-progress` to a pipe of its own, unless it has one; what it prints stays as it
 * is. `total` left out is taken from Blender's command line where that tells.
 */
export function planned(
  command: readonly string[],
  name: RendererName = rendererOf(command),
  total?: number | undefined,
): Plan {
  if (name === "ffmpeg") return planFfmpeg(command, total)
  if (name === "blender") {
    const place = Math.max(0, placeOf(command, BLENDER))
    return { command, renderer: name, total: total ?? framesAsked(command.slice(place)), sources: [1] }
  }
  return { command, renderer: name, total, sources: [1, 2] }
}

/** Why the total that was given measures nothing, undefined when it does. */
export function uselessTotal({ renderer, sources, total }: Plan): string | undefined {
  if (total === undefined) return undefined
  if (sources.length === 0) return "ffmpeg's own -progress goes where it is not read"
  if (renderer !== "lines") return undefined
  return "the command is not known as ffmpeg or Blender; the last share that it prints counts (--renderer says what it is)"
}

/** The plan with an ffmpeg that takes no keys: what is on its standard input is not typed. `-i -` reads it all the same. */
export function withoutKeys(plan: Plan): Plan {
  const place = placeOf(plan.command, FFMPEG)
  return place === -1 ? plan : { ...plan, command: plan.command.toSpliced(place + 1, 0, "-nostdin") }
}
