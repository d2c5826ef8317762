/** Measured values that are not progress: "CPU 45%", "accuracy: 91%", "VRAM 8.1/24 GB". */
const MEASURED = [
  "cpu|gpu|ram|vram|mem|memory|swap|disk|battery|charge|fan|pwm\\d*|load|util|utili[sz]ation|mfu|usage|used|quota|occupancy",
  "acc|accuracy|precision|recall|f1|confidence|probability|score|rating|grade|similarity(?: index)?|match|ssim|vmaf|psnr",
  "quality|opacity|alpha|gain|brightness|contrast|saturation|zoom|scale|dither|threshold|tolerance",
  "buffer|storage|humidity|temp|temperature|efficiency|coverage|loss|lost|idle|iowait|free|available|credits|(?:rate-?)?limit",
  "noise|dropped|reserved|allocated|committed|heap|rss|swapping|clipped(?: samples)?|realtime|strength|intensity|sharpness|overlap|dropout",
  "\\p{L}*auslastung|\\p{L}*speicher|akku|belegt|mémoire|processeur|disque|batterie|memoria|batería|disco",
  "(?:hit|success|pass|error|drop|miss|compression)[ -]rate|speed|throttled(?: to)?|(?:compression|noise) level|deflated|deduplicated|ratio",
].join("|")
/**
 * A name counts only directly before its figure, and only if it is not the object of the work: "CPU
 * rendering: 45%", "writing to disk: 45%" and "rendering score 45%" are progress.
 */
const UNWORKED =
  "(?<!\\b(?:to|into|onto|from|via) )(?:(?<=\\b(?:running|remaining) )|(?<!\\p{L}{3}ing (?:the )?))"
const BEGINS = `(?:^|[^\\p{L}\\p{N}])${UNWORKED}`
const ENDS = "(?: (?:no\\.?|number))?(?:\\.{3}|…)? ?(?:[:=#(\\[|]|\\[[|#=. ]+|is|at)? ?$"
/**
 * The size of a file and its part of another, "predicted size 12.3 MB (45%)", "12 MB => 45%" or "12 MB -> 9 MB 45%", or
 * what stands behind a folder's name. Without a unit, only large numbers are sizes: "24 -> 60: 45%" is progress.
 */
const SIZED = [
  "^/[\\w/-]*:? $",
  "\\bsize ?[:=]? ?[\\d.]+ ?[kmgt]i?b,? ?\\(?$",
  "\\d ?[kmgt]?i?b ={1,2}> ?$",
  "(?:\\d ?[kmgt]?i?b|\\d{5}) -{1,2}> [\\d.,]+,? ?\\(?$",
  "\\d ?(?:bytes|[kmgt]?i?b)? -{1,2}> [\\d.,]+ ?(?:bytes|[kmgt]?i?b),? ?\\(?$",
].join("|")
const MEASURED_BEFORE = new RegExp(`${SIZED}|${BEGINS}(?:${MEASURED}|level|volume)${ENDS}`, "iu")
/** Words after a figure that say what it measures: "45% used", "37% decrease", "50% of frames failed". */
const MEASURED_AFTER =
  /^ ?[)\]]?,? ?(?:of (?:the )?(?:[a-z]+ )?)?(?:used|in use|lost|smaller|larger|bigger|reduction|decrease|increase|failed|missing|dropped|match|identical|similar|packet loss)\b(?![.\-_]\w| ?[:=]? ?\d)/iu
const RESOURCE =
  "(?:cpu|gpu|ram|vram|mem(?:ory)?|swap|disk|battery|accuracy|confidence|quality|opacity|volume|humidity|coverage|hit rate|utili[sz]ation|usage|real-?time|target|original|full scale|speed|full|free|available|left|remaining|idle)"
/** Others say so only at the end of what is said, as "45% CPU", or after "of": "45%, memory usage 3 GB" is progress. */
const RESOURCE_AFTER = new RegExp(
  `^ ?[)\\]]?,? ?(?:of (?:the )?(?:[a-z]+ )?${RESOURCE}\\b|${RESOURCE} ?(?:$|[,;)\\]|]))`,
  "iu",
)

