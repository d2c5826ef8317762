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
const BYTES = /(?<![\w.,/\\+-])(\d{1,9}(?:\.\d+)?) ?(?:[kmgt]i?b)? ?\/ ?(\d{1,9}(?:\.\d+)?) ?[kmgt]i?b\b/iu

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
  const bytes = BYTES.exec(text)
  const fraction = Number(bytes?.[1]) / Number(bytes?.[2])
  return bytes && fraction <= 1 ? found(bytes, fraction) : undefined
}

const found = (match: RegExpExecArray, fraction: number): Percent => ({
  fraction,
  at: match.index,
  end: match.index + match[0].length,
})
