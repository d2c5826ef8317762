import { expect, test } from "bun:test"

import { Reasons } from "../../src/health.ts"
import { healthRoute } from "../../src/http/health.ts"
import { start } from "../server.ts"

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

test("a reason that is noted makes health degraded, still with 200, until it no longer holds", async () => {
  const reasons = new Reasons()
  const app = healthRoute({ reasons, version: "0", commit: "none", startedMs: 0 }, "health")
  const health = async () => {
    const answer = await app.handle(new Request("http://localhost/health"))
    const { status, reasons: told }: { status: string; reasons: string[] } = await answer.json()
    return [answer.status, status, ...told]
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
