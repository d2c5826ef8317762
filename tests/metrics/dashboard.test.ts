import { expect, test } from "bun:test"
import { join } from "node:path"

import { type Description, METRICS, PROCESS_METRICS } from "../../src/metrics/names.ts"
import { exposedName } from "../../src/metrics/prometheus-text.ts"
import { found, freePort } from "../engines.ts"
import { Reader } from "../reader.ts"
import { start, temporaryFolder } from "../server.ts"
import { attempt } from "../worker.ts"

interface Place {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}
interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: Place
  readonly targets?: readonly { readonly expr: string }[]
}

const dashboard: { readonly panels: readonly Panel[] } = await Bun.file(
  join(import.meta.dir, "../../packaging/grafana-dashboard.json"),
).json()
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }): [string, string] => [title, expr]),
)

const DESCRIBED = new Map<string, Description>(
  Object.entries({ ...METRICS, ...PROCESS_METRICS }).map(([name, one]) => [exposedName(name), one]),
)

/** The metric that a name in a query means. */
const metricOf = (name: string): string | undefined =>
  DESCRIBED.has(name)
    ? name
    : ["_bucket", "_sum", "_count"]
        .map((suffix) => name.replace(new RegExp(`${suffix}$`), ""))
        .find((one) => DESCRIBED.get(one)?.type === "histogram")

const namesIn = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:track_studio|process)_\w+/g)].map(([name]) => name)

test("every query of the dashboard names metrics that exist, and labels that they have", () => {
  expect(queries.length).toBeGreaterThan(30)
  for (const [title, expr] of queries) {
    const names = namesIn(expr)
    expect([title, names.length > 0]).toEqual([title, true])
    const metrics = names.map(metricOf)
    expect([title, metrics.filter((one) => one === undefined)]).toEqual([title, []])
    const known = metrics.flatMap((one) => DESCRIBED.get(one ?? "")?.labels ?? [])
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(/, */))
    const matched = [...expr.matchAll(/[{,](\w+)=/g)].map(([, label = ""]) => label)
    for (const label of [...grouped, ...matched]) {
      expect([title, label, [...known, "le", "job", "instance"].includes(label)]).toEqual([
        title,
        label,
        true,
      ])
    }
  }
})

test("a counter is never shown as it is, a gauge never as a rate, and a histogram by its buckets, sum or count", () => {
  for (const [title, expr] of queries) {
    for (const name of namesIn(expr)) {
      const type = DESCRIBED.get(metricOf(name) ?? "")?.type
      const isRated = new RegExp(`rate\\(${name}\\{`).test(expr)
      expect([title, name, isRated]).toEqual([title, name, type !== "gauge"])
      expect([name, type === "histogram"]).toEqual([name, !DESCRIBED.has(name)])
    }
  }
})

test("every metric has its place on the dashboard", () => {
  const shown = new Set(queries.flatMap(([, expr]) => namesIn(expr).map(metricOf)))
  expect([...DESCRIBED.keys()].filter((name) => !shown.has(name))).toEqual([])
})

test("no two panels of the dashboard overlap or have the same id, and each says what it shows", () => {
  const { panels } = dashboard
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  const taken = new Set<string>()
  for (const { gridPos, title, type, description } of panels) {
    expect(title).not.toBe("")
    if (type !== "row") expect(description).toMatch(/\.$/)
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false])
        taken.add(`${x} ${y}`)
      }
  }
})

/**
 * Queries without a result while everything is well: no reason, no webhook, no backup, no error of the
 * database.
 */
const EMPTY = /degraded|webhook_attempts|backup_last|commit_errors/

const prometheus = found("prometheus")

test.skipIf(prometheus === null)(
  "a Prometheus that scrapes the server answers every query of the dashboard (Debian's package prometheus)",
  async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const port = freePort()
    const scrape = `{job_name: track-studio, static_configs: [{targets: ["${new URL(server.url).host}"]}]}`
    const config = join(folder.path, "prometheus.yml")
    await Bun.write(config, `global: {scrape_interval: 500ms}\nscrape_configs: [${scrape}]\n`)
    const url = `127.0.0.1:${port}`
    const child = Bun.spawn(
      [
        prometheus ?? "",
        `--config.file=${config}`,
        `--storage.tsdb.path=${folder.path}`,
        `--web.listen-address=${url}`,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    )
    const ask = async (expr: string): Promise<{ value: [number, string] }[]> => {
      const answer = await fetch(`http://${url}/api/v1/query?query=${encodeURIComponent(expr)}`)
      const body: { status: string; error?: string; data?: { result: { value: [number, string] }[] } } =
        await answer.json()
      if (body.status !== "success") throw new Error(`${expr}: ${body.error}`)
      return body.data?.result ?? []
    }
    try {
      const viewer = await Reader.open(`${server.url}/api/v1/progress/stream`)
      // Rates need two scrapes with different values.
      const scrapes = "min_over_time(up[1m]) and (count_over_time(up[1m]) > 4)"
      while ((await ask(scrapes).catch(() => [])).length === 0) {
        await (await attempt(server)).say("complete", {})
        await Bun.sleep(50)
      }
      for (const [title, expr] of queries) {
        const filled = expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(job|instance)/g, ".*")
        const answered = await ask(filled)
        if (!EMPTY.test(expr)) expect([title, filled, answered.length > 0]).toEqual([title, filled, true])
        for (const { value } of answered)
          expect([title, value[1]]).toEqual([title, expect.stringMatching(/^(NaN|\d)/)])
      }
      viewer.leave()
    } finally {
      child.kill()
      await child.exited
    }
  },
  180_000,
)
