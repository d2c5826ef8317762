import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"

import { DEGRADED, type Reason, Reasons, UNREADY } from "../../../src/degraded-reasons.ts"
import { type AppParts, createApp } from "../../../src/http/app.ts"
import { parsed, valueOf } from "../../metrics/exposition.ts"
import { Reader } from "../../reader.ts"
import { start } from "../../server.ts"
import { UNPROTECTED } from "../unprotected.ts"

test("health answers 200 with ok and no reasons, also below the API's base", async () => {
  await using server = await start()
  for (const path of ["/health", "/api/v1/health"]) {
    const answer = await fetch(server.url + path)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      status: "ok",
      reasons: [],
      service: "track-studio-orchestrator",
      uptime_seconds: expect.any(Number),
    })
  }
})

/** What the health routes answer. */
interface Answered {
  status?: string
  reasons?: unknown[]
  uptime_seconds?: number
  stood_seconds?: number
  retention_begins_at?: string
}

/** An app of which every part throws when it is used, except those that the health routes may use. */
function bareApp({ reasons = new Reasons(), ...given }: Partial<AppParts>) {
  const untouchable = new Proxy(
    {},
    {
      get: (_target, key) => {
        throw new Error(`${String(key)} was touched`)
      },
    },
  )
  const known = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...known,
    ...UNPROTECTED,
    reasons,
    stoodMs: () => 0,
    now: Date.now,
    queue: untouchable,
    totals: untouchable,
    onError: (_id: string, error: unknown) => console.error(error),
    ...given,
  }
  const app = createApp(parts as AppParts)
  return async (path: string) => {
    const answer = await app.handle(new Request(`http://localhost${path}`))
    const body: Answered = await answer.json()
    return { status: answer.status, body }
  }
}

test("a reason that is noted makes health degraded, still with 200, until it no longer holds", async () => {
  const reasons = new Reasons()
  const ask = bareApp({ reasons })
  const health = async () => {
    const { status, body } = await ask("/health")
    return [status, body.status, ...(body.reasons ?? [])]
  }
  expect(await health()).toEqual([200, "ok"])
  reasons.set("wal_pinned", true)
  reasons.set("database_unwritable", true)
  reasons.set("wal_pinned", true)
  expect(await health()).toEqual([200, "degraded", "wal_pinned", "database_unwritable"])
  reasons.set("wal_pinned", false)
  expect(await health()).toEqual([200, "degraded", "database_unwritable"])
  reasons.set("database_unwritable", false)
  expect(await health()).toEqual([200, "ok"])
})

test("health says for how many seconds the server has run", async () => {
  let nowMs = 5000
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const ask = bareApp({})
  nowMs += 90_500
  expect((await ask("/health")).body.uptime_seconds).toBe(90)
})

test("health says when the removal of old data begins, until it has begun", async () => {
  const nowMs = Date.UTC(2026, 0, 2)
  const answerAt = async (beginsMs: number) =>
    (await bareApp({ now: () => nowMs, retentionBeginsAtMs: () => beginsMs })("/health")).body
  expect((await answerAt(nowMs + 1)).retention_begins_at).toBe("2026-01-02T00:00:00.001Z")
  for (const other of [nowMs, nowMs - 1, Number.POSITIVE_INFINITY])
    expect(await answerAt(other)).not.toHaveProperty("retention_begins_at")
})

test("live touches nothing, and fails only when no timer had a turn for 60 s", async () => {
  let stoodMs = 0
  const reasons = new Reasons()
  const ask = bareApp({ reasons, stoodMs: () => stoodMs })
  for (const reason of Object.keys(DEGRADED)) reasons.set(reason as Reason, true)
  expect(await ask("/health/live")).toEqual({ status: 200, body: { status: "live", stood_seconds: 0 } })
  stoodMs = 59_999
  expect((await ask("/health/live")).status).toBe(200)
  stoodMs = 60_000
  expect(await ask("/health/live")).toEqual({ status: 503, body: { status: "stuck", stood_seconds: 60 } })
})

test("ready touches nothing, fails for what keeps the server from its work, and lists the rest", async () => {
  const reasons = new Reasons()
  const ask = bareApp({ reasons })
  expect(await ask("/health/ready")).toEqual({ status: 200, body: { status: "ready", reasons: [] } })
  for (const reason of Object.keys(DEGRADED) as Reason[]) {
    reasons.set(reason, true, "SQLITE_FULL")
    const { status, body } = await ask("/health/ready")
    const unready = UNREADY.includes(reason)
    expect([reason, status]).toEqual([reason, unready ? 503 : 200])
    expect(body).toEqual({
      status: unready ? "unready" : "ready",
      reasons: [
        { reason, unready, since: expect.any(String), about: DEGRADED[reason].about, detail: "SQLITE_FULL" },
      ],
    })
    reasons.set(reason, false)
  }
})

