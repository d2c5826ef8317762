/**
 * Characters that JSON leaves as they are, although they steer terminals: DEL, C1, and those that turn the
 * direction of text.
 */
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

/** Seconds as a clock shows them, rounded down: `0:42`, `12:05`, `1:02:03`, from two days on `2 d 04:00`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (h >= 48) return `${Math.floor(h / 24)} d ${two(h % 24)}:${two(m)}`
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

let collator: Intl.Collator | undefined

/** Orders names as people do: `box-2` comes before `box-10`. */
export function byName(one: string, other: string): number {
  // It is made at first use, because the data of languages takes a millisecond to load.
  collator ??= new Intl.Collator("en", { numeric: true })
  return collator.compare(one, other) || (one < other ? -1 : 1)
}

/** A duration, as a clock counts it; below a second in tenths, at least one: `0.4 s`. */
export const tookWords = (seconds: number): string =>
  seconds >= 1 ? duration(seconds) : `${(Math.max(1, Math.floor(seconds * 10)) / 10).toFixed(1)} s`

/** Choices as a sentence names them: `a, b or c`. */
export const eitherOf = (choices: readonly string[]): string =>
  choices.join(", ").replace(/, (?=[^,]*$)/, " or ")

/** A whole number with commas: `2,400`. It does without the data of languages, which costs a start 3 MB of memory. */
export const thousands = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/g, ",")

/** A number with its noun: `1 item`, `2,400 items`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${thousands(value)} ${value === 1 ? one : many}`

/** What is missing of an output: `1 byte is not kept`. */
export const notKept = (bytes: number): string => `${counted(bytes, "byte is", "bytes are")} not kept`

/** A size in the largest unit that fits: `12.4 MB`. */
export function sizeWords(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"]
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** How many updates a gap left out, as a clause: `1 update was missed`; null if the number is unknown. */
export function missedUpdates(missed: number | null): string {
  return missed === null
    ? "some updates were missed"
    : `${counted(missed, "update was", "updates were")} missed`
}

/** A text as one word for a POSIX shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The words for a server that drains. */
export const SHUTTING_DOWN = "the server is shutting down"
