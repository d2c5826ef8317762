import { afterAll, beforeAll, expect, test } from "bun:test"

import { METRICS, PROCESS_METRICS } from "../../../src/metrics/names.ts"
import { exposedName } from "../../../src/metrics/prometheus-text.ts"
import { found } from "../../engines.ts"
import { type Exposed, labelsOf, parsed, valueOf } from "../../metrics/exposition.ts"
import { Reader } from "../../reader.ts"
import { start, type TestServer, textOf } from "../../server.ts"
import { WebSocketReader } from "../../websockets.ts"
import { asked, attempt } from "../../worker.ts"
import { bearer, known, tokenOf } from "../tokens.ts"

/** Metrics that only appear after a fault, or with a setting that this test does not use. */
const RARE = ["commit_errors_total", "degraded", "backup_last_success_timestamp_seconds"]

let server: TestServer
let hook: Bun.Server<undefined>
let text = ""
/** The metrics that a scrape must contain by now. */
let auth: Record<string, string> = {}

/** The present metrics. */
async function scraped(headers = auth): Promise<ReadonlyMap<string, Exposed>> {
  const answer = await fetch(`${server.url}/metrics`, { headers })
  expect(answer.status).toBe(200)
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
  expect(answer.headers.get("cache-control")).toBe("no-store")
  text = await answer.text()
  return parsed(text)
}

/** Resolves with the metrics when a sample has this value. */
async function until(sample: string, value: number): Promise<ReadonlyMap<string, Exposed>> {
  for (;;) {
    const metrics = await scraped()
    if (valueOf(metrics, `track_studio_${sample}`) === value) return metrics
  }
}

const ours = (metrics: ReadonlyMap<string, Exposed>, sample: string): number | undefined =>
  valueOf(metrics, `track_studio_${sample}`)

beforeAll(async () => {
  hook = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("", { status: 500 }) })
  const args = [
    "--webhook",
    `http://127.0.0.1:${hook.port}/`,
    "--requests-per-address",
    "0",
    "--reports-per-lease",
    "2",
  ]
  server = await start({ args })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await hook.stop(true)
})

test("what happens to items is counted: updates, commits, leases, rescues, webhooks", async () => {
  const done = await attempt(server)
  await done.say("progress", { progress: 50 })
  await done.say("complete", {})
  await attempt(server, {}, { lease: 1 })
  const held = await attempt(server)
  await server.add({ song_id: 2, tags: ["nobody"], available_in: 3600 })
  const claiming = new AbortController()
  const waiting = asked(server, { wait: 60 }, { signal: claiming.signal }).catch(() => undefined)
  const metrics = await until('leases_lost_total{reason="silent"}', 1)
  expect(ours(metrics, "rescues_total")).toBe(1)
  expect(ours(metrics, "claims_waiting")).toBe(1)
  expect(ours(metrics, "leases")).toBe(1)
  expect(ours(metrics, 'queue_items{status="completed"}')).toBe(1)
  expect(ours(metrics, 'queue_items{status="queued"}')).toBe(1)
  expect(ours(metrics, 'updates_total{status="completed"}')).toBe(1)
  expect(ours(metrics, 'updates_total{status="queued"}')).toBe(4)
  expect(ours(metrics, 'updates_total{status="processing"}')).toBe(4)
  expect(ours(metrics, "queue_oldest_waiting_seconds")).toBeWithin(0, 60)
  await until('webhook_deliveries{status="pending"}', 1)
  const attempts = [...((await scraped()).get("track_studio_webhook_attempts_total")?.samples ?? [])]
  expect(attempts).toEqual([
    [expect.stringMatching(/\{webhook="[0-9a-f]{8}",code="500"\}$/), expect.any(Number)],
  ])
  const ready: { reasons: object[] } = await (await fetch(`${server.url}/health/ready`)).json()
  const failing = { reason: "webhooks_failing", unready: false }
  expect(ready.reasons).toContainEqual(expect.objectContaining(failing))
  await held.say("release")
  claiming.abort()
  await waiting
}, 180_000)

test("an update that was refused is not counted, and each that was stored is", async () => {
  const id = await server.add()
  const total = async (): Promise<number> =>
    [...((await scraped()).get("track_studio_updates_total")?.samples.values() ?? [])].reduce((a, b) => a + b)
  const before = await total()
  expect((await server.api("PUT", `/queue/${id}`, { status: "completed" })).status).toBe(409)
  expect((await server.api("PUT", `/queue/${id}`, { title: "x" })).status).toBe(200)
  expect(await total()).toBe(before + 1)
  expect(await total()).toBe(await server.head())
})

