import { expect, spyOn, test } from "bun:test"

import { DEGRADED, Reasons } from "../../../src/degraded-reasons.ts"
import { type AppParts, createApp } from "../../../src/http/app.ts"
import type { ServerSeen } from "../../../src/wire/health-and-stats.ts"
import { UNPROTECTED } from "../unprotected.ts"

const SINCE = "2026-01-02T03:04:05.678Z"
const seen = { version: "0", address: "127.0.0.1:8080", since: SINCE, seen_at: SINCE }
const servers: readonly ServerSeen[] = [
  { id: "a", name: "box", streams: 3, ...seen },
  { id: "b", name: "bay", streams: 4, ...seen },
]

test("the figures say what is open here, or in the whole fleet if that is asked for, what is stored, what is wrong, and for how long the server has run", async () => {
  const bounds = { oldest: 3, newest: 9, stored: 7 }
  const open = { global: 1, item: 2 }
  const reasons = new Reasons()
  const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...about,
    ...UNPROTECTED,
    reasons,
    now: () => Date.parse(SINCE),
    servers: () => Promise.resolve(servers),
    streams: { stats: () => Promise.resolve({ open, bounds }) },
  }
  let steadyMs = 5000
  using _clock = spyOn(performance, "now").mockImplementation(() => steadyMs)
  const app = createApp(parts as AppParts)
  steadyMs += 90_500
  const ask = async (query: string): Promise<unknown> =>
    (await app.handle(new Request(`http://127.0.0.1/api/v1/progress/stats${query}`))).json()
  const figures = {
    connected_clients: 3,
    timestamp: SINCE,
    streams: open,
    updates: { stored: 7, oldest_id: 3, newest_id: 9 },
    uptime_seconds: 90,
    client_address: "",
  }
  expect(await ask("")).toEqual(figures)
  expect(await ask("?all=false&streams=false")).toEqual(figures)
  expect(await ask("?all=true")).toEqual({ ...figures, connected_clients: 7, servers })
  bounds.stored = 0
  reasons.set("wal_pinned", true)
  expect(await ask("")).toEqual({
    ...figures,
    updates: { stored: 0, oldest_id: null, newest_id: null },
    degraded: [{ reason: "wal_pinned", ...DEGRADED.wal_pinned }],
  })
})
