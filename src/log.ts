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
