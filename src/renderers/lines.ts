import type { Report, Unit } from "../item/item.ts"
import { BarsInSequence } from "./bars-in-sequence.ts"
import { Bars } from "./bars.ts"
import { saysAgain } from "./begins-again.ts"
import { BARE, isAtStart, isDrawnAs, type LineLook } from "./believed-bar.ts"
import { ESCAPE } from "./control-characters.ts"
import { CountsAndPercentages, type Measure } from "./counts-and-percentages.ts"
import { type Count, countsIn, isOf, isOfOther, isProperty, nestedIn, saysDone } from "./counts-in-line.ts"
import { CountsSideBySide } from "./counts-side-by-side.ts"
import {
  hasBar,
  hasDrawing,
  hasEmptyBar,
  shapeOf,
  type Shown,
  shownIn,
  withPlainFigures,
} from "./drawn-in-line.ts"
import { LOUD } from "./failures-in-flood.ts"
import type { Evidence, Expected, LineReader } from "./line-reader.ts"
import { isNoun } from "./measured-in-line.ts"
import { NestedCounts } from "./nested-counts.ts"
import { ObjectOverLines } from "./object-over-lines.ts"
import {
  areAllMeasured,
  isConfirmed,
  type Percent,
  percentagesIn,
  percentIn,
  timesIn,
} from "./percent-in-line.ts"
import { Preparation } from "./preparation.ts"
import { type Own, RenderersInScripts, RESULT_LINE } from "./renderers-in-scripts.ts"

/** A line with more characters than this is a text or a table. */
const MAX_LINE_READ = 1024
const MAX_MESSAGE = 200
/** If more lines come per second, no reader can follow them, and no bar is drawn that often. */
const MAX_LINES_A_SECOND = 2000
/** The most characters a second in which all words of a renderer are sought, and lines in which they are found. */
const MAX_SEARCHED_A_SECOND = 8_000_000
const MAX_FOUND_A_SECOND = 5000
/** The texts that are searched in faster output: they are found at a gigabyte a second. */
const LOUDEST = new RegExp(LOUD)
const NOTHING = /(?!)/
/** A line without any of these shows no progress, so most output is skipped quickly. */
const FIGURES =
  /\d\s?[%/]|\d ?(?:[kmgt]i?b|s|secs?|seconds) ?(?:\/|(?:out )?of|von|de|di|sur|z|из) ?\d|\d\s(?:out\s)?(?:of|von|aus|van|de|di|sur|av|af|ze?|din|dari|จาก|trên|από|מתוך|из|з)\s\d|第 ?\d|[中중]の? ?\d|total\w{0,12}["']? ?[:=]|["']max|%\s?\d|[％٪﹪／]|[०-९০-৯๐-๙]\s?[%/]|progress|\d ?(?:p(?:er|our|or|ro) ?c[ie]+nt|pro[sz]ent|процент|パーセント|퍼센트)|percent|pct=\d/i
const DIGIT = /[\d０-９٠-٩۰-۹०-९০-৯๐-๙]/
/** The most bars inside counts that are distinguished. */
const MAX_INSIDE = 64
/** Up to this fraction, nothing may be drawn in a bar yet. */
const MOST_EMPTY = 0.05
/** Lines of subtitles, and words that a picture or a song is made of. */
const WORDS_OF = /^(?:dialogue|comment|(?:negative )?prompt|lyrics): ?/i
/** A bar that is named like them and has no room to be drawn. */
const FIGURE_OF = new RegExp(`${WORDS_OF.source} *\\d`, "i")
/** A command that a shell repeats. */
const TRACED = /^\+{1,4} [\w./-]+ /

/**
 * A line with the time of a song is text, as of a transcript or lyrics: "[00:12.40] half of my heart". The time of a
 * log looks different: "[12:33:10] rendering: 45%".
 */
const TRANSCRIPT =
  /\d:\d\d(?:[.,]\d+)? *--> *\d|^\[\d[\d:.]*s? *-{1,2}> *\d[\d:.]*s?\]|^\[\d\d:\d\d(?:\.\d\d\d?\]|:\d\d\](?! ))/

/** A line that has only the time of the lines below it, as in subtitles. */
const CUE = /^(?:\d+:)?\d\d:\d\d[.,]\d{3} --> (?:\d+:)?\d\d:\d\d[.,]\d{3}\b/
/** The most lines of a subtitle. */
const LINES_OF_CUE = 3

/** A bar that is drawn beside how many of how many are done: "[####>---] 12/30". Undefined if the line shows none. */
function drawnIn(text: string, counts: readonly Count[]): Percent | undefined {
  const [count] = counts
  if (!count || counts.length > 1 || count.isWork) return undefined
  if (!hasBar(text) && !(count.n <= MOST_EMPTY * count.total && hasEmptyBar(text))) return undefined
  return { fraction: count.n / count.total, at: count.at, end: count.end, isMeasured: false }
}

