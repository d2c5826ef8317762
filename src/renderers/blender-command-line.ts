const FRAME_LIST = /^(?:[+-]?\d{1,9}|\d{1,9}\.\.\d{1,9})$/

/** How many frames one part of `--render-frame` names: "7", "+1", "3..5". */
function listed(part: string): number {
  if (!FRAME_LIST.test(part)) return Number.NaN
  const [from, to] = part.split("..").map(Number)
  return from === undefined || to === undefined ? 1 : to - from + 1
}

/** Blender's own part of a command line: the words after `--` belong to a script. */
function ownWords(command: readonly string[]): readonly string[] {
  const end = command.indexOf("--")
  return end === -1 ? command : command.slice(0, end)
}

/**
 * How many frames a Blender command line asks for, or undefined if it does not say so. It is a guess: the scene can
 * have its own frame step, and a relative frame may not exist.
 *
 * The frames are named by `--render-frame` (`-f`), and by `--render-anim` (`-a`) after `--frame-start` (`-s`) and
 * `--frame-end` (`-e`); without those the scene decides.
 */
export function framesAsked(command: readonly string[]): number | undefined {
  const words = ownWords(command)
  let [from, to, jump, frames] = [Number.NaN, Number.NaN, 1, 0]
  for (const [index, word] of words.entries()) {
    const value = words[index + 1] ?? ""
    if (word === "-s" || word === "--frame-start") from = Number(value)
    else if (word === "-e" || word === "--frame-end") to = Number(value)
    else if (word === "-j" || word === "--frame-jump") jump = Number(value)
    else if (word === "-a" || word === "--render-anim") frames += Math.floor((to - from) / jump) + 1
    else if (word === "-f" || word === "--render-frame") {
      frames += value.split(",").reduce((sum, part) => sum + listed(part), 0)
    }
  }
  return frames > 0 && Number.isSafeInteger(frames) ? frames : undefined
}

const RENDERS = new Set(["-a", "--render-anim", "-f", "--render-frame"])
const QUIET = new Set(["-q", "--quiet"])

/**
 * Whether a Blender command line renders, without a flag that makes Blender quiet. If so, its output must
 * show frames.
 */
export function mustShowFrames(command: readonly string[]): boolean {
  const words = ownWords(command)
  return words.some((word) => RENDERS.has(word)) && !words.some((word) => QUIET.has(word))
}
