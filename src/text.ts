/** What JSON leaves as it is though it steers terminals: DEL, C1, and what turns the direction of text. */
const STEERING = /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The value as JSON that can be shown on a terminal: the same value, with such characters escaped. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    STEERING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )

/** Control characters (C0, DEL, C1), and what turns the direction of text. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** The text with every character that could steer a terminal replaced by U+FFFD, and line breaks by a space. */
export const printable = (text: string): string =>
  text.replace(/\r\n|[\r\n\t\u2028\u2029]/g, " ").replace(UNPRINTABLE, "\ufffd")

const two = (value: number): string => String(value).padStart(2, "0")

/** Seconds as a clock counts them, begun ones left out: `0:42`, `12:05`, `1:02:03`, from two days on `2 d 04:00`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (h >= 48) return `${Math.floor(h / 24)} d ${two(h % 24)}:${two(m)}`
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** What stands before a cause: how the command ended, and in brackets which part of the program speaks. */
const PREFIX = /^(?:[^\n]{1,80}? (?:exited|ended) with code \d+: *)?(?:\[[^\]\n]{1,60}\] *)*/
const CAUSE =
  /\b(?:error|exception|fail(?:ed|ure|s)?|cannot|can't|could not|unable|not|no|invalid|unknown|missing|denied|refused|out of|exceeded|killed)\b/i

/**
 * The one line of an error that says why: the last one of a Python traceback, otherwise the first that names a cause,
 * otherwise the last. Empty for an empty text.
 */
export function telling(error: string): string {
  const lines = error
    .split(/\r\n|[\r\n\u2028\u2029]/)
    .map((line, at) =>
      (at === 0 ? line.replace(PREFIX, "") : line.replace(/^(?:\[[^\]]{1,60}\] *)+/, "")).trim(),
    )
    .filter((line) => line !== "")
  const isTraceback = lines.some((line) => line.endsWith("Traceback (most recent call last):"))
  const cause = isTraceback ? undefined : lines.find((line) => CAUSE.test(line))
  return cause ?? lines.at(-1) ?? error.trim()
}

/** A text as one word for a POSIX shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
