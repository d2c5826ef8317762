import type { Count } from "./counts-in-line.ts"
import { numbersIn, SideBySide } from "./side-by-side.ts"

/** The most kinds of lines, and of numbers of each, that are distinguished. */
const MOST = 64
/** How many lines are remembered until a number falls. One count only rises, and most lines have one count. */
const MOST_RISING = 8
/** If this part of the numbers came from several, they have a count each, and not one in common. */
const REPEATED = 1 / 4

/** The counts of one kind of line. */
interface Kind {
  /** The last lines: the text before their count, and its number. Undefined once a number has fallen. */
  rising: { readonly before: string; readonly n: number }[] | undefined
  /** Which of several came first to each number, by the numbers before the count. */
  readonly first: Map<number, string>
  repeated: number
  /** How far each of several was last, 0 to 1. */
  readonly fractions: Map<string, number>
  isSideBySide: boolean
}

const begun = (): Kind => ({
  rising: [],
  first: new Map(),
  repeated: 0,
  fractions: new Map(),
  isSideBySide: false,
})

/**
 * Finds counts of which only a number before them differs, and that go on at the same time, each from its own start:
 * "worker 0: 5/20 frames", "worker 1: 3/20 frames". Workers that share one count seldom come to the same number.
 */
export class CountsSideBySide {
  readonly #bars = new SideBySide()
  readonly #kinds = new Map<string, Kind>()

  /**
   * How far the last of several is that go on side by side, 0 to 1; undefined if this count is none of them. `before`
   * is the text before it.
   */
  lowest(label: string, before: string, [count, ...more]: readonly Count[]): number | undefined {
    if (!count || more.length > 0 || !label.includes("0")) return undefined
    const { n, total } = count
    const kind = this.#kinds.get(label) ?? begun()
    if (this.#kinds.size < MOST) this.#kinds.set(label, kind)
    const { rising } = kind
    if (rising && n >= (rising.at(-1)?.n ?? 0)) {
      rising.push({ before, n })
      if (rising.length > MOST_RISING) rising.shift()
      return undefined
    }
    kind.rising = undefined
    for (const line of [...(rising ?? []), { before, n }])
      this.#follow(kind, label, line.before, line.n, total)
    return kind.isSideBySide ? Math.min(...kind.fractions.values()) : undefined
  }

  #follow(kind: Kind, label: string, before: string, n: number, total: number): void {
    const name = numbersIn(before).join(" ")
    const first = kind.first.get(n) ?? name
    if (kind.first.size < MOST) kind.first.set(n, first)
    if (first !== name) kind.repeated += 1
    if (kind.fractions.has(name) || kind.fractions.size < MOST) kind.fractions.set(name, n / total)
    const areApart = this.#bars.lowest(label, before, n / total) !== undefined
    kind.isSideBySide ||= areApart && kind.repeated >= REPEATED * kind.first.size
  }
}
