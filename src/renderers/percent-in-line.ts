/** A percentage in a line. */
export interface Percent {
  /** As a fraction, 0 to 1. */
  readonly fraction: number
  /** Where it begins in the text. */
  readonly at: number
  /** Where it ends in the text. */
  readonly end: number
}

const ANY = /\d ?%(?![\w%])/gu
const PERCENT = /(?<![\w.,+/-]|\d:)(\d{1,3}(?:\.\d+|,\d\d?)?) ?%(?![\w%])/u
const WORD = /\b(?:progress|percent(?:age)?) ?[:=]? ?(\d{1,3}(?:\.\d+)?)(?![\w.,:%/]| ?[/%]| (?:out )?of\b)/iu
const BYTES =
  /(?<![\w.,/\\+-])(\d{1,9}(?:\.\d+)?) ?(?:([kmgt])i?b)? ?\/ ?(\d{1,9}(?:\.\d+)?) ?([kmgt])i?b\b/iu
const UNITS = "kmgt"
/** How far a percentage may be from the bytes that it was rounded from. */
const ROUNDING = 0.02

/** How many percentages a line has. */
export const percentagesIn = (text: string): number => text.match(ANY)?.length ?? 0

/** The one percentage of a line: "45 %", "45,5 %", "progress: 45", "12.3/45.6 MB"; undefined if there is none. */
export function percentIn(text: string): Percent | undefined {
  const percent = PERCENT.exec(text) ?? WORD.exec(text)
  if (percent) {
    const value = Number(percent[1]?.replace(",", "."))
    const isPercentage = value <= 100 && (percent[0].includes("%") || value >= 1 || value === 0)
    // "progress: 0.45" may be a fraction as well as a percentage.
    return isPercentage ? found(percent, value / 100) : undefined
  }
  return bytesIn(text)
}

/** Bytes of all bytes: "12.3/45.6 MB", "900 kB / 1.2 GB". */
function bytesIn(text: string): Percent | undefined {
  const bytes = BYTES.exec(text)
  const [, done, unit, all, unitOfAll = ""] = bytes ?? []
  const [power, most] = [unit ?? unitOfAll, unitOfAll].map((each) => UNITS.indexOf(each.toLowerCase()))
  const fraction = (Number(done) / Number(all)) * 1024 ** ((power ?? 0) - (most ?? 0))
  return bytes && fraction <= 1 ? found(bytes, fraction) : undefined
}

/** Whether the bytes of all bytes in a line say the same as its percentage; undefined if the line lacks either. */
export function isConfirmed(text: string): boolean | undefined {
  const [percent, bytes] = [percentIn(text), bytesIn(text)]
  return percent && bytes && Math.abs(percent.fraction - bytes.fraction) <= ROUNDING
}

const found = (match: RegExpExecArray, fraction: number): Percent => ({
  fraction,
  at: match.index,
  end: match.index + match[0].length,
})
