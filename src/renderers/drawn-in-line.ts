/** A piece of output as a terminal shows it. */
export interface Shown {
  /** Without escapes, on one line, with single spaces. */
  readonly text: string
  /** Whether it replaces the text that stood there before, as progress bars do. */
  readonly isRedrawn: boolean
}

// Escape sequences. \p{Cc} stands for the escape character: a line holds no other control character but tabs.
const OVERWRITES = /\p{Cc}(?:\[[\d;?]*[A-HJKSTfsu]|8(?![\d.,%]))/u
const ESCAPES =
  /\p{Cc}\[[0-?]*[ -/]*[@-~]|\p{Cc}\][^\p{Cc}]*\p{Cc}\\?|\p{Cc}[()][0-9A-Z]|\p{Cc}[78](?![\d.,%])|\p{Cc}/gu

/** Spaces that group the digits of a large number, as in French and Russian. */
const GROUPING = /(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))/gu
const SPACES = /[\u00a0\u2009\u202f]/u

const withSingleSpaces = (text: string): string => text.replace(/\s+/gu, " ").trim()

function plain(text: string): string {
  const bare = text.replace(ESCAPES, "")
  if (!SPACES.test(bare)) return withSingleSpaces(bare)
  return bare.replace(GROUPING, "\0").split("\0").map(withSingleSpaces).join("\u202f")
}

/**
 * The pieces that a line puts on the screen: a new piece begins when the cursor is moved or the line is
 * erased.
 */
export function shownIn(line: string, isRedrawn: boolean): Shown[] {
  const pieces = line.replaceAll("\t", " ").split(OVERWRITES)
  return pieces
    .map((piece, i) => ({ text: plain(piece), isRedrawn: isRedrawn || i > 0 }))
    .filter(({ text }) => text !== "")
}

