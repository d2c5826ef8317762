import type { Unit } from "../item/item.ts"
import { type LineLook, NEAR_END, NEAR_START } from "./believed-bar.ts"
import type { Count } from "./counts-in-line.ts"
import { hasDrawing, isTableRow, shapeOf, type Shown } from "./drawn-in-line.ts"
import { isNoun } from "./measured-in-line.ts"
import { isConfirmed, type Percent } from "./percent-in-line.ts"

/** More kinds of lines than this are nothing but noise. */
const MAX_KINDS = 200
/** tqdm's bar, "45%|████    | 9/20": bars of one kind have the same total. */
const TOTAL = /%\|[^|]*\| ?[\d.]+\w?\/([\d.]+\w?)/
/** The most characters of a line in which words of work are sought. */
const MOST_WORDS = 200
/** A figure that is not a time, date or name, and that no colon follows: "Pass 2:" is a name. */
const FIGURE = /(?<![\w.,:/#-])\d+(?![\w.:/-]|,\d)/
const HEAD = /^\[ ?\d+ ?%\]/

/** A percentage of a line, with the counts around it. */
export interface Measure {
  /** What distinguishes this bar from others: the words before the percentage. */
  readonly key: string
  /** How far it is, 0 to 1. */
  readonly fraction: number
  /** How the line looks. */
  readonly look: LineLook
  /** What the line counts; undefined if nothing. */
  readonly unit: Unit | undefined
  /** Whether it has just turned out that the percentage is a part of what its line counts. */
  readonly isEnclosed: boolean
}

/** A percentage and its count, as a line showed them last. */
interface Pair {
  readonly fraction: number
  readonly count: Count
}

const isOf = ({ n, total }: Count, { fraction }: Percent): boolean => Math.abs(n / total - fraction) <= 0.01

/** How far the whole is if the percentage is that of the innermost of these. */
const partOf = (counts: readonly Count[], { fraction }: Percent): number =>
  counts.reduceRight((inner, count) => (begunOf(count) + inner) / count.total, fraction)

/** Until it is known whether a percentage is that of the step at the head of its line, the least of both counts. */
function leastOf(counts: readonly Count[], percent: Percent): number {
  const [head] = counts
  const isStep = counts.length === 1 && head?.isHead
  return isStep ? Math.min(percent.fraction, partOf(counts, percent)) : percent.fraction
}

/**
 * The words before a percentage, which distinguish a bar. Of a step in brackets at the head of a line they differ with
 * each step.
 */
function labelOf(text: string, percent: Percent, counts: readonly Count[]): string {
  const [head] = counts
  const isStep = counts.length === 1 && head?.isHead && head.at === 1 && percent.at > head.end
  return isStep ? "[" : shapeOf(text.slice(0, percent.at))
}

const begunOf = ({ n }: Count): number => Math.max(0, n - 1)

/**
 * Puts percentages and counts of a line together: "epoch 3/10: 45 %" is 45 % of the third, "45 % (3/10 files)" is 45 %
 * of all, and "frame 9/20: 45 %" says the same twice. But if the percentage begins again with the next file, it is
 * that of a file.
 */
export class CountsAndPercentages {
  /** The kinds of lines in which the counts before the percentage said something else. */
  readonly #nested = new Set<string>()
  /** The kinds of lines whose percentage began again as their count went on. */
  readonly #enclosed = new Set<string>()
  readonly #last = new Map<string, Pair>()

  /** What a line measures. */
  of({ text, isRedrawn }: Shown, percent: Percent, counts: readonly Count[]): Measure {
    const label = labelOf(text, percent, counts)
    const isEnclosed = this.#learns(label, percent, counts)
    const around = this.#around(label, percent, counts)
    const [outermost] = around
    const beside = counts.find((count) => isOf(count, percent)) ?? counts.find(({ isWork }) => isWork)
    const told = outermost ?? beside
    const total = TOTAL.exec(text)?.[1]
    return {
      key: total === undefined ? label : `${label}/${total}`,
      fraction: around.length > 0 ? partOf(around, percent) : leastOf(counts, percent),
      look: {
        isRedrawn,
        hasDrawing: hasDrawing(text),
        tail: shapeOf(text.slice(percent.end)),
        isRow: isTableRow(text) && isConfirmed(text) !== true,
        isHead: HEAD.test(text),
        isNoun: isNoun(text.slice(0, MOST_WORDS)),
        isSummary: counts.length === 0 && FIGURE.test(text.slice(0, percent.at)),
      },
      isEnclosed,
      unit: told && { done: outermost ? begunOf(told) : told.n, total: told.total, name: told.name },
    }
  }

  /** Whether a line shows for the first time that its percentage is a part of what it counts. */
  #learns(label: string, { fraction }: Percent, counts: readonly Count[]): boolean {
    const [count] = counts
    if (!count || counts.length > 1 || this.#enclosed.has(label)) return false
    const before = this.#last.get(label)
    if (before || this.#last.size < MAX_KINDS) this.#last.set(label, { fraction, count })
    const isNext = before?.count.total === count.total && before.count.n + 1 === count.n
    const hasEnded = fraction <= NEAR_START || (before?.fraction ?? 0) >= NEAR_END
    if (!isNext || !hasEnded || before.fraction <= fraction || this.#nested.has(label)) return false
    this.#enclosed.add(label)
    return true
  }

  /** The counts that the percentage is a part of. One that agrees by chance on one line does not on the next. */
  #around(label: string, percent: Percent, counts: readonly Count[]): Count[] {
    if (this.#enclosed.has(label)) return [...counts]
    const before = counts.filter(({ isWork, at }) => isWork && at < percent.at)
    if (before.some((count) => !isOf(count, percent)) && this.#nested.size < MAX_KINDS)
      this.#nested.add(label)
    return this.#nested.has(label) ? before : []
  }
}
