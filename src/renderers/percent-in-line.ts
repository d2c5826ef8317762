import { isMeasured, isNoun } from "./measured-in-line.ts"

/** A percentage in a line. */
export interface Percent {
  /** As a fraction, 0 to 1. */
  readonly fraction: number
  /** Where it begins in the text. */
  readonly at: number
  /** Where it ends in the text. */
  readonly end: number
  /** Whether its words say that it measures something other than progress: "CPU 45%". */
  readonly isMeasured: boolean
  /** What it is a part of, if that tells bars apart: the whole time of "1:23 / 3:45"; absent otherwise. */
  readonly whole?: string | undefined
}

/** "1.67%/s" is a rate. */
const ANY = /\d ?%(?![\w%]|\/s)/gu
/** What stands in brackets at the head of a line is its progress, whatever is measured behind it. */
const HEAD = /^\[ ?\d{1,3}(?:[.,]\d+)? ?%\]/u
/** So is the bar of tqdm, "45%|####  | 9/20 [00:01<00:02, loss=30%]". */
const TQDM = /^[^%|]*\d%\|[^%|]*\| ?[\d.]+\w?\/[\d.]+\w? \[/u
/** The sign comes first in some languages: "%45". It does so in addresses as well, but not after a space. */
const SIGN_FIRST = /(?:^|[ :([])% ?(\d{1,3}(?:[.,]\d\d?)?)(?![\w%.,])/gu
const PERCENT = /(?<![\w.,+/-]|\d:|[?&]\w{1,20}=)(\d{1,3}(?:\.\d+|,\d\d?)?) ?%(?![\w%]|\/s)/u
/** "(45.00/100%)" */
const OF_HUNDRED = /(?<![\w.,+/-]|\d:)(\d{1,3}(?:\.\d+)?) ?\/ ?100 ?%(?![\w%]|\/s)/u
const EACH = new RegExp(PERCENT.source, "giu")
/** "progress: 45", "percentage: 45", "Percentage of rendering done: 45", but not "cpu_percent: 45". */
const WORD =
  /(?<![\p{L}\p{N}])(?:progress|(?<![_.])pct(?==)|(?<!_)percent(?:age)?(?: of [\p{L} ]{1,30}(?:done|complete|completed|finished|rendered))?) ?[:=]? ?(\d{1,3}(?:\.\d+)?)(?![\w.:%/]|,\d| ?[/%]| (?:out )?of\b)/iu
/** In JSON, "percent" often means the load of a processor, not progress: {"cpu":{"percent":45}}. */
const IN_JSON = /(?:"progress"|'progress') ?: ?(\d{1,3}(?:\.\d+)?)(?= ?(?:[,}]|$))/giu
/** A key of two words or more, which is never a fraction: "jobPercentComplete": 45, completion_percentage=45. */
const IN_KEY =
  /(?<![\w-])["']?(?:[a-z]{1,12}[_-]?)?(?:(?:progress|completion|completed?|done|finished|render(?:ing|ed)?)[ _-]?(?:percent(?:age)?|pct)|percent(?:age)?[ _-]?(?:completed?|done|finished|rendered))["']? ?[:=] ?(\d{1,3}(?:\.\d+)?)(?![\w.:%/]| ?[/%])/giu
const IN_WORDS =
  /(?<![\w.,+/-]|\d:)(\d{1,3}(?:\.\d+|,\d\d?)?) ?(?:(?:per|pour|por) ?cento?|por ciento|pro[csz]ent|процент(?:а|ов)?|パーセント|퍼센트)(?!\p{L})/iu
/** What is surely a percentage, and no fraction of 1. */
const SURE = new RegExp(`%|${IN_KEY.source}|${IN_WORDS.source}`, "iu")
const BYTES =
  /(?<![\w.,/\\+-])(\d{1,9}(?:[.,]\d{1,2}|\.\d+)?) ?(?:([kmgt])i?b)? ?(?:\/|of|von|de|di|sur|z|из) ?(\d{1,9}(?:[.,]\d{1,2}|\.\d+)?) ?([kmgt])i?b\b/iu
const UNITS = "kmgt"
/** A time, and its unit or minutes: "1:23", "00:01:23.50", "83.5 s", "1m23s". */
const TIME =
  "(?:\\d{1,3}:)?\\d{1,3}:\\d\\d(?:[.,]\\d{1,6})?|(?:\\d{1,2}h ?)?(?:\\d{1,3}m ?)?\\d{1,6}(?:\\.\\d{1,6})? ?(?:s|secs?|seconds)"
/** How much of the whole time is done: "1:23 / 3:45", "12.5s of 60.0s". The unit may stand once. */
const TIMES = new RegExp(
  `(?<![\\w.,:/<+-])(${TIME}|\\d{1,6}\\.\\d{1,6}) ?(?:/|out of|of|von|de|di|sur|z|из) ?(${TIME})(?![\\w:/%]|[.,]\\d)`,
  "giu",
)
/**
 * But how long something runs or took, of how long it may or mostly takes, is no progress: "rendering: elapsed 0:05 / 5:00",
 * "frame 3 rendered in 1.2s / 2.0s".
 */
const DURATION =
  /\b(?:elapsed|time-?out|took|limit|budget|avg|average|mean|eta|remaining|left)\b|\b(?:in|after|every|time):? ?$/iu
/** A line with more characters than this is not searched for times. */
const MOST_WITH_TIMES = 200
/** The most characters beside a figure that are searched for its name. */
const MAX_NAME = 40
/** The largest difference between a percentage and the bytes from which it was rounded. */
const ROUNDING = 0.02

/** How many percentages a line has. */
export const percentagesIn = (text: string): number =>
  HEAD.test(text) || TQDM.test(text)
    ? 1
    : text.includes("%")
      ? (text.match(ANY)?.length ?? text.match(SIGN_FIRST)?.length ?? 0)
      : 0

/** The one percentage of a line: "45 %", "45,5 %", "progress: 45", "12.3/45.6 MB"; undefined if there is none. */
export function percentIn(text: string): Percent | undefined {
  const percent = text.includes("%")
    ? (PERCENT.exec(text) ??
      OF_HUNDRED.exec(text) ??
      WORD.exec(text) ??
      text.matchAll(SIGN_FIRST).next().value)
    : (onlyOne([...text.matchAll(IN_KEY)]) ??
      WORD.exec(text) ??
      onlyOne([...text.matchAll(IN_JSON)]) ??
      IN_WORDS.exec(text))
  if (percent) {
    const value = Number(percent[1]?.replace(",", "."))
    const isPercentage = value <= 100 && (value > 1 || value === 0 || SURE.test(percent[0]))
    // "progress: 0.45" may be a fraction as well as a percentage, and "progress: 1" then is the end.
    return isPercentage ? namedByBytes(found(text, percent, value / 100), text) : undefined
  }
  return bytesIn(text)
}

/** Whether every percentage of a line measures something other than progress: "frame 3/10 cpu 45% mem 12%". */
export const areAllMeasured = (text: string): boolean =>
  [...text.matchAll(EACH)].every((each) => found(text, each, 0).isMeasured)

/** Two on one line are of two things. */
const onlyOne = <T>([one, ...more]: readonly T[]): T | undefined => (more.length === 0 ? one : undefined)

/** A percentage of measured bytes is not progress either: "Storage 60/100 GB (60%)". */
function namedByBytes(percent: Percent, text: string): Percent {
  const bytes = bytesIn(text)
  return bytes?.isMeasured && isAlike(percent, bytes) ? { ...percent, isMeasured: true } : percent
}

const numberOf = (text = ""): number => Number(text.replace(",", "."))

/** A number of bytes and its total: "12.3/45.6 MB", "900 kB / 1.2 GB". */
function bytesIn(text: string): Percent | undefined {
  const bytes = BYTES.exec(text)
  const [, done, unit, all, unitOfAll = ""] = bytes ?? []
  const [power, most] = [unit ?? unitOfAll, unitOfAll].map((each) => UNITS.indexOf(each.toLowerCase()))
  const fraction = (numberOf(done) / numberOf(all)) * 1024 ** ((power ?? 0) - (most ?? 0))
  return bytes && fraction <= 1 ? found(text, bytes, fraction) : undefined
}

/** The seconds of a time: "1:23" is 83, "1m23s" as well. */
const secondsIn = (time: string): number =>
  time.split(/[:hm]/).reduce((sum, part) => sum * 60 + Number.parseFloat(part.replace(",", ".")), 0)

const isDuration = (text: string, at: number): boolean =>
  DURATION.test(text.slice(0, at)) || DURATION.test(text.slice(at))

/** How far a song or a video is, if a line shows one pair of times; undefined otherwise. */
export function timesIn(text: string): Percent | undefined {
  if (text.length > MOST_WITH_TIMES) return undefined
  const times = onlyOne([...text.matchAll(TIMES)])
  const fraction = secondsIn(times?.[1] ?? "") / secondsIn(times?.[2] ?? "")
  // Without a word of work, it may be how long something waits or has run.
  return times && fraction <= 1 && !isDuration(text, times.index) && !isNoun(text, 0)
    ? { ...found(text, times, fraction), whole: times[2] }
    : undefined
}

/** Whether the bytes in a line say the same as its percentage; undefined if the line has none. */
export function isConfirmed(text: string, percent: Percent): boolean | undefined {
  const bytes = bytesIn(text)
  return bytes && !bytes.isMeasured ? isAlike(percent, bytes) : undefined
}

const isAlike = (a: Percent, b: Percent): boolean => Math.abs(a.fraction - b.fraction) <= ROUNDING

function found(text: string, match: RegExpExecArray, fraction: number): Percent {
  const end = match.index + match[0].length
  return { fraction, at: match.index, end, isMeasured: isMeasuredAt(text, match.index, end) }
}

const isMeasuredAt = (text: string, at: number, end: number): boolean =>
  isMeasured(text.slice(Math.max(0, at - MAX_NAME), at), text.slice(end, end + MAX_NAME))
