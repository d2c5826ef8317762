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
}

/** The most pairs of a line; if it has more, it is a table. */
const MAX_PAIRS = 8

const NUMBER = "(\\d{1,3}(?:,\\d{3}){1,2}|\\d{1,9})"
const BEGINS = "(?<![\\w.,/\\\\+-]|\\d:)"
const ENDS = "(?![\\w/\\\\%&-]|[.,:]\\w)"
const SLASH = new RegExp(`${BEGINS}${NUMBER} ?/ ?${NUMBER}${ENDS}`, "gu")
const OF = new RegExp(
  `${BEGINS}${NUMBER} (?:(?:out )?of|von|aus|van|de|di|sur|av|af|из|з) ${NUMBER}${ENDS}`,
  "giu",
)
/** "第12帧/共240帧", and the total first: "240フレーム中12フレーム目". */
const OF_ALL = /第 ?(\d{1,9}) ?\p{L}?[ /,，、]*共 ?(\d{1,9})(?![\d.])/gu
const TOTAL_FIRST =
  /(?<![\d.,])(\d{1,9}) ?(?:フレーム|コマ|枚|件|個|曲|프레임|개|장) ?[中중]の? ?(\d{1,9})(?![\d.,:%])/gu
const UNSPACED = /[共中중]/u
/** Two values of one object: {"frame": 12, "total": 240}, {"current_step": 3, "total_steps": 20}. */
const KEYED =
  /(["'](?:current_?)?(?:frame|image|step|item|tile|sample|scene|segment|chunk|current|rendered|completed|processed|done)s?["'] ?: ?)(\d{1,9}),[^{}[\]]{0,60}?["']total_?(?:frame|image|step|item|tile|sample|scene|segment|chunk|count)?s?["'] ?: ?(\d{1,9})(?![\d.])/giu
/** The messages of ComfyUI's server: {"type": "progress", "data": {"value": 5, "max": 20}}. */
const OF_MOST =
  /(["']progress["'][^}]{0,30}["']value["'] ?: ?)(\d{1,9}), ?["']max["'] ?: ?(\d{1,9})(?![\d.])/giu
const IN_OBJECT = /["'](?:total|max)/iu

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

const turned = (pair: Pair): Pair => ({ ...pair, n: pair.total, total: pair.n })

/** The pairs of a line, if there are not too many: "3 of 5", "3/5", "12 von 240", {"frame": 12, "total": 240}. */
export function pairsIn(text: string): Pair[] {
  const pairs = [...pairsOf(text, OF), ...pairsOf(text, SLASH)]
  if (UNSPACED.test(text)) pairs.push(...pairsOf(text, OF_ALL), ...pairsOf(text, TOTAL_FIRST).map(turned))
  if (IN_OBJECT.test(text)) pairs.push(...pairsBehind(text, KEYED), ...pairsBehind(text, OF_MOST))
  return pairs.length > MAX_PAIRS ? [] : pairs
}
