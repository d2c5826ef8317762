import type { Histogram } from "./counters.ts"
import { METRICS } from "./names.ts"

/** The content type of the text format of Prometheus. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** The name of a metric as it is exposed: metrics of the process do not have our prefix. */
export const exposedName = (name: string): string =>
  Object.hasOwn(METRICS, name) ? `track_studio_${name}` : name

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')

/** A line: a metric, its labels with their values, and its number. */
export const metricLine = (
  name: string,
  labels: readonly (readonly [string, string])[],
  value: number,
): string => {
  const shown = labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(",")
  return `${name}${shown === "" ? "" : `{${shown}}`} ${value}\n`
}

/** The lines of a histogram: a bucket also counts the values of the buckets below it. */
export function histogramLines(
  name: string,
  labels: readonly (readonly [string, string])[],
  { bounds, counts, sum }: Histogram,
): string {
  let below = 0
  const buckets = counts.map((count, at) => {
    below += count
    return metricLine(`${name}_bucket`, [...labels, ["le", String(bounds[at] ?? "+Inf")]], below)
  })
  return (
    buckets.join("") + metricLine(`${name}_sum`, labels, sum) + metricLine(`${name}_count`, labels, below)
  )
}
