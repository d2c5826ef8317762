import type { Report } from "../item/item.ts"
import { type LineReader, NO_EVIDENCE } from "./reader.ts"

const MAX_LINE_READ = 4096
const MAX_MESSAGE = 200

// Escape sequences. \p{Cc} stands for the escape character: a line holds no other control character but tabs.
const OVERWRITES = /\p{Cc}\[[\d;?]*[A-HJKSTfsu]/u
const ESCAPES = /\p{Cc}\[[0-?]*[ -/]*[@-~]|\p{Cc}\][^\p{Cc}]*\p{Cc}\\?|\p{Cc}[()][0-9A-Z]|\p{Cc}/gu

const PERCENT = /(?<![\w.,+/-])(\d{1,3}(?:\.\d+|,\d\d?)?) ?%(?![\w%])/gu
const WORD_PROGRESS = /\bprogress ?[:=]? ?(\d{1,3}(?:\.\d+)?)(?![\w.,%/]| ?\/| (?:out )?of\b)/iu
const SLASH = /(?<![\w.,/\\+-]|\d:)(\d{1,9}) ?\/ ?(\d{1,9})(?![\w/\\%-]|[.,:]\w| \d\d?:\d\d)/gu
const OF = /(?<![\w.,/\\+-])(\d{1,9}) (?:out )?of (\d{1,9})(?![\w/\\%-]|[.,:]\w)/giu
const BYTES = /(?<![\w.,/\\+-])(\d{1,9}(?:\.\d+)?) ?\/ ?(\d{1,9}(?:\.\d+)?) ?[kmgt]i?b\b/iu

/** What is a percentage of something else. */
const NO_PROGRESS =
  "cpu|gpu|v?ram|mem|memory|swap|disk|battery|load|usage|used|free|idle|volume|gain|opacity|alpha|quality|scaled?|zoom|width|height|loss|accuracy|confidence|threshold|ratio|cache|hits?|fast(?:er)?|slower|smaller|larger|saved|off|sure|overhead"
const OTHER_BEFORE = new RegExp(`(?:\\b|_)(?:${NO_PROGRESS})\\W{0,3}(?:(?:is|at|of|by|to) )?$`, "iu")
const OTHER_AFTER = new RegExp(`^\\)? ?(?:of )?(?:the )?(?:${NO_PROGRESS})\\b`, "iu")

const COUNTED_BEFORE =
  /\b(frame|image|img|picture|photo|step|sample|epoch|batch|file|scene|pass|part|page|chunk|segment|slide|clip|track|tile|task|item|iteration|layer|shot|song|verse|line|node|object|stage|phase|section|round|job|video)(?:s|es)? ?[:=#]? ?$/iu
const COUNTED_AFTER = /^ ([a-z]{2,}s)\b(?!=)/iu
const NOT_COUNTED = /^(?:is|was|has|as|its|this|fps|times|points|stars|pixels|inches|lbs|hrs)$/iu
const CLOCK_BEFORE = /\d:\d\d(?:[.,]\d+)? $/u

interface Percent {
  readonly value: number
  readonly at: number
}

interface Count {
  readonly done: number
  readonly total: number
  readonly name: string
  readonly at: number
  /** Its words say that it counts; a bare "3/4" may be anything. */
  readonly sure: boolean
}

function percentIn(text: string): Percent | undefined {
  for (const match of text.matchAll(PERCENT)) {
    const value = Number(match[1]?.replace(",", "."))
    const before = text.slice(Math.max(0, match.index - 24), match.index)
    const after = text.slice(match.index + match[0].length)
    if (value <= 100 && !OTHER_BEFORE.test(before) && !OTHER_AFTER.test(after))
      return { value, at: match.index }
  }
  const word = WORD_PROGRESS.exec(text)
  const value = Number(word?.[1])
  // "progress: 0.45" may be a share as well as a percentage.
  return word && value <= 100 && (value >= 1 || value === 0) ? { value, at: word.index } : undefined
}

function plural(noun: string): string {
  const name = noun.toLowerCase()
  return /(?:ss|tch)$/u.test(name) ? `${name}es` : `${name}s`
}

function countFrom(text: string, match: RegExpExecArray, written: "of" | "/"): Count[] {
  const [done, total] = [Number(match[1]), Number(match[2])]
  const before = text.slice(Math.max(0, match.index - 24), match.index)
  const after = text.slice(match.index + match[0].length)
  const date = CLOCK_BEFORE.test(before) && match[1]?.length === 2 && match[2]?.length === 2
  if (total === 0 || done > total || date) return []
  const noun = COUNTED_BEFORE.exec(before)?.[1]
  const [, behind = ""] = COUNTED_AFTER.exec(after) ?? []
  const listed = behind !== "" && !NOT_COUNTED.test(behind)
  if (written === "/" && behind !== "" && !listed && !noun) return []
  const boxed = before.endsWith("[") && after.startsWith("]")
  const name = noun ? plural(noun) : listed ? behind.toLowerCase() : "steps"
  return [
    { done, total, name, at: match.index, sure: written === "of" || boxed || listed || noun !== undefined },
  ]
}

const shareOf = ({ done, total }: Count): number => (done / total) * 100

const agree = (count: Count, percent: Percent): boolean => Math.abs(shareOf(count) - percent.value) <= 1

/** What one line tells: a share in percent, and what was counted when that is sure. */
interface Told {
  readonly share: number
  readonly count?: Count
}

function combine(percent: Percent, count: Count | undefined): Told {
  if (!count) return { share: percent.value }
  if (agree(count, percent)) return { share: shareOf(count), count }
  if (!count.sure) return { share: percent.value }
  // "epoch 3/10: 45%" is 45 % of the third; "45% (3/10 files)" is 45 % of all.
  const nested = ((Math.max(1, count.done) - 1 + percent.value / 100) / count.total) * 100
  return { share: count.at < percent.at ? nested : percent.value, count }
}

function bytesIn(text: string): Told | undefined {
  const match = BYTES.exec(text)
  const share = (Number(match?.[1]) / Number(match?.[2])) * 100
  return share <= 100 ? { share } : undefined
}

/** Believes a bare "3/4" once it has moved: a date, a time signature or a ratio does not. */
class Lines implements LineReader {
  readonly evidence = NO_EVIDENCE
  #bare: Count | undefined
  #message = ""

  read(line: string): Report | undefined {
    if (line.length > MAX_LINE_READ) return undefined
    // What comes after the cursor was moved, or the line erased, replaces what was there.
    for (const part of line.replaceAll("\t", " ").split(OVERWRITES).toReversed()) {
      const text = part.replace(ESCAPES, "").replace(/\s+/gu, " ").trim()
      const told = this.#tell(text)
      if (told) return this.#heard(told, text)
    }
    return undefined
  }

  #tell(text: string): Told | undefined {
    const percent = percentIn(text)
    const counts = [
      ...[...text.matchAll(OF)].flatMap((match) => countFrom(text, match, "of")),
      ...[...text.matchAll(SLASH)].flatMap((match) => countFrom(text, match, "/")),
    ]
    const count =
      counts.find(({ sure }) => sure) ??
      counts.find((each) => percent !== undefined && agree(each, percent)) ??
      counts[0]
    if (percent) return combine(percent, count)
    if (count?.sure) return { share: shareOf(count), count }
    if (count) return this.#moved(count) ? { share: shareOf(count), count } : undefined
    return bytesIn(text)
  }

  #moved(count: Count): boolean {
    const last = this.#bare
    this.#bare = count
    return last !== undefined && last.total === count.total && last.done < count.done
  }

  #heard({ share, count }: Told, text: string): Report | undefined {
    const message = text.slice(0, MAX_MESSAGE).toWellFormed()
    if (message === this.#message) return undefined
    this.#message = message
    const unit = count && { done: count.done, total: count.total, name: count.name }
    return { progress: Math.min(100, share), ...(unit && { unit }), message }
  }
}

/**
 * Reads progress from the output of any program: "45%", "45.5 %", "progress: 45", "frame 3 of 5", "[3/5]",
 * "12.3/45.6 MB", and bars that are drawn over and over. The line is the message.
 *
 * "n of m" counts n as done. Percentages of something else (CPU, volume), dates, paths, resolutions and ratios are
 * not read as progress. The lines tell nothing of success: `reached` is always null.
 */
export function lines(): LineReader {
  return new Lines()
}
