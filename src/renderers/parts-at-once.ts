/** The most kinds of lines that are distinguished, and the most parts of each. */
const MOST = 64
const MOST_PARTS = 10_000

/** The parts of one count. */
interface PartsMade {
  readonly total: number
  /** How far each part is, 0 to 1, by its number. */
  readonly fractions: Map<number, number>
  /** The sum of these. */
  sum: number
  /** The number of the part of the line before. */
  last: number
  /** The number of an earlier part that went on after a later one had begun; undefined while there is none. */
  back: number | undefined
  areAtOnce: boolean
}

const begun = (total: number): PartsMade => ({
  total,
  fractions: new Map(),
  sum: 0,
  last: 0,
  back: undefined,
  areAtOnce: false,
})

/**
 * Adds up the parts of a count of which several are made at the same time, each with its own percentage:
 * "song 1/6: 60%", "song 2/6: 40%", "song 1/6: 65%". Mostly one part follows another. They are made at the same time if an
 * earlier part goes on, and a later one as well.
 */
export class PartsAtOnce {
  readonly #kinds = new Map<string, PartsMade>()

  /**
   * How far all parts are together, 0 to 1; undefined while one part seems to follow another. The line shows that the part
   * with the number `n` of `total` has reached `fraction`.
   */
  together(kind: string, { n, total }: { n: number; total: number }, fraction: number): number | undefined {
    const known = this.#kinds.get(kind)
    const parts = known?.total === total ? known : begun(total)
    if (known || this.#kinds.size < MOST) this.#kinds.set(kind, parts)
    const { fractions, last, back } = parts
    const own = fractions.get(n)
    const goesOn = own !== undefined && fraction > own
    if (goesOn && n < last) parts.back = n
    parts.areAtOnce ||= goesOn && back !== undefined && n > back
    parts.last = n
    if (own !== undefined ? fraction > own : fractions.size < MOST_PARTS) {
      fractions.set(n, fraction)
      parts.sum += fraction - (own ?? 0)
    }
    return parts.areAtOnce ? Math.min(1, parts.sum / total) : undefined
  }
}