/** Whether a value without a sign is a fraction of 1, as a count beside it shows: "percent_done":0.45 of 9/20. */
const isFractionOf = (shown: Percent | undefined, counts: readonly Count[]): boolean =>
  shown !== undefined && shown.fraction > 0 && counts.some((count) => isOf(count, shown.fraction * 100))

/** Reads the output of any program. */
class Lines implements LineReader {
  readonly #expected: Expected
  readonly #own: RenderersInScripts
  readonly #sequence: BarsInSequence
  readonly #bars: Bars
  readonly #measures = new CountsAndPercentages()
  readonly #counters = new NestedCounts()
  readonly #sideBySide = new CountsSideBySide()
  readonly #preparation = new Preparation()
  readonly #object = new ObjectOverLines()
  /** Bars inside the counted things. */
  #inner: { readonly sequence: BarsInSequence; readonly bars: Bars }
  /** The bars that were seen inside the counted things. */
  readonly #inside = new Set<string>()
  /** The words of counts that came beside a bar of the work, and are no work themselves. */
  readonly #beside = new Set<string>()
  /** The bars that were under way when a count went up. */
  #before = new Map<string, number>()
  /** Whether a bar continued while counts went up: then it contains them, and the counts say nothing more. */
  #isSpanned = false
  /** Whether the counts contain all bars that came. */
  #isEnclosing = false
  /** Whether the output said that something failed and begins once more, since a count was last seen. */
  #isAgain = false
  /** How many lines may still be those of a subtitle. */
  #saidLines = 0
  /** The line that was reported last. */
  #text = ""
  #lines = 0
  #secondMs: number
  #secondAt = 0
  /** Whether any progress was reported. */
  #hasTold = false

  constructor(expected: Expected) {
    this.#expected = expected
    this.#own = new RenderersInScripts(expected)
    this.#sequence = new BarsInSequence({ ...expected, countsQuick: false })
    this.#bars = new Bars(this.#sequence, expected.now)
    this.#inner = this.#newInner()
    this.#secondMs = expected.now()
  }

  sought(came: number): RegExp | undefined {
    if (this.#lines < MAX_LINES_A_SECOND) return undefined
    const nowMs = this.#expected.now()
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs
      this.#secondAt = came
      this.#lines = 0
      return undefined
    }
    if (this.#lines >= MAX_FOUND_A_SECOND) return NOTHING
    return this.#isLoud(came) ? LOUDEST : RESULT_LINE
  }

  isFlooded(came: number): boolean {
    return this.sought(came) !== undefined && this.#isLoud(came)
  }

  #isLoud(came: number): boolean {
    return came - this.#secondAt >= MAX_SEARCHED_A_SECOND
  }

  get evidence(): Evidence {
    return this.#own.evidence
  }

  read(line: string, isRedrawn: boolean): Report | undefined {
    this.#lines += 1
    if (line.length > MAX_LINE_READ) return undefined
    const own = this.#own.read(line)
    if (own) return this.#readOwn(own)
    if (this.#isSaid(line) && !isRedrawn) return undefined
    const told = this.#readShown(this.#object.read(line) ?? line, isRedrawn)
    // What one of its lines has said, the object does not say once more.
    if (told) this.#object.leave()
    return told
  }

  /** Reads a line for what it shows of the progress. */
  #readShown(line: string, isRedrawn: boolean): Report | undefined {
    if (this.#hasTold && saysAgain(line)) this.#repeat()
    const hasFigures = FIGURES.test(line)
    if (!hasFigures) this.#measures.hear(line)
    this.#preparation.hear(line, hasFigures)
    if (!hasFigures && !line.includes(ESCAPE)) return undefined
    let told: Report | undefined
    for (const piece of shownIn(line, isRedrawn)) {
      const { text } = piece
      if (
        !DIGIT.test(text) ||
        this.#preparation.isShownIn(text) ||
        TRANSCRIPT.test(text) ||
        TRACED.test(text) ||
        (WORDS_OF.test(text) && !hasBar(text) && !(piece.isRedrawn && FIGURE_OF.test(text)))
      )
        continue
      const unit = this.#tell(piece)
      if (unit !== undefined) told = this.#report(text, unit ?? undefined) ?? told
    }
    return told
  }

  /** Something failed and begins once more: its bar or its count is the same one. */
  #repeat(): void {
    this.#isAgain = true
    this.#bars.repeat()
    this.#inner.bars.repeat()
  }

