/** The most bars that are distinguished. */
const MOST = 64
/** Numbers that may name one of several bars: no times, sizes or fractions. */
const NUMBER = /(?<![\p{L}\d.,:/])\d{1,6}(?![\p{L}\d/%]|[.,:]\d)/gu

/** The bars of one kind of line, each with the number that stands before its percentage. */
interface Numbered {
  /** How far each was last, 0 to 1, by its numbers. */
  readonly fractions: Map<string, number>
  /** The numbers of the line before. */
  last: string
  /** Whether several go on at the same time. */
  isSideBySide: boolean
}

/**
 * Tells bars apart of which only the numbers differ: "worker 1: 45%", "worker 2: 12%". Mostly one follows the other,
 * and then they are one kind of bar. They go on side by side if a lower value belongs to a number that came before, and
 * continues from there.
 */
export class SideBySide {
  readonly #kinds = new Map<string, Numbered>()

  /** What distinguishes this bar: its label, or its label and numbers. `before` is the text before its percentage. */
  keyOf(label: string, before: string, fraction: number): string {
    if (!label.includes("0")) return label
    const numbers = before.match(NUMBER)?.join(" ")
    if (numbers === undefined) return label
    const kind = this.#kinds.get(label) ?? {
      fractions: new Map<string, number>(),
      last: "",
      isSideBySide: false,
    }
    const own = kind.fractions.get(numbers)
    const other = kind.fractions.get(kind.last)
    const isBack = own !== undefined && numbers !== kind.last && fraction >= own
    kind.isSideBySide ||= isBack && other !== undefined && fraction < other
    kind.last = numbers
    if (own !== undefined || kind.fractions.size < MOST) kind.fractions.set(numbers, fraction)
    if (this.#kinds.size < MOST) this.#kinds.set(label, kind)
    return kind.isSideBySide ? `${label} ${numbers}` : label
  }
}
