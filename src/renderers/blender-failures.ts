import { plainLine } from "./line-reader.ts"

const ERROR = /\berror\b/i
const OUT_OF = /out[ _]?of/i
const MEMORY = /memory/i
/** Blender's own words when the machine has no memory left. */
const NO_BLOCK = /^(?:Malloc|Calloc|Realloc)\w* returns null: len=/
const NOT_SAVED = /\bcannot save: '/i
/** What was to be rendered is not there. */
const NOTHING_THERE = /\bcannot render, no camera\b|\bno camera found\b/i
/** Its file cannot be read. */
const UNREADABLE = /^Error: (?:Cannot read|Failed to read blend) file (?:'.+\.blend'|".+\.blend"): /i
const TRACEBACK = /\bTraceback \(most recent call last\):/
/** How Blender 3 and later report an exception that a script did not catch; one that it printed has no such words. */
const UNCAUGHT = /\bPython: Traceback \(/
/** What stands before an error in the log of Blender 5: "00:00.891  reports          | ERROR Cannot render". */
const LOGGED = /(?<!\d)\d{2,}:\d\d\.\d{3} +[\w.]+ +\| (?:ERROR|FATAL) /
/** What stands there before each further line of the same message. */
const FURTHER = /^ {20,}\| /
/** A place in a traceback. The first one is a script itself, or a handler, an add-on or a driver. */
const PLACE = /^ +File "(.*)", line \d+, in (.*)$/
const EXCEPTION = /^[A-Za-z_][\w.]*(?::|$)/

/** A line of an error of Blender 5 in the form of earlier versions, "Error: Cannot render"; any other line as it is. */
export function errorIn(line: string): string {
  if (!line.includes("| ")) return line
  const logged = LOGGED.exec(line)
  return logged ? `Error: ${line.slice(logged.index + logged[0].length)}` : line.replace(FURTHER, "")
}

/** Whether a line says that the file to be rendered cannot be read. */
export const isUnreadable = (line: string): boolean => UNREADABLE.test(line)

/**
 * Whether a line says that memory ran out: "Error: System is out of GPU memory", "CUDA error: Out of memory", "HIP
 * Error: hipErrorOutOfMemory". It is searched in steps, because one pattern would take hours on a line that repeats
 * "error: ".
 */
function isOutOfMemory(line: string): boolean {
  if (NO_BLOCK.test(line)) return true
  const error = line.search(ERROR)
  if (error < 0) return false
  const colon = line.indexOf(": ", error)
  if (colon < 0 || line.slice(error, colon).includes("|")) return false
  const said = line.slice(colon)
  const out = said.search(OUT_OF)
  return out >= 0 && MEMORY.test(said.slice(out))
}

/** Whether a place of a traceback is a script itself; undefined if the line is no place. */
function isOfScript(line: string): boolean | undefined {
  const [, file, name] = PLACE.exec(line) ?? []
  return file === undefined ? undefined : name === "<module>" && file !== "<bpy driver>"
}

/** Failures that Blender reports. */
export class BlenderFailures {
  #isInTraceback = false
  /** Whether Blender says that nothing caught the exception of the traceback. */
  #isUncaught = false
  /** Whether the traceback begins in a script itself; undefined until its first place has come. */
  #isOfScript: boolean | undefined
  /** The exception of a script after which no frame was begun, and whether it ended the script. */
  #raised: { readonly line: string; readonly isUncaught: boolean } | undefined
  /** Failures that no later frame repairs: too little memory, or a frame that could not be saved. */
  #lasting: string | undefined
  #other: string | undefined

  /** Reads a line. */
  hear(printed: string): void {
    const line = errorIn(printed)
    if (this.#lasting === undefined && (isOutOfMemory(line) || NOT_SAVED.test(line)))
      this.#lasting = plainLine(line)
    if (TRACEBACK.test(line)) {
      this.#isInTraceback = true
      this.#isUncaught = UNCAUGHT.test(line)
      this.#isOfScript = undefined
      this.#other ??= plainLine(line)
    } else if (this.#isInTraceback && EXCEPTION.test(line)) {
      // The last line of a traceback names the failure. If there are several tracebacks, the last one counts.
      this.#isInTraceback = false
      this.#other = plainLine(line)
      if (this.#isOfScript) this.#raised = { line: this.#other, isUncaught: this.#isUncaught }
    } else if (this.#isInTraceback) this.#isOfScript ??= isOfScript(line)
    else if (NOTHING_THERE.test(line) || isUnreadable(line)) this.#other = plainLine(line)
  }

  /** Rendering goes on: what a script raised before has ended nothing. */
  goOn(): void {
    this.#raised = undefined
  }

  /** An exception that was printed after the last frame, though a script may have caught it; undefined if none was. */
  get printed(): string | undefined {
    return this.#raised?.line
  }

  /** The line because of which the render failed, if it has this many frames; undefined if there is none. */
  failure(frames: number): string | undefined {
    const ended = this.#raised?.isUncaught ? this.#raised.line : undefined
    return this.#lasting ?? ended ?? (frames === 0 ? this.#other : undefined)
  }
}
