/** Words with which programs name the cause of a failure. */
const CAUSE =
  /\b(?:error|exception|invalid|no such|matches no|not (?:found|divisible|supported|permitted|enough)|denied|cannot|can't|could(?: not|n't)|unable|fail(?:ed|ure)|unknown|unrecognized|missing|out of|no space|exceed(?:s|ed)|refused|timed? ?out|killed|aborted|segmentation fault|illegal instruction|crashed|panic(?:ked)?|fatal|corrupt(?:ed)?|unsupported|bad|does not|already in use|(?:is|not) a directory|interrupted|expired|no (?:\w+ )?licen[cs]es?)\b/i
/** The same words in other languages. */
const CAUSE_ABROAD =
  /(?<!\p{L})(?:fehler|fehlgeschlagen|(?:nicht|konnte nicht) gefunden|ungültig\p{L}*|verweigert|erreurs?|introuvables?|impossible (?:de|d')|échec|échou\p{L}+|refusée?s?|falló|fallid[oa]|inválid[oa]s?|no se (?:encontr|pu[de])\p{L}*|errore|impossibile|non trovat[oa]|fallit[oa]|erro|não encontrad[oa]|falhou|falha|fout|mislukt|niet gevonden|błąd|nie (?:znaleziono|można)|hata|ошибк[аи]|не (?:найден\p{L}?|удалось)|сбой)(?!\p{L})|エラー|失敗|見つかりません|できません|错误|錯誤|失败|找不到|无法|無法|오류|실패|찾을 수 없/iu
/** What was counted in them and did not happen: "0 Fehler", "エラー: 0". */
const NONE_ABROAD =
  /(?:\b0 ?(?:個の|个|件の)?|(?<!\p{L})(?:keine?|aucune?|sans|sin|nessun|senza|sem|nenhum|geen|bez|без|нет) |没有|無)(?:fehler|erreurs?|error(?:es|i)?|errore|erros?|fout(?:en)?|błęd\p{L}+|ошибок|エラー|错误|失败|오류)|(?:fehler|erreurs?|errori|erros?|fouten|ошибок|エラー|错误|失败|오류) ?[:：] ?0(?!\d)/giu
/** Lines in which ffmpeg reports the consequences of a failure, after its cause, and warnings before it. */
const CONSEQUENCE =
  /^(?:conversion failed|.*, defaulting to |error (?:opening|initializing|while (?:opening|processing|decoding|filtering)|submitting|sending|muxing|writing trailer)|nothing was (?:written|encoded)|\[(?:vost|aost|vist|aist|out|in|enc|dec|fc)#)/i
/**
 * Lines in which other programs report that they give up, or that a program below them did, after the cause. They refer
 * to what was said before, or their only reason is a number, or they name only a file, or they ask for something: "render
 * aborted due to errors", "a complete log of this run can be found in", "Render engine failed: 999", "BUILD FAILED in 3s",
 * "Can't parse file 'a.scad'!". Those that name the reason themselves do not: "aborted due to error: disk full", "disk
 * full, exiting", "Build failed: no scene".
 */
const GIVING_UP =
  /^(?:(?:can't|failed to) (?:parse|convert) (?:file )?\S+|(?:render(?:ing)?|encod(?:e|ing)|export(?:ing)?|conversion|processing|job|task|build) (?:failed|aborted)[.!]?|(?:erro\[\d+\] )?error waiting for container: .*|[a-zäöü]+ (?:fehlgeschlagen|abgebrochen)[.!]?|échec (?:du |de la |de l')\w+[.!]?|レンダリングに失敗しました。?|渲染失败[。!]?|failed to (?:start|set pipeline to \w+)\.?|error: pipeline doesn't want to \w+\.|error: from element .*: state change failed\b.*|fatal error in \w+: cannot \w+ input\.|error in configuration, could not begin .*|\S+ no images (?:defined|found) .*)$|\b(?:due to|see) (?:the |\d+ )?(?:previous|earlier|(?:\w+ )?above|errors?\W*$)|^(?:\S+\s+)?the \w+ has been aborted|\b(?:initiali[sz]e|start|continue)\b[^:,]{0,99}, (?:exit|abort)ing|\ba complete log\b|^[\w ]+ failed:? -?\d+$|^(?:failure: )?build failed(?: in [\d.]+\w.*| with an exception)?\W*$|^execution failed for task \S+$|^(?:\w+: )?this (?:job|task) failed\W*$|^\s*please\b|^error in rule \w+:$|\blook above\b|^(?:\S+: line \d+: +\d+ )?aborted(?: \(core dumped\))?(?: {2,}\S.*)?$/i
/** The exit code of a program at the end of a line. */
const EXITED = /\bexit(?:ed)?(?: with)?(?: (?:non-zero )?(?:exit )?(?:code|status|value))?:? ?-?\d+\W*$/i
/** Words that say that something failed, and not why. */
const FAILED = /\b(?:error|exception|fail(?:ed|ure)|fatal)\b/gi
/**
 * What was counted and did not happen: "0 errors, 2 warnings", "frames failed: 0". But "frame 0 failed" is one that
 * failed, and "error: 0 frames found" a cause.
 */
const NONE =
  /(?:^|[,;(] ?|[:|/] |\b(?:and|with) )(?:0(?: \w+)?|no) (?:errors?|failures?|failed|warnings?|missing|corrupt)\b|\b(?:errors?|failures?|failed|warnings?|missing|corrupt)["']? ?[:=] ?0(?=\W*$|[,;]| of | +\w+.?[:=])/gi
/** What npm says of a script that failed, or of its own failure. */
const NPM = /^npm (?:error|err[!])/i
/** Lines with words of failure that stop nothing; Blender prints the one about colours at each start. */
const WARNING = /\bwarn(?:ing)?\b|^color management: /i
/** Our own words, perhaps behind the name of a step, that say more than any line of a program that named no cause. */
const ENDED_EARLY =
  /^(?:.{1,200}: )?the command (?:was ended by SIG|ended with code (?:0 at |(?:129|1[345]\d)\b))/
/** How our own words name the exit code of a command, perhaps behind the name of a step. */
const EXIT_CODE = /^(?:.{1,200}: )?the command ended with code (\d+)/
/** Blender's last words when it crashes. */
const CRASHED = /^Writing: (.+\.crash\.txt)$/
/** Lines that only say how a program is called, where to read on, or that a program below it failed. */
const HINT =
  /^\s*(?:usage:|stack traceback:$|(?:try|run|see) ['"`]|for (?:more|further) |(?:troubleshooting|docs?|documentation|help|more): https?:\/\/\S+$|note: (?:run with|some details) |to ignore this|make(?:\[\d+\])?: \*\*\*)/i
/** A Python program says with it that another program failed. */
const FAILED_BELOW = /\bCalledProcessError\b/
/** Blender 5 puts a stroke before all lines of a traceback but the first. */
const STROKE = /^ {20,}\| /
const EXCEPTION =
  /^(?: {20,}\| )?(?:[\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Failure)\b|[A-Za-z_][\w.]*\.[A-Z]\w*(?::|$))/
/** How the command ended, before its own words. */
const ENDED = /^[^\n]{1,80}? (?:exited|ended) with code \d+: */
const COMPONENT = /^\[([^[\]@]+)@\s*0x[0-9a-f]+\]\s*/i
const COMPONENTS = new RegExp(COMPONENT.source.slice(1), "gi")

/** The name of an error, as in "java.lang.OutOfMemoryError", and not that of a file. */
const ERROR_NAME = /(?<![\w./\\-])[\w.]*[a-z\d](?:Error|Exception)\b(?!\.\w)/

/** Whether a line names a cause; a count of zero, such as `0 errors`, is no cause. */
const namesCause = (line: string): boolean =>
  ERROR_NAME.test(line) ||
  (CAUSE.test(line) && CAUSE.test(line.replace(NONE, ""))) ||
  (CAUSE_ABROAD.test(line) && CAUSE_ABROAD.test(line.replace(NONE_ABROAD, "")))

/** Whether a line only says that the program, or one below it, gives up: its reason stands above it. */
const givesUp = (line: string): boolean =>
  GIVING_UP.test(line) || (EXITED.test(line) && !CAUSE.test(line.replace(EXITED, "").replace(FAILED, "")))

/** Something thrown, with its message: "Oops: scene is empty". */
const THROWN = /^(?:(?:uncaught|unhandled)\b[^:]*|[a-z_$][\w.$]*): \S/i
/** The same somewhere in a line, if its name is that of an error: "Unhandled exception. System.IO.IOException: disk full". */
const ERROR_THROWN = /(?:^|[\s.])\w*(?:Error|Exception): (?!0\b)\S|\bpanicked at \S/
/** The most lines above a stack among which the message is. */
const MOST_DETAILS = 6

/** The exception behind another one, with its message: of several, the last one happened first. */
const CAUSED_BY = /^\s*(?:caused by|\[cause\]): +(\S+: .*\S)$/i
/** A line of a stack: of JavaScript, Java, C#, Ruby or Lua. */
const FRAME = /^\s+(?:at .*[:(]|from .*:\d+:in |\[C\]: in |\S+:\d+: in )/

/** What a program in C++ threw, with its message. */
const WHAT = /^\s*what\(\): +(\S.*)$/
const TRACEBACK = "Traceback (most recent call last)"

/** The lines without what another program writes before those of a traceback: "[rank0]: ", "render-1  | ". */
function withoutPrefix(lines: readonly string[]): readonly string[] {
  const [prefix = ""] = lines.findLast((one) => one.includes(TRACEBACK))?.split(TRACEBACK) ?? []
  if (prefix === "") return lines
  const pattern = new RegExp(`^${prefix.split(/\d+/).map(RegExp.escape).join("\\d+")}`)
  return lines.map((one) => one.replace(pattern, ""))
}

/** A line that ends with a colon, with the one that it announces: "Fatal server error:" and the reason below it. */
function withAnnounced(found: string, lines: readonly string[]): string {
  const at = found.endsWith(":") ? lines.lastIndexOf(found) : -1
  const next = at < 0 ? undefined : lines[at + 1]
  return next === undefined || FIGURES.test(next) ? found : `${found} ${next.trim()}`
}

/** Figures of a bar, a rate or an encoder: they name no cause. */
const FIGURES = /^\W*\d[\d.]* ?%|\d ?%\W*$|%\||(?:it|b|bits|frames?)\/s\b|avg(?: qp)?:|muxing overhead/i

/** A newer ffmpeg says in one line why an input cannot be opened, and in the next which. */
const UNOPENED = /\] Error opening input: (.+)\nError opening input file (.+)\.$/m

/** What ffmpeg's output names as the cause: the first line that does, because the others are its consequences. */
function ofFfmpeg(lines: readonly string[]): string | undefined {
  const named = lines.filter(namesCause)
  const [, why, file] = UNOPENED.exec(lines.join("\n")) ?? []
  return named.find((one) => !CONSEQUENCE.test(one)) ?? (file ? `${file}: ${why}` : named[0])
}

/** The line of another program's output that names the cause: the last one before it gives up. */
function ofOther(lines: readonly string[]): string | undefined {
  const named = lines.filter((one) => namesCause(one) && !WARNING.test(one))
  const what = lines.findLast((one) => WHAT.test(one))
  if (what !== undefined) return WHAT.exec(what)?.[1]
  const telling = named.filter((one) => !givesUp(one))
  const found = telling.findLast((one) => !NPM.test(one)) ?? telling.at(-1) ?? named[0]
  // A beginning that also stands alone, as npm's, says nothing: the first line that goes on says the most.
  const beginning = named.find((one) => found?.startsWith(one)) ?? ""
  return named.find((one) => one !== beginning && one.startsWith(beginning)) ?? found
}

/** What was thrown: the line above a stack, or one shortly before it, if details such as a list of files follow it. */
function thrownAbove(lines: readonly string[]): string | undefined {
  const last = lines.at(-1)
  if (last === undefined || THROWN.test(last)) return last
  return lines.slice(-MOST_DETAILS).findLast((one) => ERROR_THROWN.test(one)) ?? last
}

/** How the command ended, if that says more than its last words; otherwise undefined. */
function howEnded(lines: readonly string[]): string | undefined {
  const [first = "", last = first] = [lines[0], lines.at(-1)]
  const isWordless = FIGURES.test(last) && first.includes("the command ended")
  return isWordless || ENDED_EARLY.test(first) ? first : undefined
}

/** The last words of a command, which name no cause, behind its exit code if that is known: alone they could be anything. */
function lastWords(lines: readonly string[]): string | undefined {
  const words = lines.findLast((one) => !FIGURES.test(one) && one.search(NONE) < 0)
  const [, code] = EXIT_CODE.exec(lines[0] ?? "") ?? []
  if (code === undefined || words === undefined || words === lines[0]) return words
  return `code ${code}: ${words.replace(STROKE, "").trim()}`
}

/** What a line means, if it is the one in which Blender names the report of its crash; otherwise undefined. */
export function crashIn(line: string): string | undefined {
  const report = CRASHED.exec(line)?.[1]
  return report && `Blender crashed, see ${report}`
}

/**
 * The one line of an error that says the most. Of a Python traceback it is the last line, of other stack
 * traces the one above the stack, of ffmpeg the first that names a cause, and of anything else the last that
 * names one. If none does, it is how the command ended, if that was by a signal or too early or if figures were its
 * last words, or that a Blender crashed, otherwise the last line that is more than figures, behind the exit code.
 * Empty for an empty text. Control characters are left in it.
 */
export function causeOf(error: string): string {
  const all = withoutPrefix(
    error
      .replace(ENDED, "")
      .split(/\r\n|[\r\n\u2028\u2029]/)
      .map((one) => one.trimEnd())
      .filter((one) => one !== ""),
  )
  const telling = all.filter((one) => !HINT.test(one))
  const lines = telling.length > 0 ? telling : all
  const stack = lines.findIndex((one) => FRAME.test(one))
  const isFfmpeg = lines.some(
    (one) => COMPONENT.test(one) || /^(?:ffmpeg version|Conversion failed)/.test(one),
  )
  const trace = lines.findLastIndex((one) => one.includes(TRACEBACK))
  const exception = trace < 0 ? undefined : lines.slice(trace + 1).find((one) => EXCEPTION.test(one))
  const isAbove = exception !== undefined && !(isFfmpeg && FAILED_BELOW.test(exception))
  const named = isAbove
    ? exception
    : stack > 0
      ? (lines.map((one) => CAUSED_BY.exec(one)?.[1]).findLast(Boolean) ?? thrownAbove(lines.slice(0, stack)))
      : isFfmpeg
        ? ofFfmpeg(lines)
        : ofOther(lines)
  const found = named && withAnnounced(named, stack > 0 ? lines.slice(0, stack) : lines)
  const ended = howEnded(lines)
  const crash = lines.map(crashIn).findLast((one) => one !== undefined)
  return (found ?? ended ?? crash ?? lines.findLast(namesCause) ?? lastWords(lines) ?? lines.at(-1) ?? error)
    .replace(STROKE, "")
    .trim()
    .replace(COMPONENTS, (_all, name: string) => `${name.trimEnd()}: `)
}

/** Longest line that answers and updates have as the cause of a failure, in characters. */
const LONGEST = 400

/** The line of an error that says the most, as answers and updates have it: cut after 400 characters. */
export function shortCauseOf(error: string): string {
  const cause = causeOf(error)
  return cause.length > LONGEST ? `${cause.slice(0, LONGEST).toWellFormed()}…` : cause
}
