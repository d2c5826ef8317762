import { framesAsked, mustShowFrames } from "../renderers/blender-command-line.ts"
import type { RendererName } from "../renderers/names.ts"
import { lastOutput } from "./ffmpeg-output-file.ts"
import { blenderIn, ffmpegIn } from "./find-program.ts"

/** A file descriptor on which a command prints: its standard output, its standard error, or our own pipe. */
export type OutputDescriptor = 1 | 2 | 3

/** What to run, and how to read its progress. */
export interface Plan {
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** The reader that understands the output. */
  readonly renderer: RendererName
  /** Seconds of video for ffmpeg, frames for Blender; undefined if it is unknown. */
  readonly total: number | undefined
  /**
   * Whether the total was guessed from the command. Then it does not prove that the command reached its end.
   */
  readonly isTotalGuessed: boolean
  /** How many progress bars follow one another; undefined if it is unknown. */
  readonly bars: number | undefined
  /** Whether the command must print a frame; otherwise it has failed. */
  readonly mustShowFrames: boolean
  /** The outputs that are read for progress. */
  readonly outputs: readonly OutputDescriptor[]
  /** The file that the command seems to write; undefined if that is not certain. */
  readonly file: string | undefined
}

/** What the user says about a command. */
export interface PlanRequest {
  /** The reader; by default it is guessed from the command. */
  readonly renderer?: RendererName | undefined
  /**
   * Seconds of video for ffmpeg, frames for Blender. Default: taken from a command of Blender, if the command
   * says it.
   */
  readonly total?: number | undefined
  /** How many progress bars follow one another; unknown by default. */
  readonly bars?: number | undefined
}

/** The outputs on which ffmpeg prints its progress, for a given value of `-progress`. */
function ffmpegOutputs(url: string): OutputDescriptor[] {
  if (url === "-" || url === "pipe:" || url === "pipe:1") return [1]
  return url === "pipe:2" ? [2] : []
}

function ffmpegPlan(plan: Plan): Plan {
  const { command } = plan
  const found = ffmpegIn(command)
  // It is a script. The ffmpeg in it is expected to print its progress on standard output.
  if (!found) return { ...plan, outputs: [1] }
  // It cannot use our pipe. Its statistics are read from what it prints, as for any ffmpeg in a script.
  if (found.isDistant) return { ...plan, renderer: "lines" }
  const { index } = found
  const guessed = { ...plan, file: lastOutput(command.slice(index + 1)) }
  const own = command.findLastIndex((word, at) => at > index && /^--?progress$/.test(word))
  if (own >= 0) return { ...guessed, outputs: ffmpegOutputs(command[own + 1] ?? "") }
  const more = ["-progress", "pipe:3"]
  return { ...guessed, command: command.toSpliced(index + 1, 0, ...more), outputs: [3] }
}

function blenderPlan(plan: Plan): Plan {
  const { command, total } = plan
  const words = command.slice(blenderIn(command)?.index ?? 0)
  return {
    ...plan,
    total: total ?? framesAsked(words),
    isTotalGuessed: total === undefined,
    mustShowFrames: mustShowFrames(words),
    outputs: [1],
  }
}

/**
 * How to run a command. ffmpeg gets `-progress` with our own pipe, unless the user gave one; what it prints
 * does not change.
 */
export function planned(command: readonly string[], { renderer, total, bars }: PlanRequest = {}): Plan {
  const guess = ffmpegIn(command) ? "ffmpeg" : blenderIn(command) ? "blender" : "lines"
  const plan: Plan = {
    command,
    renderer: renderer ?? guess,
    total,
    isTotalGuessed: false,
    bars,
    mustShowFrames: false,
    outputs: [1, 2],
    file: undefined,
  }
  if (plan.renderer === "ffmpeg") return ffmpegPlan(plan)
  return plan.renderer === "blender" ? blenderPlan(plan) : plan
}

/** The reason why the total that the user gave has no effect; undefined if it has one. */
export function uselessTotal({ command, renderer, outputs, total }: Plan): string | undefined {
  if (total === undefined) return undefined
  if (outputs.length === 0) return "this ffmpeg has a -progress of its own, which is not read"
  if (renderer !== "lines" || ffmpegIn(command)) return undefined
  return "the command is neither ffmpeg nor Blender, so the total counts only for an ffmpeg that the command runs. If it is one of the two by another name, say so with --renderer"
}

/**
 * The plan for an ffmpeg that does not read key presses from standard input. `-i -` still reads standard
 * input.
 */
export function withoutKeys(plan: Plan): Plan {
  const found = ffmpegIn(plan.command)
  if (!found || found.isDistant) return plan
  return { ...plan, command: plan.command.toSpliced(found.index + 1, 0, "-nostdin") }
}
