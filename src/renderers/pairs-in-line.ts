import { isNoun, saysWork } from "./measured-in-line.ts"

/** Two numbers of a line, as in "3 of 5". */
export interface Pair {
  /** The first one: which, or how many. */
  readonly n: number
  /** The second one: of how many. */
  readonly total: number
  /** As the line shows them. */
  readonly text: string
  /** Where they begin in the line. */
  readonly at: number
  /** Where the key of the first one begins, if it does not say what it counts; undefined otherwise. */
  readonly from?: number | undefined
}

/** The most pairs of a line; if it has more, it is a table. */
const MAX_PAIRS = 8

const NUMBER = "(\\d{1,3}(?:,\\d{3}){1,2}|\\d{1,9})"
const BEGINS = "(?<![\\w.,/\\\\+*-]|\\d:)"
const ENDS = "(?![\\w/\\\\%&-]|[.,:]\\w)"
const SLASH = new RegExp(`${BEGINS}${NUMBER} ?/ ?${NUMBER}${ENDS}`, "gu")
const OF = new RegExp(
  `${BEGINS}${NUMBER} (?:(?:out )?of|von|aus|van|de|di|sur|av|af|ze?|din|dari|จาก|trên|από|מתוך|из|з) ${NUMBER}${ENDS}`,
  "giu",
)
/** "第12帧/共240帧", and the total first: "240フレーム中12フレーム目". */
const OF_ALL = /第 ?(\d{1,9}) ?\p{L}?[ /,，、]*共 ?(\d{1,9})(?![\d.])/gu
const TOTAL_FIRST =
  /(?<![\d.,])(\d{1,9}) ?(?:フレーム|コマ|枚|件|個|曲|프레임|개|장|곡) ?[中중]の? ?(\d{1,9})(?![\d.,:%])/gu
const UNSPACED = /[共中중]/u
/** A key and its number, in JSON or in a log: "frame": 12, totalFrames: 240, frames_done=12, but no size or time. */
const KEYED =
  /(?<![\w.-])(["']?)([a-z]\w{0,30})\1 ?[:=] ?(\d{1,9})(?![\w:/%]|\.\d| (?:[kmgt]?i?b(?:its?|ytes?|ps)?|[mµn]?s|sec(?:ond)?s?)\b)/giu
/** Words of a key that say how far the counted things are. */
const STATES = "current|done|completed?|processed|rendered|finished|encoded|exported|saved|written"
const STATE = new RegExp(`^(?:${STATES})$`, "u")
/** What "total" alone may be of. */
const COUNTED = /^(?:frame|image|step|item|tile|sample|scene|segment|chunk)?$/u
/** Things that are rendered, and not only measured. */
const RENDERED = /^(?:frame|image|tile|scene)$/u
/** The messages of ComfyUI's server: {"type": "progress", "data": {"value": 5, "max": 20}}. */
const OF_MOST =
  /(["']progress["'][^}]{0,30}["']value["'] ?: ?)(\d{1,9}), ?["']max["'] ?: ?(\d{1,9})(?![\d.])/giu
/** The keys of a line. What is left are its values, and words that belong to no key. */
const KEYS = /[a-z]\w*=|["'][a-z]\w*["'] ?:/giu
const IN_OBJECT = /total\w{0,12}["']? ?[:=]|["']max/iu

const numberOf = (digits = ""): number => Number(digits.replaceAll(",", ""))

const pairsOf = (text: string, pattern: RegExp): Pair[] =>
  [...text.matchAll(pattern)].map(({ 0: all, 1: n, 2: total, index }) => ({
    n: numberOf(n),
    total: numberOf(total),
    text: all,
    at: index,
  }))

/** The pairs behind a key or another beginning, which is the first group of the pattern. */
const pairsBehind = (text: string, pattern: RegExp): Pair[] =>
  [...text.matchAll(pattern)].map(({ 0: all, 1: key = "", 2: n, 3: total, index }) => ({
    n: numberOf(n),
    total: numberOf(total),
    text: all.slice(key.length),
    at: index + key.length,
  }))

/** The words of a key, in the singular: "framesRendered" is "frame" and "rendered". */
const wordsOf = (key: string): string[] =>
  key
    .replace(/(?<=[a-z])(?=[A-Z])/gu, "_")
    .toLowerCase()
    .split("_")
    .map((word) => word.replace(/s$/u, ""))

/** A key of a line, and its number. */
interface Key {
  readonly at: number
  /** Where it begins, if it does not say what it counts; undefined otherwise. */
  readonly from: number | undefined
  readonly digits: string
  /** What it counts; empty if it does not say so. */
  readonly things: string
  readonly isTotal: boolean
  /** Whether it says how far the things are. */
  readonly isState: boolean
  /** Whether it says only which one is current. */
  readonly isCurrent: boolean
  /** Whether it stands in quotes, as in JSON. */
  readonly isQuoted: boolean
}

/** The keys of a line that count the same as a total in the same object, whichever comes first. */
function pairsOfKeys(text: string): Pair[] {
  const all = [...text.matchAll(KEYED)].map(({ 0: said, 1: quote, 2: key = "", 3: digits = "", index }) => {
    const words = wordsOf(key)
    const things = words.filter((word) => word !== "total" && !STATE.test(word)).join("_")
    const at = index + said.length - digits.length
    return {
      at,
      from: things === "" ? index : undefined,
      isQuoted: quote !== "",
      isCurrent: words.includes("current"),
      digits,
      things,
      isTotal: words.includes("total"),
      isState: words.some((word) => STATE.test(word)),
    }
  })
  const totals = all.filter(({ isTotal }) => isTotal)
  return all.flatMap((key) => {
    const { at, from, digits, things, isTotal, isState } = key
    if (isTotal || (!isState && !COUNTED.test(things))) return []
    const total = totals.find(
      (each) =>
        (each.things === things || each.things === "" || (things === "" && COUNTED.test(each.things))) &&
        !/[{}[\]]/u.test(text.slice(Math.min(at, each.at), Math.max(at, each.at))),
    )
    if (!total || (total.things === "" && !isOfWork(text, key))) return []
    return [{ n: numberOf(digits), total: numberOf(total.digits), text: digits, at, from }]
  })
}

/** Whether a key and a total that says nothing of what it is count work, as the words beside their keys show. */
function isOfWork(text: string, key: Pick<Key, "things" | "isQuoted" | "isCurrent" | "isState">): boolean {
  const { things, isQuoted, isCurrent, isState } = key
  if (isQuoted && !isCurrent) return true
  const rest = text.replace(KEYS, " ")
  return isQuoted || RENDERED.test(things) || (isState && !isCurrent) ? !isNoun(rest, 1) : saysWork(rest)
}

const turned = (pair: Pair): Pair => ({ ...pair, n: pair.total, total: pair.n })

/** The pairs of a line, if there are not too many: "3 of 5", "3/5", "12 von 240", {"frame": 12, "total": 240}. */
export function pairsIn(text: string): Pair[] {
  const pairs = [...pairsOf(text, OF), ...pairsOf(text, SLASH)]
  if (UNSPACED.test(text)) pairs.push(...pairsOf(text, OF_ALL), ...pairsOf(text, TOTAL_FIRST).map(turned))
  if (IN_OBJECT.test(text)) pairs.push(...pairsOfKeys(text), ...pairsBehind(text, OF_MOST))
  return pairs.length > MAX_PAIRS ? [] : pairs
}
