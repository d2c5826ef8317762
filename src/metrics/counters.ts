/** A number that only grows. */
export class Counter {
  /** The number so far. */
  value = 0

  /** Adds to it: 1 by default. */
  add(by = 1): void {
    this.value += by
  }
}

/** Counts by size. */
export class Histogram {
  /** The upper bounds of its buckets, ascending. */
  readonly bounds: readonly number[]
  /** How many were observed in each bucket; the last is for those above all bounds. */
  readonly counts: number[]
  /** The sum of all that was observed. */
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = Array<number>(bounds.length + 1).fill(0)
  }

  /** Counts a value `times` times; once by default. */
  observe(value: number, times = 1): void {
    let at = 0
    while (value > (this.bounds[at] ?? Number.POSITIVE_INFINITY)) at += 1
    this.counts[at] = (this.counts[at] ?? 0) + times
    this.sum += value * times
  }
}

/** The values of a metric by the values of its labels. */
export class Series<Value> {
  readonly #made = new Map<string, { readonly labels: readonly string[]; readonly value: Value }>()
  readonly #make: () => Value

  constructor(make: () => Value) {
    this.#make = make
  }

  /** The value for these labels, given in their order; made at its first use. */
  of(...labels: readonly string[]): Value {
    // No label of ours has a value with this character.
    const key = labels.length === 1 ? (labels[0] ?? "") : labels.join("\n")
    const known = this.#made.get(key)
    if (known) return known.value
    const value = this.#make()
    this.#made.set(key, { labels, value })
    return value
  }

  /** All that were made. */
  get all(): readonly { readonly labels: readonly string[]; readonly value: Value }[] {
    return [...this.#made.values()]
  }
}
