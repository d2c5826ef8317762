import { basename } from "node:path"

import { framesAsked, mustShowFrames } from "../renderers/asked.ts"
import type { RendererName } from "../renderers/renderer.ts"

/** A file descriptor on which a command prints: its standard output, its standard error, or a pipe of our own. */
export type Output = 1 | 2 | 3

/** What to run, and how to read its progress. */
export interface Plan {
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** The reader that understands the output. */
  readonly renderer: RendererName
  /** Seconds of video for ffmpeg, frames for Blender; undefined when unknown. */
  readonly total: number | undefined
  /** Whether the total was guessed from the command: then it proves nothing about the end. */
  readonly isTotalGuessed: boolean
  /** Whether the command must tell of a frame, or else has failed. */
  readonly mustShowFrames: boolean
  /** The outputs that are read for progress. */
  readonly outputs: readonly Output[]
}

const UNPROVEN = { isTotalGuessed: false, mustShowFrames: false } as const

/** Programs that run the command that follows them, with the file descriptors that they were given. */
const WRAPPERS = new Set([
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

/** The index of this program in the command: first, or after a wrapper; -1 when it is not there. */
function indexOf(command: readonly string[], program: RegExp): number {
  const index = command.findIndex((word) => program.test(basename(word)))
  return index > 0 && !WRAPPERS.has(basename(command[0] ?? "")) ? -1 : index
}

const FFMPEG = /^ffmpeg(?:-?\d[\d.]*)?(?:\.exe)?$/i
const BLENDER = /^blender(?:-?\d[\d.]*)?(?:\.exe)?$/i

/** The reader for a command, guessed from its name. */
function rendererOf(command: readonly string[]): RendererName {
  if (indexOf(command, FFMPEG) >= 0) return "ffmpeg"
  return indexOf(command, BLENDER) >= 0 ? "blender" : "lines"
}

/** The outputs on which ffmpeg prints its progress, given the value of `-progress`. */
function ffmpegOutputs(url: string): Output[] {
  if (url === "-" || url === "pipe:" || url === "pipe:1") return [1]
  return url === "pipe:2" ? [2] : []
}

function planFfmpeg(command: readonly string[], total: number | undefined): Plan {
  const plan = { ...UNPROVEN, command, renderer: "ffmpeg", total } as const
  const index = indexOf(command, FFMPEG)
  // A script: the ffmpeg inside is expected to print its progress on standard output.
  if (index === -1) return { ...plan, outputs: [1] }
  const own = command.findLastIndex((word, at) => at > index && /^--?progress$/.test(word))
  if (own >= 0) return { ...plan, outputs: ffmpegOutputs(command[own + 1] ?? "") }
  const more = ["-progress", "pipe:3"]
  return { ...plan, command: command.toSpliced(index + 1, 0, ...more), outputs: [3] }
}

/**
 * How to run a command. ffmpeg gets `-progress` to a pipe of its own, unless the user gave one; what it prints stays
 * as it is. Without `name` the reader is guessed from the command; without `total` it is taken from Blender's command
 * line where that says it.
 */
export function planned(
  command: readonly string[],
  name: RendererName = rendererOf(command),
  total?: number | undefined,
): Plan {
  if (name === "ffmpeg") return planFfmpeg(command, total)
  if (name === "blender") {
    const index = Math.max(0, indexOf(command, BLENDER))
    const words = command.slice(index)
    const asked = { total: total ?? framesAsked(words), isTotalGuessed: total === undefined }
    return { command, renderer: name, ...asked, mustShowFrames: mustShowFrames(words), outputs: [1] }
  }
  return { ...UNPROVEN, command, renderer: name, total, outputs: [1, 2] }
}

/** Why the total that the user gave measures nothing; undefined when it does. */
export function uselessTotal({ renderer, outputs, total }: Plan): string | undefined {
  if (total === undefined) return undefined
  if (outputs.length === 0) return "ffmpeg's own -progress goes to a place that is not read"
  if (renderer !== "lines") return undefined
  return "this is neither ffmpeg nor Blender, so the last percentage it prints decides. If it is, say so with --renderer"
}

/** The plan with an ffmpeg that does not read key presses from standard input. `-i -` still reads it. */
export function withoutKeys(plan: Plan): Plan {
  const index = indexOf(plan.command, FFMPEG)
  return index === -1 ? plan : { ...plan, command: plan.command.toSpliced(index + 1, 0, "-nostdin") }
}
