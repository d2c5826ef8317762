import { expect, setDefaultTimeout, test } from "bun:test"

import { START_MS } from "../contracts/store.contract.ts"
import { ClockedServer } from "./clocked.ts"

setDefaultTimeout(180_000)

const HOUR_MS = 3_600_000

/** The clock of the database. It is the machine's clock with this difference in milliseconds. */
async function beside(aheadMs: number): Promise<ClockedServer> {
  const server = await ClockedServer.start()
  server.jumpedMs = Date.now() - START_MS + aheadMs
  await server.ask("POST", "/queue", { song_id: 1 })
  return server
}

test.concurrent.each([
  ["fast", -HOUR_MS],
  ["slow", HOUR_MS],
])("on a machine whose clock is an hour %s a heartbeat is held for half of its lease", async (_, aheadMs) => {
  await using server = await beside(aheadMs)
  const { lease } = await server.ask("POST", "/queue/claim", { worker: "box", lease: 2 })
  const askedMs = performance.now()
  await server.ask("POST", "/queue/1/heartbeat?wait=15", undefined, lease?.token)
  const tookMs = performance.now() - askedMs
  expect(tookMs).toBeGreaterThan(900)
  expect(tookMs).toBeLessThan(10_000)
})

test.concurrent(
  "on a machine whose clock is an hour slow the lease of a silent renderer is renewed in time",
  async () => {
    await using server = await beside(HOUR_MS)
    const { lease } = await server.ask("POST", "/queue/claim", { worker: "box", lease: 1 })
    const silence = new TransformStream<Uint8Array, Uint8Array>()
    const output = server.pour("/queue/1/ingest/ffmpeg", silence.readable, lease?.token ?? "")
    const heardAt = async () => (await server.ask("GET", "/workers")).workers?.[0]?.last_heard_at
    // The first of these may be the beginning of the output.
    for (const _ of ["begun", "renewed"]) {
      server.seconds += 0.25
      const now = new Date(server.nowMs).toISOString()
      while ((await heardAt()) !== now) await Bun.sleep(20)
    }
    await silence.writable.close()
    expect((await output).status).toBe(200)
  },
)

test.concurrent("no request is refused when the clock of the database goes back", async () => {
  await using server = await ClockedServer.start({ "requests-per-address": "100" })
  await server.ask("POST", "/queue", { song_id: 1 })
  server.seconds = -3600
  for (let i = 0; i < 3; i += 1) expect((await server.ask("GET", "/queue/1")).id).toBe(1)
})
