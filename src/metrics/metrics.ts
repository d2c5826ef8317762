import { within } from "../background-work.ts"
import { Counter, Histogram, Series } from "./counters.ts"
import {
  type CounterName,
  type Description,
  type HistogramName,
  METRICS,
  PROCESS_METRICS,
  type ReadName,
} from "./names.ts"
import { exposedName, histogramLines, metricLine } from "./prometheus-text.ts"

/** A value with the values of its labels. */
export interface Sample {
  /** In the order of the labels; absent for a metric without labels. */
  readonly labels?: readonly string[]
  /** The number. */
  readonly value: number
}

/** What a gauge reads: one number, or one for each value of its labels. */
type ReadGauge = () => number | readonly Sample[] | Promise<number | readonly Sample[]>

/** A gauge that takes longer is left out: the database does not answer, and a scrape waits for a few seconds only. */
const LONGEST_READ_MS = 2000

/** The gauge that is being read. @throws if that takes too long */
async function inTime(lines: Promise<string>): Promise<string> {
  if (await within(LONGEST_READ_MS, lines)) return lines
  throw new Error(`it could not be read within ${LONGEST_READ_MS / 1000} s`)
}

/**
 * The metrics of one server. The code that counts gets its counters and histograms once and keeps them, so
 * that counting is only an addition. Gauges are read when the text is made.
 */
export class Metrics {
  readonly #counters = new Map<string, Series<Counter>>()
  readonly #histograms = new Map<string, Series<Histogram>>()
  readonly #reads = new Map<string, ReadGauge>()

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

  /** Sets how a gauge is read. */
  read(name: ReadName, read: ReadGauge): void {
    this.#reads.set(name, read)
  }

  /**
   * All metrics in the text format of Prometheus. A gauge that cannot be read, or not in time, is left out, and
   * `onError` is called with the reason. All are read at once, so that no gauge waits for another one.
   */
  async text(onError: (error: unknown) => void): Promise<string> {
    const parts = Object.entries({ ...METRICS, ...PROCESS_METRICS }).map(async ([name, description]) => {
      const lines = await inTime(this.#linesOf(name, description)).catch((error: unknown) => {
        onError(error)
        return ""
      })
      const { help, type } = description
      const exposed = exposedName(name)
      return lines === "" ? "" : `# HELP ${exposed} ${help}\n# TYPE ${exposed} ${type}\n${lines}`
    })
    return (await Promise.all(parts)).join("")
  }

  async #linesOf(name: string, { labels = [] }: Description): Promise<string> {
    const exposed = exposedName(name)
    const paired = (values: readonly string[] = []) =>
      labels.map((label, at) => [label, values[at] ?? ""] as const)
    const read = this.#reads.get(name)
    if (read) {
      const found = await read()
      const samples: readonly Sample[] = typeof found === "number" ? [{ value: found }] : found
      return samples.map((one) => metricLine(exposed, paired(one.labels), one.value)).join("")
    }
    const counters = this.#counters.get(name)?.all ?? []
    const histograms = this.#histograms.get(name)?.all ?? []
    return [
      ...counters.map((one) => metricLine(exposed, paired(one.labels), one.value.value)),
      ...histograms.map((one) => histogramLines(exposed, paired(one.labels), one.value)),
    ].join("")
  }
}

function seriesOf<Value>(known: Map<string, Series<Value>>, name: string, make: () => Value): Series<Value> {
  const found = known.get(name) ?? new Series(make)
  known.set(name, found)
  return found
}
