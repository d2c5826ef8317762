import type { Unit } from "../item/item.ts"
import { type LineLook, NEAR_END, NEAR_START } from "./believed-bar.ts"
import { begunOf, type Count, headingIn, isOf, nestedIn, ordinalIn } from "./counts-in-line.ts"
import { hasDrawing, isTableRow, shapeOf, type Shown } from "./drawn-in-line.ts"
import { isNoun } from "./measured-in-line.ts"
import { PartsAtOnce } from "./parts-at-once.ts"
import { isConfirmed, type Percent } from "./percent-in-line.ts"
import { PercentageOfAll } from "./percentage-of-all.ts"
import { SideBySide } from "./side-by-side.ts"

/** If there are more kinds of lines than this, they are not progress. */
const MAX_KINDS = 200
/** tqdm's bar, "45%|████    | 9/20": bars of one kind have the same total. */
const TOTAL = /%\|[^|]*\| ?[\d.]+\w?\/([\d.]+\w?)/
/** The most characters of a line that are searched for words of work. */
const MOST_WORDS = 200
/** A figure that is not a time, a date or a name, and that has no colon behind it: "Pass 2:" is a name. */
const FIGURE = /(?<![\w.,:/#-])\d+(?![\w.:/-]|,\d)/
/** A count this near before a percentage, as in "1/3: 45%", may be around it. */
const CLOSE = 3
const HEAD = /^\[ ?\d+ ?%\]/
/** What stands directly before the percentage of everything that is counted. */
const OVERALL = /(?<!\p{L})(?:overall|total|gesamt|toda[ls]?)(?: progress)?[ :=(|[]*$/iu

/** A percentage of a line, with the counts around it. */
export interface Measure {
  /** The words before the percentage, which distinguish this bar from others. */
  readonly key: string
  /** How far it is, 0 to 1. */
  readonly fraction: number
  /** How the line looks. */
  readonly look: LineLook
  /** The count of the line; undefined if there is none. */
  readonly unit: Unit | undefined
  /** Whether this line is the first to show that the percentage is a part of its count. */
  readonly isEnclosed: boolean
}

/** Bars that go on at the same time. */
interface Several {
  /** What they have in common. */
  readonly kind: string
  /** How far they are together, 0 to 1. */
  readonly fraction: number
}

/** What the lines of one kind have shown of their percentage and the counts beside it. */
interface KindOfLine {
  /** Whether the counts before the percentage disagreed with it. */
  isNested: boolean
  /** Whether the percentage began again when the count went up. */
  isEnclosed: boolean
  /** Whether the percentage stands directly behind a count that disagrees with it. */
  isBehind: boolean
  /** Whether the percentage goes on over the counts beside it. */
  isWhole: boolean
  /** The percentage and the count before it over time; undefined before the first line with one such count. */
  ofAll: PercentageOfAll | undefined
  /** The percentage and the count of the last line that had one count; undefined before it. */
  last: { readonly fraction: number; readonly count: Count } | undefined
}

const begun = (): KindOfLine => ({
  isNested: false,
  isEnclosed: false,
  isBehind: false,
  isWhole: false,
  ofAll: undefined,
  last: undefined,
})

/** The bar of the steps of one count. */
interface StepBar {
  readonly key: string
  /** The number of the last step that was seen. */
  n: number
}

/**
 * The words before a percentage, which distinguish a bar. For a step in brackets at the head of a line, they
 * are different for each step.
 */
function labelOf(text: string, percent: Percent, counts: readonly Count[]): string {
  const [head] = counts
  const isStep = counts.length === 1 && head?.isHead && head.at === 1 && percent.at > head.end
  return isStep ? "[" : shapeOf(text.slice(0, percent.at))
}

/** What distinguishes a count: the words before it, and what is counted. */
const countedBy = (text: string, { at, name, total }: Count): string =>
  `${shapeOf(text.slice(0, at))} ${name}/${total}`

const found = (kind: string, fraction: number | undefined): Several | undefined =>
  fraction === undefined ? undefined : { kind, fraction }

/** The shape of the text from a place on, found when it is first asked for. */
function shapeOnce(text: string, from: number): () => string {
  let shape: string | undefined
  return () => (shape ??= shapeOf(text.slice(from)))
}

/** Whether a line is the first to show that its percentage is a part of its count, or that it is of all that is counted. */
function learns(kind: KindOfLine, { fraction, at }: Percent, counts: readonly Count[]): boolean {
  const [count] = counts
  if (!count || counts.length > 1 || kind.isEnclosed || kind.isWhole) return false
  if (count.at < at) {
    kind.ofAll ??= new PercentageOfAll(count.n, fraction)
    kind.isWhole = kind.ofAll.isSo(count, fraction)
    if (kind.isWhole) return true
  }
  const before = kind.last
  kind.last = { fraction, count }
  const isNext = before?.count.total === count.total && before.count.n + 1 === count.n
  const hasEnded = fraction <= NEAR_START || (before?.fraction ?? 0) >= NEAR_END
  kind.isEnclosed = isNext && hasEnded && before.fraction > fraction && !kind.isNested
  return kind.isEnclosed
}

/**
 * The counts of which the percentage is a part. A count that agrees with it by chance on one line disagrees
 * on the next.
 */
function countsAround(
  kind: KindOfLine,
  percent: Percent,
  counts: readonly Count[],
  isOverall: boolean,
): readonly Count[] {
  if (kind.isEnclosed) return counts
  if (isOverall || kind.isWhole) return []
  const before = counts.filter(({ isWork, at }) => isWork && at < percent.at)
  kind.isNested ||= before.some((count) => !isOf(count, percent.fraction))
  return kind.isNested ? before : []
}

/**
 * Until it is known whether a percentage belongs to the step at the head of its line, or to the count directly
 * before it, the lower of both values is used.
 */
function leastOf(kind: KindOfLine, percent: Percent, counts: readonly Count[]): number {
  const [count] = counts
  if (!count || counts.length > 1 || kind.isWhole) return percent.fraction
  const isAfter = percent.at > count.end && !isOf(count, percent.fraction)
  kind.isBehind ||= isAfter && percent.at - count.end <= CLOSE
  // What stands first on a line counts what the line is about: "3/10 2.3G loss 0.4: 45%".
  const isStep = count.isHead || (count.at === 0 && isAfter) || kind.isBehind
  return isStep ? Math.min(percent.fraction, nestedIn(counts, percent.fraction)) : percent.fraction
}

/**
 * Combines the percentages and counts of a line: "epoch 3/10: 45 %" is 45 % of the third epoch, "45 % (3/10
 * files)" is 45 % of all files, and "frame 9/20: 45 %" says the same twice. But if the percentage begins
 * again with the next file, it belongs to a single file.
 */
export class CountsAndPercentages {
  /** The kinds of lines with counts, by the words before their percentage. */
  readonly #kinds = new Map<string, KindOfLine>()
  readonly #sideBySide = new SideBySide()
  readonly #atOnce = new PartsAtOnce()
  /** The bars of which several go on at the same time, by the words before them, or by what is counted. */
  readonly #together = new Map<string, string>()
  /** The steps to which a bar belongs, by the words before its percentage. */
  readonly #steps = new Map<string, StepBar>()
  /** The steps that were seen last, by the words before their count, and what is counted. */
  readonly #counted = new Map<string, StepBar>()

  /** The number of the part whose heading came last: "Stage 1: vocals". Undefined before the first one. */
  #heading: string | undefined

  /** Reads a line without figures: it may be the heading of one of several parts, whose bar follows. */
  hear(line: string): void {
    this.#heading = headingIn(line) ?? this.#heading
  }

  /** The part is counted, so bars are inside what is counted. */
  leaveHeading(): void {
    this.#heading = undefined
  }

  /** The progress that a line shows. */
  of({ text, isRedrawn }: Shown, percent: Percent, all: readonly Count[]): Measure {
    const total = TOTAL.exec(text)?.[1]
    // The count behind tqdm's bar is that of the bar. One before it may be around it.
    const counts = total === undefined || all.length < 2 ? all : all.filter(({ at }) => at < percent.at)
    const label = labelOf(text, percent, counts)
    const kind = this.#kindOf(label, counts)
    const isEnclosed = learns(kind, percent, counts)
    const around = countsAround(kind, percent, counts, OVERALL.test(text.slice(0, percent.at)))
    const isCounted = around.length > 0 || counts.some(({ at }) => at < percent.at)
    const [outermost] = around
    const same = all.find((count) => isOf(count, percent.fraction))
    const beside = same ?? all.find(({ isWork }) => isWork)
    const told = outermost ?? beside
    const whole = total ?? percent.whole
    const key = whole === undefined ? this.#keyOf(text, label, outermost) : `${label}/${whole}`
    const several = this.#several(label, text, percent, around)
    const isNew = several !== undefined && !this.#together.has(several.kind)
    if (isNew) this.#together.set(several.kind, key)
    return {
      key: (several && this.#together.get(several.kind)) ?? key,
      fraction:
        several?.fraction ??
        (around.length > 0 ? nestedIn(around, percent.fraction) : leastOf(kind, percent, counts)),
      look: {
        ...this.#lookOf({ text, isRedrawn }, percent, all, counts.length > 0),
        // Behind "step 3/4, pass 1" or "[3/4] pass 1", the fraction is already that of all steps.
        ordinal: () => (isCounted ? undefined : (ordinalIn(text.slice(0, percent.at)) ?? this.#heading)),
      },
      // Until now, any of several bars was the whole.
      isEnclosed: isEnclosed || isNew,
      // The count of one of several is not that of all.
      unit: several
        ? undefined
        : told && { done: outermost ? begunOf(told) : told.n, total: told.total, name: told.name },
    }
  }

  /** How a line looks; `isCounted`: it has a count that is not that of the bar itself. */
  #lookOf(
    { text, isRedrawn }: Shown,
    percent: Percent,
    all: readonly Count[],
    isCounted: boolean,
  ): Omit<LineLook, "ordinal"> {
    return {
      isRedrawn,
      hasDrawing: hasDrawing(text),
      tail: shapeOnce(text, percent.end),
      isRow: () =>
        isTableRow(text) &&
        !all.some((count) => count.isWork || isOf(count, percent.fraction)) &&
        isConfirmed(text, percent) !== true,
      isHead: HEAD.test(text),
      isNoun: () =>
        isNoun(text.slice(0, MOST_WORDS), percent.fraction) && isConfirmed(text, percent) !== true,
      isSummary: !isCounted && FIGURE.test(text.slice(0, percent.at)),
    }
  }

  /** What several bars that go on at the same time are, and how far they are together; undefined if this is none of them. */
  #several(
    label: string,
    text: string,
    { at, fraction }: Percent,
    around: readonly Count[],
  ): Several | undefined {
    const [count, ...more] = around
    const kind = count ? countedBy(text, count) : label
    if (count) return more.length > 0 ? undefined : found(kind, this.#atOnce.together(kind, count, fraction))
    return found(kind, this.#sideBySide.lowest(label, text.slice(0, at), fraction))
  }

  /** What distinguishes a bar. The steps of one count have one bar, also if each has another name behind its number. */
  #keyOf(text: string, label: string, count: Count | undefined): string {
    const known = this.#steps.get(label)
    if (known && count) known.n = count.n
    if (known || !count || this.#steps.size >= MAX_KINDS) return known?.key ?? label
    const counted = countedBy(text, count)
    const before = this.#counted.get(counted)
    const step = before?.n === count.n - 1 ? before : { key: label, n: count.n }
    step.n = count.n
    this.#steps.set(label, step)
    this.#counted.set(counted, step)
    return step.key
  }

  /** If there are too many kinds, nothing is remembered of the others. */
  #kindOf(label: string, counts: readonly Count[]): KindOfLine {
    const kind = this.#kinds.get(label) ?? begun()
    if (counts.length > 0 && this.#kinds.size < MAX_KINDS) this.#kinds.set(label, kind)
    return kind
  }
}
