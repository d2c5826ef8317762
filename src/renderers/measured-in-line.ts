/**
 * Names of what can be measured and is no progress: "CPU 45%", "accuracy: 91%", "VRAM 8.1/24 GB". A name counts only
 * directly before its figure, so that "CPU rendering: 45%" is progress.
 */
const MEASURED = [
  "cpu|gpu|ram|vram|mem|memory|swap|disk|battery|charge|fan|pwm\\d*|load|util|utili[sz]ation|usage|used|quota|occupancy",
  "acc|accuracy|precision|recall|f1|confidence|probability|score|rating|grade|similarity(?: index)?|match|ssim|vmaf|psnr",
  "quality|level|opacity|alpha|volume|gain|brightness|contrast|saturation|zoom|scale|dither|threshold|tolerance",
  "buffer|storage|humidity|temp|temperature|efficiency|coverage|loss|lost|idle|iowait|free|available|credits|limit",
  "(?:hit|success|pass|error|drop|miss|compression)[ -]rate|speed|throttled(?: to)?",
].join("|")
const MEASURED_BEFORE = new RegExp(`(?:^|[^\\p{L}\\p{N}])(?:${MEASURED}) ?(?:[:=(\\[|]|is|at)? ?$`, "iu")
/** Words after a figure that say what it measures: "45% used", "37% decrease", "50% of frames failed". */
const MEASURED_AFTER =
  /^ ?[)\]]?,? ?(?:of (?:the )?(?:[a-z]+ )?)?(?:used|in use|full|free|available|left|remaining|idle|lost|smaller|larger|bigger|reduction|decrease|increase|failed|missing|dropped|cpu|gpu|ram|vram|mem(?:ory)?|swap|disk|battery|accuracy|confidence|quality|opacity|volume|humidity|coverage|hit rate|utili[sz]ation|usage|packet loss|real-?time|target|original|full scale)\b(?![.\-_]\w| ?[:=]? ?\d)/iu

/** How often something was tried is not how far it is: "attempt 1/3", "Retrying (2/5)". */
const TRIED =
  "attempts?|re-?try(?:ing)?|retries|try|tries|trying(?: again)?|tentatives?|versuche?|reconnect(?:ing)?|redial(?:ing)?"
/** What there are several of at once: "GPU 1/2". Which of them a line is about says nothing of the work. */
const BESIDE =
  "gpus?|devices?|ranks?|workers?|threads?|cores?|hosts?|replicas?|pods?|slots?|ports?|channels?|queued?"
const RATED = "meter|signature|key|swing|dropped|failed|missing|waiting|sleep(?:ing)?|context"
/** A tag of a song, as programs print it for each file that they read. */
const TAG =
  /\btrack ?(?:number|no\.?|num)? ?[:=] ?\(?$|\btracknumber=$|\btrck\b.*[:=] ?$|\bposition(?: in set)?\)? ?: ?$|\(#$/iu
const COUNTED_BEFORE = new RegExp(
  `(?:^|[^\\p{L}\\p{N}])(?:${TRIED}|${BESIDE}|${RATED}|${MEASURED})(?: (?:no\\.?|number))?(?:\\.{3}|…)? ?[:=#(\\[]? ?$`,
  "iu",
)
const COUNTED_AFTER =
  /^ (?:[a-z]+ )?(?:attempts|retries|tries|failed|missing|dropped|ignored|hits?|lost|busy|waiting|queued|online|offline|idle|free|available|left|remaining|healthy|alive|connected)\b(?![.\-_]\w)|^ (?:requests|credits|points|stars|votes|gpus|devices|workers|threads|cores|hosts|replicas)\b(?![.\-_]\w)/iu

/** Whether the figure between these two parts of a line measures something else than progress. */
export const isMeasured = (before: string, after: string): boolean =>
  MEASURED_BEFORE.test(before) || MEASURED_AFTER.test(after)

/** Whether the "n of m" between these two parts of a line counts something else than what is done. */
export const isCountedBeside = (before: string, after: string): boolean =>
  COUNTED_BEFORE.test(before) || TAG.test(before) || COUNTED_AFTER.test(after)
