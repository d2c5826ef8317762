/** A metric as it is exposed. */
export interface Exposed {
  readonly help: string
  readonly type: string
  /** Values by the full name of the sample with its labels, as in `name{a="b"}`. */
  readonly samples: ReadonlyMap<string, number>
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
const LABELS = `(?:\\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\n"])*"(?:,(?!\\}))?)*)\\})?`
const SAMPLE = new RegExp(`^(${NAME})${LABELS} (NaN|[+-]?Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)$`)
const SUFFIX = /_(?:bucket|sum|count)$/

/** The names of the labels of a sample. */
export const labelsOf = (sample: string): string[] =>
  [...sample.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="/g)].map(([, label = ""]) => label)

/**
 * Reads the text format 0.0.4 of Prometheus, as strictly as its documentation: each metric in one block, with
 * help and type before its samples.
 * @throws Error that names the line
 */
export function parsed(text: string): Map<string, Exposed> {
  const metrics = new Map<string, Exposed & { samples: Map<string, number> }>()
  let current: { name: string; help: string } | undefined
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  for (const line of text.split("\n").slice(0, -1)) {
    const [, helped, help = ""] = new RegExp(`^# HELP (${NAME}) (.*)$`).exec(line) ?? []
    const [, typed, type = ""] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line) ?? []
    const [sample, full = "", labels, value = ""] = SAMPLE.exec(line) ?? []
    if (helped !== undefined) current = { name: helped, help }
    else if (typed !== undefined && typed === current?.name && !metrics.has(typed)) {
      metrics.set(typed, { help: current.help, type, samples: new Map() })
    } else if (sample !== undefined) {
      const metric = metrics.get(current?.name ?? "")
      const name = metric?.type === "histogram" ? full.replace(SUFFIX, "") : full
      if (!metric || name !== current?.name) throw new Error(`this belongs to no metric: ${line}`)
      const key = `${full}{${labels ?? ""}}`
      if (metric.samples.has(key)) throw new Error(`twice: ${line}`)
      metric.samples.set(key, Number(value.replace("Inf", "Infinity")))
    } else throw new Error(`this is no line of the format: ${line}`)
  }
  return metrics
}

/** The value of a sample, such as `name{a="b"}`; undefined if there is none. */
export function valueOf(metrics: ReadonlyMap<string, Exposed>, sample: string): number | undefined {
  const name = sample.replace(/\{.*$/, "")
  const metric = metrics.get(name) ?? metrics.get(name.replace(SUFFIX, ""))
  return metric?.samples.get(sample.includes("{") ? sample : `${sample}{}`)
}
