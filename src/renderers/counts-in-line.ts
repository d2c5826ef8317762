import { hasBar } from "./drawn-in-line.ts"
import { isCountedBeside } from "./measured-in-line.ts"
import { type Pair, pairsIn } from "./pairs-in-line.ts"

/** A count as a line shows it: this many of that many. */
export interface Count {
  /** The number of the current one, or how many are done. */
  readonly n: number
  /** How many there are. */
  readonly total: number
  /** What is counted, in the plural. */
  readonly name: string
  /** How counts nest: one of a lower rank contains one of a higher rank. */
  readonly rank: number
  /** Whether its noun is one of work, such as image, frame, step. */
  readonly isWork: boolean
  /** Whether it names a step, as in "[1/4] Resolving" at the start of a line, or in "Rendering 1 of 4". */
  readonly isHead: boolean
  /** Where it stands in the text. */
  readonly at: number
  /** Where it ends in the text. */
  readonly end: number
}

/** Nouns of work, from the outermost: "frame 12/300, tile 3/4" is tile 3 of frame 12. */
const NOUNS: readonly string[] = [
  "job|task|item",
  "song|video|movie|album",
  "track|clip|file|page|slide|document|model|epoch",
  "scene|shot|verse|chapter|sentence|paragraph|section|segment|chunk|part|pass|phase|stage|round",
  "image|img|picture|photo|frame|batch",
  "view|layer|object|node",
  "step|iteration",
  "tile|line",
  "sample",
]
/** The rank of a count without a known noun: within images and frames. */
export const OTHER_RANK = NOUNS.length
/** The rank of a count that names a step, if nothing else was counted before it. */
const HEAD_RANK = -1
/** From this rank on, things are parts of what was counted before them on the line: steps, tiles, lines, samples. */
const PART_RANK = NOUNS.findIndex((nouns) => nouns.startsWith("step"))
/** The distance between a part and what contains it. */
const HALF = 0.5

/** The most characters before a count that are searched for its name. */
const MAX_BEFORE = 40
/** The largest difference between a percentage and the count from which it was rounded. */
const ROUNDING = 0.01

/** Whether two numbers and a fraction (0 to 1) of a line say the same. */
export const isOf = ({ n, total }: Pick<Pair, "n" | "total">, fraction: number): boolean =>
  Math.abs(n / total - fraction) <= ROUNDING