test("a reason that goes on keeps the time at which it began, with the latest detail", () => {
  const reasons = new Reasons()
  reasons.set("disk_low", true, "200 MiB free")
  const [first] = reasons.held
  reasons.set("disk_low", true, "100 MiB free")
  expect(reasons.held).toEqual([{ reason: "disk_low", since: first?.since ?? "", detail: "100 MiB free" }])
})

test("the table of reasons in docs/monitoring.md is the one that the server answers by", async () => {
  const text = await Bun.file("docs/monitoring.md").text()
  const told = [...text.matchAll(/^\| `(\w+)` +\| (yes)? *\| (.*?) +\|$/gm)].map(
    ([, ...cells]): unknown[] => cells,
  )
  const rows = Object.entries(DEGRADED).map(([reason, { about }]) => [
    reason,
    UNREADY.some((one) => one === reason) ? "yes" : undefined,
    about,
  ])
  expect(told).toEqual(rows)
})

test("while another program holds the database, streams go on, ready fails at once and says why, and metrics say so too", async () => {
  await using server = await start({ args: ["--keepalive-ms", "100"] })
  const id = await server.add()
  const ready = async () => {
    const askedMs = performance.now()
    const answer = await fetch(`${server.url}/health/ready`)
    const body: { reasons: { reason: string; detail: string; since: string }[] } = await answer.json()
    return { status: answer.status, reasons: body.reasons, tookMs: performance.now() - askedMs }
  }
  expect((await ready()).status).toBe(200)
  const before = await Reader.open(`${server.url}/api/v1/progress/stream`)
  await before.first("live")
  const other = new Database(server.database)
  other.run("BEGIN IMMEDIATE")
  const during = await Reader.open(`${server.url}/api/v1/progress/stream`)
  await during.first("live")
  expect(during.updates).toHaveLength(1)
  const keepalives = (reader: Reader): number => reader.raw.split(": keepalive\n").length - 1
  const [hadBefore, hadDuring] = [keepalives(before), keepalives(during)]
  expect((await server.api("PUT", `/queue/${id}`, { title: "x" })).status).toBe(503)
  let found = await ready()
  while (found.status === 200) found = await ready()
  expect(found.status).toBe(503)
  const unwritable = { reason: "database_unwritable", detail: "SQLITE_BUSY" }
  expect(found.reasons).toContainEqual(expect.objectContaining(unwritable))
  expect(found.tookMs).toBeLessThan(4000)
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
  const metrics = parsed(await (await fetch(`${server.url}/metrics`)).text())
  const value = (sample: string) => valueOf(metrics, `track_studio_${sample}`)
  expect(value("database_writable")).toBe(0)
  expect(value('commit_errors_total{code="SQLITE_BUSY"}')).toBeGreaterThan(0)
  expect(value('degraded{reason="database_unwritable"}')).toBe(1)
  expect([keepalives(before) > hadBefore + 10, keepalives(during) > hadDuring + 10]).toEqual([true, true])
  other.close()
  while ((await ready()).status !== 200);
  await server.put(id, { title: "y" })
  for (const reader of [before, during]) {
    await reader.until(() => reader.updates.at(-1)?.data["title"] === "y")
    reader.leave()
  }
}, 180_000)

test("while almost no file descriptors are left only probes, metrics and reports of renders are answered", async () => {
  const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const known = {
    reasons: new Reasons(),
    stoodMs: () => 0,
    now: Date.now,
    ...UNPROTECTED,
    areDescriptorsFew: () => true,
  }
  const parts: Partial<Record<keyof AppParts, unknown>> = { ...about, ...known, onError: () => undefined }
  const app = createApp(parts as AppParts)
  const ask = (path: string, more: RequestInit = {}): Promise<Response> =>
    app.handle(new Request(`http://127.0.0.1${path}`, more))
  for (const path of ["/api/v1/queue", "/api/v1/progress/stream", "/", "/healthy"]) {
    const answer = await ask(path)
    expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "5"])
    expect(answer.headers.get("connection")).toBe("close")
  }
  const lease = { method: "POST", headers: { lease: "a" } }
  expect((await ask("/api/v1/queue", lease)).status).toBe(503)
  for (const [path, more] of [
    ["/health", {}],
    ["/health/live", {}],
    ["/api/v1/health", {}],
    ["/metrics", {}],
    ["/api/v1/queue/7/heartbeat", lease],
  ] as const)
    expect([path, (await ask(path, more)).status]).not.toEqual([path, 503])
  const headers = { ...lease.headers, "content-type": "application/json", "content-length": "9" }
  const body = new ReadableStream({ start: (controller) => controller.enqueue("{") })
  const unfinished = await ask("/api/v1/queue/7/progress", { method: "POST", headers, body })
  expect([unfinished.status, unfinished.headers.get("connection")]).toEqual([503, "close"])
})
