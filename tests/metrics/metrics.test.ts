import { expect, test } from "bun:test"

import { MOVES } from "../../src/item/moves.ts"
import { Series } from "../../src/metrics/counters.ts"
import { Metrics } from "../../src/metrics/metrics.ts"
import { type Description, METRICS, PROCESS_METRICS } from "../../src/metrics/names.ts"
import { exposedName } from "../../src/metrics/prometheus-text.ts"
import { Gap } from "../../src/wire/frames.ts"
import { labelsOf, parsed, valueOf } from "./exposition.ts"

const ALL: readonly [string, Description][] = Object.entries({ ...METRICS, ...PROCESS_METRICS })

const textOf = (metrics: Metrics): Promise<string> =>
  metrics.text((error) => {
    throw error
  })

test("every name and label is a valid one, counters end in _total, and no item or worker is a label", () => {
  for (const [name, { type, help, labels = [] }] of ALL) {
    expect(name).toMatch(/^[a-z][a-z_]*$/)
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"])
    expect(help).toMatch(/^(\d|[A-Z]).*\.$/)
    for (const label of labels) {
      expect(label).toMatch(/^[a-z]+$/)
      expect(["item", "queue", "id", "worker", "song", "title", "token", "client"]).not.toContain(label)
    }
  }
})

test("a histogram counts each value in its bucket and in those above, with the sum of all", async () => {
  const metrics = new Metrics()
  const writes = metrics.histogram("commit_writes")
  for (const value of [1, 2, 2, 3, 300]) writes.observe(value)
  writes.observe(16, 10)
  const text = parsed(await textOf(metrics))
  const name = "track_studio_commit_writes"
  const samples = [...(text.get(name)?.samples ?? [])]
  expect(samples).toEqual([
    [`${name}_bucket{le="1"}`, 1],
    [`${name}_bucket{le="2"}`, 3],
    [`${name}_bucket{le="4"}`, 4],
    [`${name}_bucket{le="8"}`, 4],
    [`${name}_bucket{le="16"}`, 14],
    [`${name}_bucket{le="32"}`, 14],
    [`${name}_bucket{le="64"}`, 14],
    [`${name}_bucket{le="128"}`, 14],
    [`${name}_bucket{le="256"}`, 14],
    [`${name}_bucket{le="+Inf"}`, 15],
    [`${name}_sum{}`, 468],
    [`${name}_count{}`, 15],
  ])
})

test("what a label says is escaped, so that no text can write a line of its own", async () => {
  const metrics = new Metrics()
  metrics.counters("commit_errors_total").of('a"b\\c\nd{} 1').add(2)
  const text = await textOf(metrics)
  expect(text).toContain('track_studio_commit_errors_total{code="a\\"b\\\\c\\nd{} 1"} 2\n')
  expect(parsed(text).size).toBe(1)
})

test("one label value has one counter, and a counter that nobody added to is 0", async () => {
  const metrics = new Metrics()
  const opened = metrics.counter("streams_opened_total")
  const byStatus = metrics.counters("updates_total")
  byStatus.of("queued").add()
  byStatus.of("queued").add(2)
  byStatus.of("failed").add()
  expect(metrics.counter("streams_opened_total")).toBe(opened)
  const text = parsed(await textOf(metrics))
  expect(valueOf(text, "track_studio_streams_opened_total")).toBe(0)
  expect(valueOf(text, 'track_studio_updates_total{status="queued"}')).toBe(3)
  expect(valueOf(text, 'track_studio_updates_total{status="failed"}')).toBe(1)
})

test("counters by a cause that is known before stand at 0 from the start, so that the first increase is seen", async () => {
  const metrics = new Metrics()
  metrics.counters("gaps_total")
  metrics.counters("updates_total")
  metrics.counters("commit_errors_total")
  const text = parsed(await textOf(metrics))
  const reasons = Gap.properties.reason.anyOf.map((one) => one.const)
  expect(reasons.map((reason) => valueOf(text, `track_studio_gaps_total{reason="${reason}"}`))).toEqual(
    reasons.map(() => 0),
  )
  expect(METRICS.gaps_total.values.toSorted()).toEqual(reasons.toSorted())
  const statuses: readonly string[] = METRICS.updates_total.values
  expect(statuses.toSorted()).toEqual(Object.keys(MOVES).toSorted())
  expect(text.has("track_studio_commit_errors_total")).toBe(false)
})

test("a gauge that cannot be read is left out, and all others are there", async () => {
  const metrics = new Metrics()
  const errors: unknown[] = []
  metrics.read("leases", () => Promise.reject(new Error("locked")))
  metrics.read("claims_waiting", () => {
    throw new Error("gone")
  })
  metrics.read("streams", () => [{ labels: ["item", "sse"], value: 3 }])
  metrics.read("process_open_fds", () => 9)
  const text = parsed(await metrics.text((error) => errors.push(error)))
  expect([...text.keys()]).toEqual([exposedName("streams"), "process_open_fds"])
  expect(valueOf(text, 'track_studio_streams{kind="item",format="sse"}')).toBe(3)
  expect(errors).toHaveLength(2)
})

test("gauges that are read slowly keep no others waiting, and are left out after two seconds", async () => {
  const metrics = new Metrics()
  const errors: unknown[] = []
  const never = () => new Promise<number>(() => undefined)
  for (const name of ["queue_items", "leases", "webhook_deliveries"] as const) metrics.read(name, never)
  metrics.read("database_writable", () => 0)
  metrics.read("process_open_fds", () => Bun.sleep(500).then(() => 9))
  const beganMs = performance.now()
  const text = parsed(await metrics.text((error) => errors.push(String(error))))
  expect(performance.now() - beganMs).toBeLessThan(5000)
  expect([...text.keys()]).toEqual([exposedName("database_writable"), "process_open_fds"])
  expect(new Set(errors)).toEqual(new Set(["Error: it could not be read within 2 s"]))
})

test("the parser of these tests refuses text that is no exposition of metrics", () => {
  const good = '# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"} 1\n'
  expect(labelsOf([...(parsed(good).get("a_total")?.samples.keys() ?? [])][0] ?? "")).toEqual(["b"])
  for (const bad of [
    good.trimEnd(),
    good.replace("} 1", "}"),
    good.replace('"c"', '"c'),
    good.replace("# TYPE a_total counter\n", ""),
    good.replace("a_total{", "b_total{"),
    `${good}a_total{b="c"} 2\n`,
    `${good}${good}`,
    good.replace("counter", "count"),
  ]) {
    expect(() => parsed(bad)).toThrow()
  }
})

test("the table in docs/monitoring.md is the one that the metrics are described by", async () => {
  const text = await Bun.file("docs/monitoring.md").text()
  const told = [...text.matchAll(/^\| `(\w+)` +\| (counter|gauge|histogram) +\| (.*?) *\| (.*?) +\|$/gm)].map(
    ([, ...cells]): unknown[] => cells,
  )
  const rows = ALL.map(([name, { type, help, labels = [] }]) => [
    name,
    type,
    labels.map((label) => `\`${label}\``).join(" "),
    help,
  ])
  expect(told).toEqual(rows)
})

test("values of several labels are kept apart, wherever one label ends and the next begins", () => {
  const series = new Series(() => ({}))
  const [one, other] = [series.of("a", "bc"), series.of("ab", "c")]
  expect(one).not.toBe(other)
  expect(series.of("a", "bc")).toBe(one)
  expect(series.all.map(({ labels }) => labels)).toEqual([
    ["a", "bc"],
    ["ab", "c"],
  ])
})
