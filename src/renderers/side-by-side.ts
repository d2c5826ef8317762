/** The most bars that are distinguished. */
const MOST = 64
/** Numbers that may name one of several bars: no times, sizes or fractions. */
const NUMBER = /(?<![\p{L}\d.,:/])\d{1,6}(?![\p{L}\d/%]|[.,:]\d)/gu

/** The numbers of a text that may name one of several. */
export const numbersIn = (text: string): readonly string[] => text.match(NUMBER) ?? []

/** The bars of one kind of line, each with a number that stands before its percentage. */
interface Numbered {
  /** The numbers of the first line. */
  readonly first: readonly string[]
  /** Which of the numbers names a bar: the first one that ever differed from that line. */
  at: number
  /** How far each was last, 0 to 1, by its number. */
  fractions: Map<string, number>
  /** The number of the line before. */
  last: string
  /** The numbers whose bars were ahead when another bar moved on, counted since a value last fell. */
  left: Set<string>
  /** Whether a value has grown since then. */
  hasGrown: boolean
  /** Whether several go on at the same time. */
  isSideBySide: boolean
}

const begun = (first: readonly string[]): Numbered => ({
  first,
  at: Number.POSITIVE_INFINITY,
  fractions: new Map(),
  last: "",
  left: new Set(),
  hasGrown: false,
  isSideBySide: false,
})

const haveSeveralMoved = ({ fractions }: Numbered): boolean =>
  [...fractions.values()].filter((fraction) => fraction > 0).length > 1

/**
 * Tells bars apart of which only the numbers differ: "worker 1: 45%", "worker 2: 12%". Mostly one follows the other,
 * and then they are one kind of bar. They go on side by side if a lower value belongs to a number that came before, and
 * continues from there, and if the higher one then goes on as well. A bar that begins again for the next song may have
 * the same numbers, but none of them grows, or some fall.
 */
export class SideBySide {
  readonly #kinds = new Map<string, Numbered>()

  /**
   * How far the last of the bars is that go on side by side, 0 to 1, once the one of this line has reached `fraction`;
   * undefined if bars with this label do not. `before` is the text before the percentage.
   */
  lowest(label: string, before: string, fraction: number): number | undefined {
    const numbers = label.includes("0") ? numbersIn(before) : []
    if (numbers.length > 0) this.#see(label, numbers, fraction)
    const kind = this.#kinds.get(label)
    return kind?.isSideBySide ? Math.min(...kind.fractions.values()) : undefined
  }

  #see(label: string, numbers: readonly string[], fraction: number): void {
    const kind = this.#kinds.get(label) ?? begun(numbers)
    if (this.#kinds.size < MOST) this.#kinds.set(label, kind)
    const differs = numbers.findIndex((number, i) => number !== kind.first[i])
    if (differs >= 0 && differs < kind.at && !kind.isSideBySide) this.#nameBy(kind, differs)
    const name = numbers[kind.at] ?? ""
    const own = kind.fractions.get(name)
    if (own !== undefined) this.#follow(kind, name, own, fraction)
    kind.last = name
    if (own !== undefined || kind.fractions.size < MOST) kind.fractions.set(name, fraction)
  }

  /** From now on this number names a bar. It was the same in all lines so far, which were one bar. */
  #nameBy(kind: Numbered, at: number): void {
    const name = kind.first[at] ?? ""
    const fractions = new Map([[name, kind.fractions.get(kind.last) ?? 0]])
    Object.assign(kind, { ...begun(kind.first), at, fractions, last: name })
  }

  /** Follows a number that came before, with its value then and now. */
  #follow(kind: Numbered, name: string, own: number, fraction: number): void {
    if (fraction < own) {
      kind.left.clear()
      kind.hasGrown = false
      return
    }
    // Bars that wait at 0 for this one do not go on.
    kind.hasGrown ||= fraction > own && kind.left.size > 0 && haveSeveralMoved(kind)
    kind.isSideBySide ||= kind.hasGrown && kind.left.has(name)
    const latest = kind.fractions.get(kind.last) ?? 0
    if (fraction < latest) kind.left.add(kind.last)
  }
}
