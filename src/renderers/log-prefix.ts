import { ESCAPE } from "./control-characters.ts"

const COLOUR = /\p{Cc}\[[\d;]*m/gu
/** Parts of the first lines of ffmpeg and Blender. Every line is searched for them, so they are plain texts. */
const FIRST = /Input #0, |ffmpeg version |Blender /
/** These lines are certainly theirs, whatever stands before them. The tag of a song is indented. */
const SURE =
  /^(\S.{0,80}?[\]|:>\dZF] +)(?:Input #0, \S+ from '|ffmpeg version \S+ Copyright|Blender \d+\.\d+)/
/** What differs between the lines of one log: numbers, streams, and ffmpeg's words for the weight of a line. */
const VARIES = /(\d+|std(?:out|err)|\[(?:panic|fatal|error|warning|info|verbose|debug|trace)\])/i

/** The expression for one part of a prefix. */
function partOf(text: string): string {
  if (/^\d/.test(text)) return "\\d+"
  if (text.startsWith("[") && VARIES.test(text)) return "\\[[a-z]+\\]"
  return /^std/i.test(text) ? "\\w+" : RegExp.escape(text)
}

/**
 * Removes what stands before each line of ffmpeg and Blender: a farm's or a container's "0: STDOUT: ", ffmpeg's
 * "[error] ", and colours. It is learned from a line that is certainly theirs, so no other program's words are taken
 * for theirs.
 */
export class LogPrefix {
  #prefix: RegExp | undefined

  /** The line without what stands before it. */
  strip(line: string): string {
    const plain = line.includes(ESCAPE) ? line.replace(COLOUR, "") : line
    if (FIRST.test(plain)) {
      const prefix = SURE.exec(plain)?.[1]
      if (prefix !== undefined) {
        this.#prefix = new RegExp(`^${prefix.split(VARIES).map(partOf).join("")}`)
      }
    }
    return this.#prefix ? plain.replace(this.#prefix, "") : plain
  }
}
