import { reasonOf } from "./errors.ts"
import { type NonBlockingOutput, nonBlockingOutput } from "./non-blocking-output.ts"
import { printable, safeJson } from "./text.ts"

/** How much a line matters, the least first. */
export const LEVELS = ["debug", "info", "warn", "error"] as const

/** One of `LEVELS`. */
export type Level = (typeof LEVELS)[number]

/** Fields of a log line; values must survive `JSON.stringify`. */
export type LogFields = Record<string, string | number | boolean | null>

/** How lines are written. */
export interface LogStyle {
  /** Lines that matter less are left out; `info` by default. */
  readonly level: Level
  /** Whether a terminal shows colours; called for each line. Default: no colours. */
  readonly isColoured: () => boolean
}

let style: LogStyle = { level: "info", isColoured: () => false }

let output: NonBlockingOutput | undefined

/**
 * Standard output. If it is closed, the log continues without it. It is loaded at the first line, because
 * that takes 2 ms of a start.
 */
function standardOutput(): NonBlockingOutput {
  if (output) return output
  output = nonBlockingOutput(1)
  output.on("error", () => undefined)
  return output
}

/** So many characters of the log wait while nobody takes it; without an end, they would fill the memory of a server. */
const MOST_WAITING = 1_000_000

let waitingCharacters = 0
let leftOut = 0

/** Sets how all lines of this process are written from now on. */
export function setLog(wanted: LogStyle): void {
  style = wanted
}

const COLOURS: Readonly<Record<Level, string>> = { debug: "2", info: "0", warn: "33", error: "31" }

/** A value on a terminal: bare if it is one word, otherwise as JSON; nothing in it can steer the terminal. */
const bare = (value: LogFields[string]): string =>
  typeof value === "string" && /^[^\s"=]+$/.test(value) ? printable(value) : safeJson(value)

/** The lines of a stack, to be written below a line. */
const below = (stack: string): string =>
  stack
    .split("\n")
    .map((one) => `\n    ${printable(one.trim())}`)
    .join("")

/**
 * A line as a person reads it: the time of day on this machine, the level unless it is `info`, the message
 * and the fields. The stack of an error is below it.
 */
export function readableLine(
  time: Date,
  level: Level,
  msg: string,
  { error, ...fields }: LogFields,
  isColoured: boolean,
): string {
  const paint = (code: string, text: string): string => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text)
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
  const shown = clock.map((part) => String(part).padStart(2, "0")).join(":")
  const said = paint(COLOURS[level], `${level === "info" ? "" : `${level} `}${printable(msg)}`)
  const rest = Object.entries(fields).map(([key, value]) => ` ${paint("2", `${key}=`)}${bare(value)}`)
  const stack = error === undefined ? "" : typeof error === "string" ? below(error) : ` error=${bare(error)}`
  return `${paint("2", shown)} ${said}${rest.join("")}${stack}\n`
}

/** One line: JSON, or readable text on a terminal. */
function lineOf(level: Level, msg: string, fields: LogFields): string {
  const time = new Date()
  return process.stdout.isTTY
    ? readableLine(time, level, msg, fields, style.isColoured())
    : `${JSON.stringify({ time: time.toISOString(), level, msg, ...fields })}\n`
}

/**
 * Writes one line to standard output: JSON with `time`, `level` and `msg`, or readable text on a terminal. Line
 * breaks in values are escaped, so that a line of JSON is always one entry. While nobody takes the lines, those that are
 * too many are counted; the count comes once all that waited was taken.
 */
export function log(level: Level, msg: string, fields: LogFields = {}): void {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(style.level)) return
  if (waitingCharacters > (leftOut === 0 ? MOST_WAITING : 0)) {
    leftOut += 1
    return
  }
  const gap =
    leftOut === 0 ? "" : lineOf("warn", "lines of the log were left out: nobody read it", { lines: leftOut })
  leftOut = 0
  const text = gap + lineOf(level, msg, fields)
  waitingCharacters += text.length
  standardOutput().write(text, () => void (waitingCharacters -= text.length))
}

const COUNT_MS = 10_000

/** The messages of an error and of what caused it, without stacks. */
const messagesOf = (error: unknown): string =>
  error instanceof Error && error.cause !== undefined
    ? `${error.message}: ${messagesOf(error.cause)}`
    : reasonOf(error)

/** A line that was logged, and may come again. */
interface Repeated {
  readonly level: Level
  readonly msg: string
  readonly cause: string
  /** How often it came again since it was last logged. */
  again: number
  /** When it was last logged, in milliseconds of `performance.now()`. */
  readonly sinceMs: number
  timer?: Timer
}

/**
 * Logs messages that may repeat many times. A message with its cause is logged once in full. While it
 * repeats, one line each 10 s says how often. A message that did not come for 10 s counts as new.
 */
export class ErrorLog {
  /** Called with each error that is logged, also if it is only counted, and its message. */
  onError: (error: unknown, msg: string) => void = () => undefined
  readonly #write: typeof log
  readonly #everyMs: number
  readonly #repeated = new Map<string, Repeated>()

  /** `write` takes the lines. `everyMs` is how long repetitions are counted, in milliseconds. */
  constructor(write: typeof log = log, everyMs = COUNT_MS) {
    this.#write = write
    this.#everyMs = everyMs
  }

  /** Logs an error under a message. */
  log(msg: string, error: unknown, fields: LogFields = {}): void {
    this.onError(error, msg)
    const stack = error instanceof Error ? error.stack : undefined
    this.#say("error", msg, messagesOf(error), stack === undefined ? fields : { ...fields, error: stack })
  }

  /** Logs a warning under a message, for a reason. */
  warn(msg: string, cause: string, fields: LogFields = {}): void {
    this.#say("warn", msg, cause, fields)
  }

  /** Logs, under a message, that something is well again after a cause. */
  info(msg: string, cause: string, fields: LogFields = {}): void {
    this.#say("info", msg, cause, fields)
  }

  /** Logs the counts that were not logged yet. */
  end(): void {
    for (const [key, repeated] of this.#repeated) {
      clearTimeout(repeated.timer)
      this.#logCount(repeated)
      this.#repeated.delete(key)
    }
  }

  #say(level: Level, msg: string, cause: string, { error, ...fields }: LogFields): void {
    const key = `${msg}\n${cause}`
    const known = this.#repeated.get(key)
    if (known) {
      known.again += 1
      return
    }
    this.#write(level, msg, { ...fields, cause, ...(error !== undefined && { error }) })
    this.#count(key, { level, msg, cause, again: 0, sinceMs: performance.now() })
  }

  #count(key: string, repeated: Repeated): void {
    repeated.timer = setTimeout(() => {
      if (this.#logCount(repeated)) this.#count(key, { ...repeated, again: 0, sinceMs: performance.now() })
      else this.#repeated.delete(key)
    }, this.#everyMs)
    // A server that has ended does not wait for this timer.
    repeated.timer.unref()
    this.#repeated.set(key, repeated)
  }

  /** Logs how often it repeated; returns whether it did. */
  #logCount({ level, msg, cause, again, sinceMs }: Repeated): boolean {
    const seconds = Math.round((performance.now() - sinceMs) / 100) / 10
    if (again > 0) this.#write(level, msg, { cause, again, seconds })
    return again > 0
  }
}
