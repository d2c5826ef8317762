/** Fields of a log line; values must survive `JSON.stringify`. */
export type LogFields = Record<string, string | number | boolean | null>

/**
 * Writes one line to standard output: JSON with `time`, `level` and `msg`, or readable text on a terminal.
 * Line breaks in values are escaped, so a line is always one entry.
 */
export function log(level: "info" | "warn" | "error", msg: string, fields: LogFields = {}): void {
  const time = new Date().toISOString()
  if (!process.stdout.isTTY) {
    process.stdout.write(`${JSON.stringify({ time, level, msg, ...fields })}\n`)
    return
  }
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  process.stdout.write(`${time.slice(11, 19)} ${level === "info" ? "" : `${level} `}${msg}${rest.join("")}\n`)
}

const COUNT_MS = 10_000

/** What an error says, without where it came from. */
const causeOf = (error: unknown): string =>
  error instanceof Error && error.cause !== undefined
    ? `${error.message}: ${causeOf(error.cause)}`
    : error instanceof Error
      ? error.message
      : String(error)

/**
 * Logs errors. The same one, by message and cause, is logged once in full; as long as it comes again there is one line
 * each 10 s that says how often. One that stays away for as long counts as new.
 */
export class ErrorLog {
  readonly #write: typeof log
  readonly #everyMs: number
  readonly #again = new Map<string, number>()

  /** `write` takes the lines. `everyMs` is how long repetitions are counted, in milliseconds. */
  constructor(write: typeof log = log, everyMs = COUNT_MS) {
    this.#write = write
    this.#everyMs = everyMs
  }

  /** Logs an error under a message. */
  log(msg: string, error: unknown, fields: LogFields = {}): void {
    const cause = causeOf(error)
    const key = `${msg}\n${cause}`
    const again = this.#again.get(key)
    if (again !== undefined) {
      this.#again.set(key, again + 1)
      return
    }
    this.#again.set(key, 0)
    const stack = error instanceof Error ? error.stack : undefined
    this.#write("error", msg, { ...fields, cause, ...(stack !== undefined && { error: stack }) })
    this.#count(key, msg, cause)
  }

  #count(key: string, msg: string, cause: string): void {
    const timer = setTimeout(() => {
      const again = this.#again.get(key) ?? 0
      this.#again.delete(key)
      if (again === 0) return
      this.#write("error", msg, { cause, again, seconds: this.#everyMs / 1000 })
      this.#again.set(key, 0)
      this.#count(key, msg, cause)
    }, this.#everyMs)
    // A server that has ended does not stay for it.
    timer.unref()
  }
}