/** The number of tries is not progress: "attempt 1/3", "Retrying (2/5)". */
const TRIED =
  "attempts?|re-?try(?:ing)?|retries|try|tries|trying(?: again)?|tentatives?|versuche?|reconnect(?:ing)?|redial(?:ing)?"
/**
 * Things of which there are several at once: "GPU 1/2". The number of one of them says nothing of the work.
 */
const BESIDE = "gpus?|devices?|ranks?|workers?|threads?|cores?|hosts?|replicas?|pods?|slots?|ports?"
const RATED = "meter|signature|key|swing|dropped|failed|missing|waiting|sleep(?:ing)?|context"
const COUNTED_BEFORE = new RegExp(
  `(?:^|[^\\p{L}\\p{N}])(?:${TRIED}|${BESIDE}|${RATED})${ENDS}|${BEGINS}(?:${MEASURED})${ENDS}`,
  "iu",
)
/** A tag of a song, as programs print it for each file that they read. */
const TAG =
  /\btrack ?(?:number|no\.?|num)? ?[:=] ?\(?$|\btracknumber=$|\btrck\b.*[:=] ?$|\bposition(?: in set)?\)? ?: ?$|\(#$/iu
const COUNTED_AFTER =
  /^ (?:[a-z]+ )?(?:attempts|retries|tries|failed|missing|dropped|ignored|hits?|lost|busy|waiting|queued|online|offline|idle|free|available|left|remaining|healthy|alive|connected)\b(?![.\-_]\w)/iu
/** Things that are used, and measures: "3/10 credits", "24/32 bits". */
const USED_AFTER =
  /^ (?:[a-z]+ )?(?:requests|credits|points|stars|votes|gpus|devices|workers|threads|cores|hosts|replicas|pods|containers|context|inch(?:es)?|mm|cm|px|bits?|k?hz|db)\b(?![.\-_]\w)/iu

/** The work that a count is about: "Processed 3/10 requests" is progress. */
const WORKED = /(?:render|encod|convert|export|process|mux|generat|finish|complet)\p{L}*:? ?\(?$/iu
/** What is saved of a size: "12 kB - 45% = 7 kB". */
const [SAVED_BEFORE, SAVED_AFTER] = [/\d ?[kmgt]?i?b - ?$/iu, /^ ?= ?[\d.]+ ?[kmgt]?i?b\b/iu]
/** The code that a percentage begins: "45% { opacity: 0 }". Behind words, '45% {"fps": 24}' is progress. */
const [CODE_BEFORE, CODE_AFTER] = [/^\s*$/u, /^ ?\{(?:$| ?[a-z-]+ ?:)/iu]

/** Whether the figure between these two parts of a line measures something other than progress. */
export const isMeasured = (before: string, after: string): boolean =>
  MEASURED_BEFORE.test(before) ||
  MEASURED_AFTER.test(after) ||
  RESOURCE_AFTER.test(after) ||
  (SAVED_BEFORE.test(before) && SAVED_AFTER.test(after)) ||
  (CODE_BEFORE.test(before) && CODE_AFTER.test(after))

/** Whether the "n of m" between these two parts of a line counts something other than finished work. */
export const isCountedBeside = (before: string, after: string): boolean =>
  COUNTED_BEFORE.test(before) ||
  TAG.test(before) ||
  COUNTED_AFTER.test(after) ||
  (USED_AFTER.test(after) && !WORKED.test(before))

const WORDS = /[a-z]{2,}/iu
/** Words of work: what is being done, what it is done to, or how much of it is; some of other languages, too. */
const WORK = new RegExp(
  [
    "(?<!\\p{L})\\p{L}{3,}ing\\b|percent(?!\\p{L})",
    "progres|fortschr|avanc|voortgang|ilerle|fertig|erledigt|rendu|kodier",
    "\\b(?:done|complete|finish|render|encod|convert|export|process|build|built|mux|mix|cop(?:y|ied)|upload|sent|install|total)",
    "\\b(?:all|step|pass|frame|image|song|video|scene|layer|tile|sample|chunk|job|task|item|file)s?\\b",
  ].join("|"),
  "iu",
)

/** Whether the words of a line name something, and say nothing of work. */
export const isNoun = (text: string): boolean => WORDS.test(text) && !WORK.test(text)