const BEFORE = new RegExp(
  `\\b(?:sub|pre|key|mini|time)?-?(${NOUNS.join("|")})(?:s|es)?["']? ?[:=#]? ?(?:\\d+ \\()?$`,
  "iu",
)
/** A line at the start of each step that has its number but no noun: "Rendering 1 of 4". */
const DOING =
  /(?<!\p{L})(?!using|waiting|sleeping|starting|missing|remaining|during|nothing|string)\p{L}{3,}ing:? ?\(?$/iu
/** The same with the name of what is worked on, and the number in brackets at the end: "Bouncing 'Bass' (2/8)". */
const DOING_THIS =
  /^(?!using|waiting|sleeping|starting|missing|nothing|(?:re)?trying|connecting)\p{L}{3,}ing (?=[^%]*\p{L})[^%=:]* [([]$/iu
const IS_LAST = /^[)\]][.…\s]*$/u
const IN_BRACKETS = /^(?:\[\d+ ?\/ ?\d+\]|\(\d+ ?\/ ?\d+\))/u
const AFTER = /^ ([a-z]{2,}s)\b(?!=)/iu
const CLOCK_BEFORE = /\d:\d\d(?:[.,]\d+)? $/u
const CLOCK_AFTER = /^ \d\d?:\d\d/u

const rankOf = (noun: string): number => {
  const rank = NOUNS.findIndex((nouns) => nouns.split("|").includes(noun))
  return rank === -1 ? OTHER_RANK : rank
}

const plural = (noun: string): string => (/(?:ss|tch)$/u.test(noun) ? `${noun}es` : `${noun}s`)
const singular = (name: string): string => name.replace(/(?<=tch|ss)es$|s$/u, "")

/** Whether "05/12" is a date, as the clock beside it shows. */
function isDateBetween(before: string, count: string, after: string): boolean {
  if (CLOCK_BEFORE.test(before)) return /^\d\d\D+\d\d$/.test(count)
  // Behind a bar, "3/10 0:00:12" is a count and the time left.
  return CLOCK_AFTER.test(after) && /^\d\d?\D+\d\d?$/.test(count) && !hasBar(before)
}

/** Whether a line says what is being done, and ends with its number in brackets. */
const isOfThis = (text: string, before: string, after: string): boolean =>
  IS_LAST.test(after) && text.startsWith(before) && DOING_THIS.test(before)

function countFrom(text: string, { n, total, text: said, at, from }: Pair): Count | undefined {
  if (total === 0 || n > total) return undefined
  const before = text.slice(Math.max(0, at - MAX_BEFORE), at)
  const after = text.slice(at + said.length)
  const isDate = isDateBetween(before, said, after)
  const named = BEFORE.exec(before)?.[1]?.toLowerCase()
  // "Frame 3/10 failed" is the third frame, but "3/10 frames failed" are three that failed.
  const isBeside =
    isCountedBeside(before, named === undefined ? after : "") ||
    (from !== undefined && isCountedBeside(text.slice(Math.max(0, from - MAX_BEFORE), from), ""))
  if (isDate || isBeside) return undefined
  const noun = named ?? singular(AFTER.exec(after)?.[1]?.toLowerCase() ?? "")
  const rank = rankOf(noun)
  const isWork = rank < OTHER_RANK
  const isHead =
    !isWork && (at === 1 ? IN_BRACKETS.test(text) : DOING.test(before) || isOfThis(text, before, after))
  return {
    n,
    total,
    name: isWork ? plural(noun) : "steps",
    rank: isHead ? HEAD_RANK : rank,
    isWork,
    isHead,
    at,
    end: at + said.length,
  }
}

/** Whether two counts are one place in a grid, "[1/4, 2/4]": nothing says which of them contains the other. */
const isOfGrid = (text: string, a: Count, b: Count): boolean =>
  !a.isWork && !b.isWork && text.slice(Math.min(a.end, b.end), Math.max(a.at, b.at)) === ", "

/** A count without a noun contains the first of the parts behind it: "[2/50] sample 8/8" is a sample of the second. */
function around(count: Count, all: readonly Count[]): Count {
  if (count.rank !== OTHER_RANK) return count
  const parts = all.filter(({ rank, at }) => rank >= PART_RANK && rank < OTHER_RANK && at > count.at)
  return parts.length === 0 ? count : { ...count, rank: Math.min(...parts.map(({ rank }) => rank)) - HALF }
}

/** The counts of a line, the outermost first: "frame 3 of 5", "[3/5]", "3/5 images". */
export function countsIn(text: string): Count[] {
  return pairsIn(text)
    .flatMap((pair) => countFrom(text, pair) ?? [])
    .filter((count, _i, all) => all.length === 1 || !all.some((other) => isOfGrid(text, count, other)))
    .map((count, _i, all) => around(count, all))
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
}

/**
 * Whether a fraction (0 to 1) is that of a pair that counts no finished work: "Dropped frames: 12/300 (4%)".
 * `counts` are those of the line.
 */
export const isOfOther = (text: string, fraction: number, counts: readonly Count[]): boolean =>
  pairsIn(text).some((pair) => isOf(pair, fraction) && !counts.some(({ at }) => at === pair.at))

/** How many of the counted things are done while the current one is under way. */
export const begunOf = ({ n }: Count): number => Math.max(0, n - 1)

/** How far counts are together, the outermost first, if the innermost thing has reached this fraction; all 0 to 1. */
export const nestedIn = (counts: readonly Count[], fraction: number): number =>
  counts.reduceRight((inner, count) => (begunOf(count) + inner) / count.total, fraction)

// A line that is only "name: 7/12" shows a property, not progress.
const PROPERTY = /^[\p{L}\p{N} _()/-]+ ?[:=] ?\d+ ?(?:\/|of) ?\d+$/u
/**
 * Not in a path ("out/done/3.png"), and not in a negation or an announcement: "not done", "to be saved",
 * "being rendered".
 */
const DONE =
  /(?<![\p{L}\p{N}_/\\.-]|(?<!\p{L})(?:not|be|being|nicht|pas|non|no|não|не|niet|nie) )(?:done|saved|finished|rendered|completed?|(?:trans|en)coded|exported|written|wrote|processed|converted|generated|created|drawn|baked|composited|denoised|upscaled|extracted|copied|uploaded|fertig|abgeschlossen|gespeichert|terminée?s?|enregistrée?s?|completat[oa]|completad[ao]s?|terminad[ao]s?|guardad[ao]s?|concluíd[ao]s?|salvat[ao]|voltooid|klaar|klar|færdig|valmis|hotovo|gotow[aey]?|ukończon[aoey]|kész|selesai|готов[аоы]?|обработан[аоы]?|сохран[её]н[аоы]?|заверш[её]н[аоы]?)(?![\p{L}\p{N}_/\\-]|\.[\p{L}\p{N}])|(?<![未待不])(?:完了|完成(?![度中])|완료)/iu

/**
 * One of several things by its number, without their total: "Pass 1", "Epoch 0". But "Frame 1", "scene 1" or "song 1" may
 * be the only one, and "pass 1.mp4" is the name of a file.
 */
const ORDINAL = /(?<!\p{L})(?:animation|pass|phase|stage|epoch) ?#?(\d+)(?!\.\w)(?:: |(?!\d)[^\d/]*$)/iu

/** The number of one of several things, if the text before a figure names it and not how many there are. */
export const ordinalIn = (before: string): string | undefined => ORDINAL.exec(before)?.[1]

/** The heading of one of several parts: "Pass 1: studying", "== Stage 1". */
const HEADING = /^[^\p{L}\d]{0,9}(?:animation|pass|phase|stage|epoch|step) ?#?(\d+)(?![\d./])/iu

/** The number of one of several parts, if a line is its heading. */
export const headingIn = (line: string): string | undefined => HEADING.exec(line)?.[1]

/** Whether a line is a name and its value, which need not be progress. */
export const isProperty = (text: string): boolean => PROPERTY.test(text)

/** Whether a line says that the counted thing is done, and not only begun. */
export const saysDone = (text: string): boolean => DONE.test(text)