// What could not be decoded is drawn as U+FFFD.
const DRAWING =
  /\ufffd|[^\p{L}\p{N}\p{P}\p{S}\s]|[\u2500\u2501\u2504-\u259f\u25a0-\u25ff\u2800-\u28ff]|[#=>*~.·_-]{3,}/gu

/** Other signs of which bars are made: they may also stand alone beside any text. */
const GLYPHS = /[\p{So}∙⋅•]/gu

// A bar that has only begun consists of spaces, and here these are single: "0%| | 0/5", "[>  ]".
const EMPTY_BAR = /%\||\[[ #=>.-]{1,4}\]/

/** Whether a bar is drawn in the text. */
export const hasDrawing = (text: string): boolean => EMPTY_BAR.test(text) || text.search(DRAWING) >= 0

// Two glyphs of a bar, or a bar of letters between its ends: "[###>---]". Single glyphs turn beside any text.
const BAR = /[\u2500-\u259f\u25a0-\u25ff\u2800-\u28ff]{2}|[[(|][ #=>*.·_-]*[#=>*·_-][ #=>*.·_-]*[\])|]/u

/** Whether the text has a bar that shows progress, and not only a decoration. */
export const hasBar = (text: string): boolean => BAR.test(text)

const EMPTY = /[[(|] [\])|]/

/** Whether the text may hold a bar in which nothing is drawn yet. */
export const hasEmptyBar = (text: string): boolean => EMPTY.test(text)

const OTHER_FIGURES = /[٠-٩۰-۹०-९০-৯๐-๙０-９％٪﹪／：]|(?<=\d)[\u202f'’](?=\d{3}(?!\d))/gu
/**
 * Large numbers whose digits are grouped by spaces or dots, as in "1 234 / 12 000" and "960 von 12.000". But
 * "frame 3/10 512" is the third frame of ten, and "4.899/9.000" are decimals unless a word says what they count.
 */
const GROUPED = new RegExp(
  `(?<![\\w.,:/-])(?:${[
    "\\d{1,3}(?: \\d{3})+ ?\\/ ?\\d{1,3}(?: \\d{3})+",
    "\\d{1,3} \\/ \\d{1,3}(?: \\d{3})+(?=$|[)\\],;])",
    "\\d{1,3}(?: ?\\/ ?| (?:von|van|de|di|sur|av|af) )[1-9]\\d{0,2}\\.\\d{3}",
    "[1-9]\\d{0,2}\\.\\d{3} (?:von|van|de|di|sur|av|af) [1-9]\\d{0,2}\\.\\d{3}",
    "(?<=(?:image|frame|bild|tile|sample|step|file|song)s? )[1-9]\\d{0,2}\\.\\d{3} ?\\/ ?[1-9]\\d{0,2}\\.\\d{3}",
  ].join("|")})(?![\\w.,%]| ?(?:[kmgt]i?b|s|sec)\\b)`,
  "giu",
)
const SIGNS: Readonly<Record<string, string>> = {
  "％": "%",
  "٪": "%",
  "﹪": "%",
  "／": "/",
  "：": ":",
  "\u202f": ",",
  "'": ",",
  "’": ",",
}
/** Where the digits of other scripts begin. */
const ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10] as const

/**
 * A text with its figures and signs in ASCII, and with commas in large numbers: "９２％" becomes "92%". Its length stays
 * the same.
 */
export const withPlainFigures = (text: string): string =>
  text
    .replace(OTHER_FIGURES, (character) => {
      const code = character.charCodeAt(0)
      const zero = ZEROS.find((first) => code >= first && code <= first + 9) ?? code
      return SIGNS[character] ?? String(code - zero)
    })
    .replace(GROUPED, (count) => count.replace(/(?<=\d)[ .](?=\d{3})/gu, ","))

/**
 * The part of a text that stays when its figures change and its bar grows: words, and names with digits in
 * them. Numbers with their units, times and durations become "0", and bytes become "0b".
 */
export const shapeOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(DRAWING, " ")
    .replace(GLYPHS, " ")
    .replace(/(?<![\p{L}\p{N}_])\d+[dhms](?:\d+[hms])*\b/gu, "0")
    // Where words are not spaced, a figure between two of them is no part of a name.
    .replace(/(?<=[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])\d[\d.,]*/gu, " 0 ")
    .replace(/(?<![\p{L}\p{N}_])\d[\d.,:]* ?(?:[kmgt]i?)?b\b/gu, "0b")
    .replace(/(?<![\p{L}\p{N}_])\d(?!b\b)[\d.,:]*(?: ?[kmgt]i?\b)?/gu, "0")
    .replace(/[|()[\]<>{},;=…-]+/gu, " ")
    // A stroke that turns while something goes on.
    .replace(/(?<!\S|\d )[/\\](?!\S)/gu, " ")
    .replace(/\s+/gu, " ")
    .trim()

/** The time at the head of a log's line, with its zone. */
const TIMESTAMP =
  /^\[?\d{4}-\d\d-\d\d[T ][\d:.,]+ ?(?:[+-]\d\d:?\d\d|Z)?\]?|[A-Z][a-z]{2} \d\d? \d\d:\d\d:\d\d \d{4}/
const CELL = /^[|([]?[-+~]?\d[\d.,:]*(?:%|[a-z]{1,4}(?:\/s)?)?[|)\],]?$/i

/** A duration in several words, which is one figure: "0h 12m 8s". */
const DURATION = /(?<![\w.])(?:\d+ ?(?:d|h|m|s|hrs?|mins?|secs?) ){1,3}\d+ ?(?:m|s|mins?|secs?)(?!\w)/gi

/** A figure and its unit, which may stand apart: "27 %, 8123 MiB". */
const APART = /(\d) (?=%|(?:[kmgt]i?b|w|mhz)(?![a-z]))/gi

/** A row whose cells have lines between them, as in "| song | 45% | done |". If it begins with its progress, it does not count. */
const LINED = /^[|│┃](?![^|│┃]*(?:%|\d ?\/ ?\d))(?: [^|│┃]+ [|│┃]){2,}$/u

/**
 * Whether the text is a row of a table: three or more figures beside each other, figures without any word, or cells with
 * lines between them.
 */
export function isTableRow(text: string): boolean {
  if (LINED.test(text)) return true
  let [run, longest, figures] = [0, 0, 0]
  const words = text.replace(TIMESTAMP, "").replace(DURATION, "0s").replace(APART, "$1").trim().split(" ")
  for (const word of words) {
    const isCell = CELL.test(word)
    run = isCell ? run + 1 : 0
    longest = Math.max(longest, run)
    if (isCell) figures += 1
  }
  return longest >= 3 || (figures === words.length && figures > 1)
}