  /** Whether a line is of subtitles. */
  #isSaid(line: string): boolean {
    this.#saidLines = CUE.test(line) ? LINES_OF_CUE + 1 : Math.max(0, this.#saidLines - 1)
    return this.#saidLines > 0
  }

  /** Undefined if a piece shows no progress; otherwise its count, or null. */
  #tell({ text, isRedrawn }: Shown): Unit | null | undefined {
    const piece = { text: withPlainFigures(text), isRedrawn }
    const percentages = percentagesIn(piece.text)
    if (percentages > 1) return this.#tellBesideMeasures(piece)
    const all = countsIn(piece.text)
    const found = percentIn(piece.text) ?? (all.length === 0 ? timesIn(piece.text) : undefined)
    const shown = percentages === 0 && isFractionOf(found, all) ? undefined : found
    const isMeasured = shown && (shown.isMeasured || isOfOther(piece.text, shown.fraction, all))
    const measured = isMeasured ? shown : undefined
    // The count from which it was made is measured, too: "accuracy 12% (12/100)".
    const counts = all.filter(
      (count) =>
        !measured ||
        ((count.end <= measured.at || count.at >= measured.end) &&
          (count.isWork || !isOf(count, measured.fraction))),
    )
    const percent = measured ? undefined : (shown ?? this.#drawnIn(piece.text, counts))
    const isBar = piece.isRedrawn || hasDrawing(piece.text)
    // A table of loads: of a graphics card, and of its memory.
    if (percent && !isBar && isConfirmed(piece.text, percent) === false) return undefined
    if (percent) return this.#tellPercent(this.#measures.of(piece, percent, counts))
    // More than 100 % is a speed or a word of a song.
    const isCount = counts.length > 0 && (percentages === 0 || measured || !found)
    return isCount ? this.#tellCounts(piece, counts) : undefined
  }

  /** Loads and the like may stand behind what is counted; several other percentages are a table. */
  #tellBesideMeasures(piece: Shown): Unit | null | undefined {
    const counts = countsIn(piece.text).filter(({ isWork, isHead }) => isWork || isHead)
    const isCount = counts.length > 0 && areAllMeasured(piece.text)
    return isCount ? this.#tellCounts(piece, counts) : undefined
  }

  /** A bar drawn beside a count, unless its count is followed already: its first lines may show no bar. */
  #drawnIn(text: string, counts: readonly Count[]): Percent | undefined {
    const drawn = drawnIn(text, counts)
    const [count] = counts
    if (!drawn || !count) return undefined
    const label = shapeOf(text.slice(0, drawn.at))
    if (this.#counters.isCounting(label)) return undefined
    // The noun of a count stood directly before it, as long as its bar was empty.
    if (this.#counters.isOnly(label, count.total)) this.#counters.clear()
    return drawn
  }

  #tellPercent({ key, fraction, look, unit, isEnclosed }: Measure): Unit | null | undefined {
    const isOver = !this.#inside.has(key) && this.#counters.isOver(this.#inner.sequence.fraction)
    const isNext = this.#counters.fraction(0) >= 1 || (isOver && isAtStart(fraction, look))
    if (isNext) this.#leaveCounted()
    if (this.#counters.isEmpty || isOver) {
      const isTold = this.#bars.see(key, fraction, look, isEnclosed)
      if (isTold) this.#counters.clear()
      return isTold ? (unit ?? null) : isNext ? null : undefined
    }
    if (this.#isSpanning(key, fraction, look)) {
      this.#isSpanned = true
      this.#counters.clear()
      return this.#bars.see(key, fraction, look, true) ? null : undefined
    }
    if (this.#inside.size < MAX_INSIDE) this.#inside.add(key)
    if (!this.#inner.bars.see(key, fraction, look, isEnclosed)) return undefined
    this.#counters.enter()
    this.#moveCounted()
    return this.#counters.unit ?? null
  }

  /**
   * Whether a bar continues from its earlier value after the count around it went up: then the bar contains
   * that count.
   */
  #isSpanning(key: string, fraction: number, look: LineLook): boolean {
    const before = this.#before.get(key)
    this.#before.delete(key)
    return before !== undefined && fraction >= before && isDrawnAs(look)
  }

  #tellCounts({ text, isRedrawn }: Shown, counts: readonly Count[]): Unit | null | undefined {
    const at = Math.min(...counts.map((count) => count.at))
    const label = shapeOf(text.slice(0, at))
    const isDone = saysDone(text)
    if (this.#expected.bars !== undefined) {
      const look = { ...BARE, isRedrawn, hasDrawing: hasDrawing(text) }
      return this.#bars.see(`${label} #`, nestedIn(counts, isDone ? 1 : 0), look) ? null : undefined
    }
    const lowest = this.#sideBySide.lowest(label, text.slice(0, at), counts)
    if (lowest !== undefined) return this.#tellSideBySide(lowest)
    if (this.#isSpanned && this.#sequence.fraction < 1) return undefined
    if (this.#isMeasured(text, label, counts)) return undefined
    const wasEmpty = this.#counters.isEmpty
    const words = {
      label,
      shape: () => shapeOf(text),
      isDone,
      isProperty: isProperty(text),
      isNoun: () =>
        !isRedrawn && !hasDrawing(text) && isNoun(text, counts[0] ? counts[0].n / counts[0].total : 0),
      inner: this.#inner.sequence.fraction,
      outer: this.#sequence.fraction,
    }
    const seen = this.#counters.see(counts, words)
    if (!seen.isTold) return undefined
    this.#measures.leaveHeading()
    if (seen.isInner) {
      this.#before = this.#inner.bars.underWay()
      this.#inner = this.#newInner(seen.isOn ? this.#inner.sequence.bars : undefined)
    }
    const isLater = wasEmpty && this.#sequence.fraction > 0
    if (seen.isLonger || (isLater && this.#counters.isAround)) this.#enclose(this.#counters.fraction(0))
    // A count that was full at once is over: the present one is not a part of it.
    else if (seen.isNext || isLater || (wasEmpty && this.#sequence.isVoid))
      this.#sequence.begin(undefined, this.#isAgain)
    this.#isAgain = false
    this.#moveCounted()
    return this.#counters.unit ?? null
  }

  /** Several go on at the same time, and none of them is the whole: the one that is behind counts. */
  #tellSideBySide(lowest: number): null {
    if (!this.#counters.isEmpty) {
      this.#counters.clear()
      this.#sequence.enclose(lowest)
    }
    this.#sequence.move(lowest, true)
    return null
  }

  /** Whether these words only name something, and their count came beside a bar of the work. */
  #isMeasured(text: string, label: string, counts: readonly Count[]): boolean {
    if (!this.#counters.isEmpty || counts.some(({ isWork, isHead }) => isWork || isHead)) return false
    if (this.#beside.has(label)) return true
    const isMeasured = this.#bars.isUnderWay && isNoun(text, 1)
    if (isMeasured && this.#beside.size < MAX_INSIDE) this.#beside.add(label)
    return isMeasured
  }

  /** The bars so far were inside the counted things. */
  #enclose(fraction: number): void {
    this.#sequence.enclose(fraction)
    this.#isEnclosing = true
  }

  #moveCounted(): void {
    const fraction = this.#counters.fraction(this.#inner.sequence.fraction)
    // A second bar inside one counted thing: the first bar was not all of it.
    if (!this.#inner.sequence.isFirst && fraction < this.#sequence.fraction) this.#enclose(fraction)
    this.#sequence.move(fraction, this.#isEnclosing)
  }

  /** Everything that was counted is done; further progress is additional. */
  #leaveCounted(): void {
    this.#isEnclosing = false
    this.#counters.clear()
    this.#sequence.begin()
  }

  /** `bars` is how many bars follow one another in each; undefined while unknown. */
  #newInner(bars?: number): { readonly sequence: BarsInSequence; readonly bars: Bars } {
    const sequence = new BarsInSequence({ bars, countsQuick: true, now: this.#expected.now })
    return { sequence, bars: new Bars(sequence, this.#expected.now) }
  }

  #readOwn({ report, fraction, by, areNowSeveral = false }: Own): Report | undefined {
    if (!report) return undefined
    const look = { ...BARE, isRedrawn: true }
    if (fraction !== undefined) this.#hasTold = true
    if (fraction !== undefined)
      this.#tellPercent({ key: by, fraction, look, unit: undefined, isEnclosed: areNowSeveral })
    this.#text = report.message ?? ""
    return { ...(this.#hasTold && this.#progress()), ...report }
  }

  /** The known progress; undefined before the first bar or count. */
  #progress(): Report {
    this.#hasTold = true
    const progress = this.#sequence.fraction * 100
    if (this.#expected.bars !== undefined) return { progress, basis: "declared" }
    return { progress, basis: "guess", ...(!this.#sequence.isFirst && { eta_seconds: null }) }
  }

  #report(text: string, unit: Unit | undefined): Report | undefined {
    if (text === this.#text) return undefined
    this.#text = text
    const message = text.slice(0, MAX_MESSAGE).toWellFormed()
    return { ...this.#progress(), ...(unit && !this.#sequence.isVoid && { unit }), message }
  }
}

/**
 * Reads progress from the output of any program: bars and percentages that are redrawn or repeated and grow, and counts
 * such as "image 3 of 5" or "[3/5]", which may nest. The line is the message.
 *
 * A percentage is believed by its behaviour: a line that comes once, a table, a gauge and several percentages in a
 * line show no progress. A bar is the whole only as a guess, see `BarsInSequence`. Lines of ffmpeg's and Blender's are read as
 * their own readers do, and nothing else proves success. `total` is that of an ffmpeg inside.
 */
export const lines = (expected: Expected): LineReader => new Lines(expected)