test("streams are counted as they open and end, with what they were sent", async () => {
  const before = await scraped()
  const id = await server.add()
  const all = await Reader.open(`${server.url}/api/v1/progress/stream`)
  await all.first("live")
  const lost = await Reader.open(`${server.url}/api/v1/progress/stream?last_event_id=999999`)
  expect((await lost.first("gap")).data["reason"]).toBe("unknown")
  const one = await fetch(`${server.url}/api/v1/progress/stream/${id}?format=ndjson&until=finished`)
  const metrics = await scraped()
  expect(ours(metrics, 'streams{kind="global",format="sse"}')).toBe(2)
  expect(ours(metrics, 'streams{kind="item",format="ndjson"}')).toBe(1)
  const grown = (sample: string, from = before, to = metrics): number =>
    (ours(to, sample) ?? 0) - (ours(from, sample) ?? 0)
  expect(grown("streams_opened_total")).toBe(3)
  expect(grown("stream_replays_total")).toBe(1)
  expect(ours(metrics, 'gaps_total{reason="unknown"}')).toBe(1)
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  const lines = (await one.text()).trimEnd().split("\n")
  await all.until(() => all.updates.some(({ data }) => data["status"] === "completed"))
  all.leave()
  lost.leave()
  const after = await until('streams_closed_total{reason="client"}', 2)
  expect(ours(after, 'streams_closed_total{reason="finished"}')).toBe(1)
  expect(ours(after, 'streams{kind="global",format="sse"}')).toBe(0)
  expect(ours(after, 'streams{kind="item",format="ndjson"}')).toBeUndefined()
  // Two updates to three streams, and the end of one.
  expect(grown("sent_frames_total", metrics, after)).toBe(7)
  expect(lines).toHaveLength(5)
  expect(grown("sent_bytes_total", metrics, after)).toBeGreaterThan(7 * 50)
  expect(grown("delivery_seconds_count", metrics, after)).toBe(6)
}, 180_000)

test("metrics need an admin, or a viewer on this machine", async () => {
  const worker = await tokenOf(server, "worker")
  await known(server, worker)
  expect((await fetch(`${server.url}/metrics`, { headers: bearer(worker) })).status).toBe(403)
  const viewer = await tokenOf(server, "viewer")
  await known(server, viewer)
  expect((await fetch(`${server.url}/metrics`, { headers: bearer(viewer) })).status).toBe(200)
  const elsewhere = { ...bearer(viewer), "x-forwarded-for": "203.0.113.9" }
  expect((await fetch(`${server.url}/metrics`, { headers: elsewhere })).status).toBe(403)
  const admin = await tokenOf(server, "admin")
  await known(server, admin)
  const proxied = { ...bearer(admin), "x-forwarded-for": "203.0.113.9" }
  expect((await fetch(`${server.url}/metrics`, { headers: proxied })).status).toBe(200)
  auth = bearer(admin)
})

test("every refusal is counted by its reason, and every answer by its route and status", async () => {
  const before = await scraped()
  for (let at = 0; at < 2; at += 1)
    await fetch(`${server.url}/api/v1/queue`, { method: "POST", headers: { origin: "https://evil.example" } })
  await fetch(`${server.url}/api/v1/queue`, { headers: { host: "evil.example" } })
  await server.api("GET", "/queue/4000", undefined, auth)
  await server.api("GET", "/nothing/here", undefined, auth)
  const socket = await WebSocketReader.open(server.url, "/progress/ws", auth)
  socket.leave()
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  expect((await server.api("POST", "/queue", { song_id: 1 }, bearer(secret))).status).toBe(403)
  const lease = { ...auth, lease: "no-such-lease" }
  for (let at = 0; at < 20; at += 1) await server.api("POST", "/queue/4000/heartbeat", undefined, lease)
  const metrics = await scraped()
  const grown = (sample: string): number => (ours(metrics, sample) ?? 0) - (ours(before, sample) ?? 0)
  expect(grown('refused_total{reason="origin"}')).toBe(2)
  expect(grown('refused_total{reason="host"}')).toBe(1)
  expect(grown('refused_total{reason="role"}')).toBe(1)
  expect(grown('refused_total{reason="token"}')).toBeGreaterThan(0)
  expect(grown('refused_total{reason="rate"}')).toBeGreaterThan(0)
  expect(grown('http_requests_total{route="GET /api/v1/queue/:id",code="404"}')).toBeGreaterThan(0)
  expect(grown('http_requests_total{route="GET /api/v1/progress/ws",code="101"}')).toBe(1)
  // the checks answer before a route is looked for.
  expect(grown('http_requests_total{route="none",code="404"}')).toBe(1)
  expect(grown('http_requests_total{route="none",code="403"}')).toBe(2)
  expect(grown('http_requests_total{route="none",code="421"}')).toBe(1)
  expect(grown('http_requests_total{route="POST /api/v1/queue",code="403"}')).toBe(1)
})

test("after all this every metric is exposed as it is described, but for those that only a fault brings about", () => {
  const metrics = parsed(text)
  const described = Object.entries({ ...METRICS, ...PROCESS_METRICS })
  const expected = described.map(([name]) => name).filter((name) => !RARE.includes(name))
  const names = [...metrics.keys()].filter((name) => !RARE.some((rare) => name === exposedName(rare)))
  expect(names).toEqual(expected.map(exposedName))
  for (const [name, { type, help, ...rest }] of described) {
    const found = metrics.get(exposedName(name))
    if (!found) continue
    expect([name, found.type, found.help]).toEqual([name, type, help])
    const labels = "labels" in rest ? rest.labels : []
    for (const sample of found.samples.keys()) {
      expect(labelsOf(sample).filter((label) => label !== "le")).toEqual([...labels])
    }
  }
})

const promtool = found("promtool")

test.skipIf(promtool === null)(
  "promtool finds no fault in them (it comes with Debian's package prometheus)",
  async () => {
    const child = Bun.spawn([promtool ?? "", "check", "metrics"], {
      stdin: new TextEncoder().encode(text),
      stdout: "pipe",
      stderr: "pipe",
    })
    const said = [await textOf(child.stdout), await textOf(child.stderr)]
    expect([await child.exited, ...said]).toEqual([0, "", ""])
  },
)
