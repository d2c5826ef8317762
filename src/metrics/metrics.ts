import {
  type CounterName,
  type Description,
  type HistogramName,
  METRICS,
  PROCESS_METRICS,
  type ReadName,
} from "./names.ts"

/** The content type of the text format of Prometheus. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

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
class Series<Value> {
  readonly #made = new Map<string, { readonly labels: readonly string[]; readonly value: Value }>()
  readonly #make: () => Value

  constructor(make: () => Value) {
    this.#make = make
  }

  /** The one with these values of the labels, in the order of the labels; made at its first use. */
  of(...labels: readonly string[]): Value {
    // No value that we give a label has this character.
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

/** A value with the values of its labels. */
export interface Sample {
  /** In the order of the labels; absent for a metric without labels. */
  readonly labels?: readonly string[]
  /** The number. */
  readonly value: number
}

/** What a gauge reads: one number, or one for each value of its labels. */
type Read = () => number | readonly Sample[] | Promise<number | readonly Sample[]>

/** The name of a metric as it is exposed: metrics of the process do not have our prefix. */
export const exposedName = (name: string): string =>
  Object.hasOwn(METRICS, name) ? `track_studio_${name}` : name

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')

const line = (name: string, labels: readonly (readonly [string, string])[], value: number): string => {
  const shown = labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(",")
  return `${name}${shown === "" ? "" : `{${shown}}`} ${value}\n`
}

/** The lines of a histogram: a bucket also counts the values of the buckets below it. */
function histogramLines(
  name: string,
  labels: readonly (readonly [string, string])[],
  { bounds, counts, sum }: Histogram,
): string {
  let below = 0
  const buckets = counts.map((count, at) => {
    below += count
    return line(`${name}_bucket`, [...labels, ["le", String(bounds[at] ?? "+Inf")]], below)
  })
  return buckets.join("") + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, below)
}

/**
 * The metrics of one server. Counters and histograms are asked for once and then kept by what counts, so that
 * counting is an addition. Gauges are read when the text is made.
 */
export class Metrics {
  readonly #counters = new Map<string, Series<Counter>>()
  readonly #histograms = new Map<string, Series<Histogram>>()
  readonly #reads = new Map<string, Read>()

  /** The counters of this name, by the values of their labels. */
  counters(name: CounterName): Pick<Series<Counter>, "of"> {
    const counters = seriesOf(this.#counters, name, () => new Counter())
    const { values = [] }: Description = METRICS[name]
    for (const value of values) counters.of(value)
    return counters
  }

  /** The counter of this name, which has no labels. */
  counter(name: CounterName): Counter {
    return this.counters(name).of()
  }

  /** The histograms of this name, by the values of their labels. */
  histograms(name: HistogramName): Pick<Series<Histogram>, "of"> {
    return seriesOf(this.#histograms, name, () => new Histogram(METRICS[name].buckets))
  }

  /** The histogram of this name, which has no labels. */
  histogram(name: HistogramName): Histogram {
    return this.histograms(name).of()
  }

  /** Says how a gauge is read. */
  read(name: ReadName, read: Read): void {
    this.#reads.set(name, read)
  }

  /**
   * All metrics in the text format of Prometheus. A gauge that cannot be read is left out, and `onError` is called
   * with the reason.
   */
  async text(onError: (error: unknown) => void): Promise<string> {
    const parts: string[] = []
    for (const [name, description] of Object.entries({ ...METRICS, ...PROCESS_METRICS })) {
      const lines = await this.#linesOf(name, description).catch((error: unknown) => {
        onError(error)
        return ""
      })
      const { help, type } = description
      const exposed = exposedName(name)
      if (lines !== "") parts.push(`# HELP ${exposed} ${help}\n# TYPE ${exposed} ${type}\n${lines}`)
    }
    return parts.join("")
  }

  async #linesOf(name: string, { labels = [] }: Description): Promise<string> {
    const exposed = exposedName(name)
    const paired = (values: readonly string[] = []) =>
      labels.map((label, at) => [label, values[at] ?? ""] as const)
    const read = this.#reads.get(name)
    if (read) {
      const found = await read()
      const samples: readonly Sample[] = typeof found === "number" ? [{ value: found }] : found
      return samples.map((one) => line(exposed, paired(one.labels), one.value)).join("")
    }
    const counters = this.#counters.get(name)?.all ?? []
    const histograms = this.#histograms.get(name)?.all ?? []
    return [
      ...counters.map((one) => line(exposed, paired(one.labels), one.value.value)),
      ...histograms.map((one) => histogramLines(exposed, paired(one.labels), one.value)),
    ].join("")
  }
}

function seriesOf<Value>(known: Map<string, Series<Value>>, name: string, make: () => Value): Series<Value> {
  const found = known.get(name) ?? new Series(make)
  known.set(name, found)
  return found
}
