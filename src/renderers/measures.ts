import type { Unit } from "../item/item.ts"
import type { Count } from "./counts.ts"
import type { Percent } from "./percent.ts"
import { hasDrawing, isTableRow, shapeOf, type Shown } from "./screen.ts"
import type { Look } from "./track.ts"

/** More kinds of lines than this are nothing but noise. */
const MAX_KINDS = 200
/** tqdm's bar, "45%|████    | 9/20": bars of one kind have the same total. */
const TOTAL = /%\|[^|]*\| ?[\d.]+\w?\/([\d.]+\w?)/
const HEAD = /^\[ ?\d+ ?%\]/

/** A percentage of a line, with the counts around it. */
export interface Measure {
  /** What tells this bar from others: the words before the percentage. */
  readonly key: string
  /** How far it is, 0 to 1. */
  readonly fraction: number
  /** How the line looks. */
  readonly look: Look
  /** What the line counts; undefined if nothing. */
  readonly unit: Unit | undefined
}

const isOf = ({ n, total }: Count, { fraction }: Percent): boolean => Math.abs(n / total - fraction) <= 0.01

const begunOf = ({ n }: Count): number => Math.max(0, n - 1)

/**
 * Puts percentages and counts of a line together: "epoch 3/10: 45 %" is 45 % of the third, "45 % (3/10 files)" is 45 %
 * of all, and "frame 9/20: 45 %" says the same twice.
 */
export class Measures {
  /** The kinds of lines in which the counts before the percentage said something else. */
  readonly #nested = new Set<string>()

  /** What a line measures. */
  of({ text, isRedrawn }: Shown, percent: Percent, counts: readonly Count[]): Measure {
    const label = shapeOf(text.slice(0, percent.at))
    const around = this.#around(label, percent, counts)
    const [outermost] = around
    const beside = counts.find((count) => isOf(count, percent)) ?? counts.find(({ isWork }) => isWork)
    const told = outermost ?? beside
    const total = TOTAL.exec(text)?.[1]
    return {
      key: total === undefined ? label : `${label}/${total}`,
      fraction: around.reduceRight(
        (inner, count) => (begunOf(count) + inner) / count.total,
        percent.fraction,
      ),
      look: {
        isRedrawn,
        hasDrawing: hasDrawing(text),
        tail: shapeOf(text.slice(percent.end)),
        isRow: isTableRow(text),
        isHead: HEAD.test(text),
      },
      unit: told && { done: outermost ? begunOf(told) : told.n, total: told.total, name: told.name },
    }
  }

  /** The counts that the percentage is a part of. One that agrees by chance on one line does not on the next. */
  #around(label: string, percent: Percent, counts: readonly Count[]): Count[] {
    const before = counts.filter(({ isWork, at }) => isWork && at < percent.at)
    if (before.some((count) => !isOf(count, percent)) && this.#nested.size < MAX_KINDS)
      this.#nested.add(label)
    return this.#nested.has(label) ? before : []
  }
}
