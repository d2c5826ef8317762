import { expect, setDefaultTimeout, test } from "bun:test"

import { chance, dice } from "../item/estimate/chance.ts"
import { ClockedServer } from "./clocked.ts"

setDefaultTimeout(180_000)

const ITEMS = 15
const REPORTS = 12
const HOUR_MS = 3_600_000

/** Anything that a worker may report about its progress, true or not. */
function report(seed: number, i: number): object {
  const { between, either } = chance(seed)
  const index = Math.ceil(between(0, 4))
  const signs: object[] = [
    { progress: Math.floor(between(0, 100)) },
    { progress: Math.floor((100 * i) / REPORTS), current_step: either(0.5, "Draw", "Render") },
    { step: { index, total: Math.ceil(between(4, 9)), name: `Step ${index}` } },
    { unit: { done: Math.floor(between(0, 30)), total: Math.floor(between(30, 60)), name: "images" } },
    { media: { out_time: between(0, 500), total: either(0.8, 300, 3), fps: null, speed: null } },
    { message: "nothing" },
  ]
  return signs[Math.floor(between(0, signs.length))] ?? {}
}

/** One item in one or more attempts, with everything that may happen in between. */
async function rendered(server: ClockedServer, seed: number): Promise<number> {
  const { between, either } = chance(seed)
  const totals = { seconds: either(0.5, 300, 1e9), images: either(0.5, 1, 1e6) }
  const body = { song_id: 1, kind: either(0.7, "song", "film"), ...(seed % 2 === 0 && { totals }) }
  const { id } = await server.ask("POST", "/queue", body)
  const length = between(1, either(0.8, 100, 5000))
  for (let isOver = false; !isOver;) {
    const { lease } = await server.ask("POST", "/queue/claim", { worker: "box", id, lease: 3600 })
    const token = lease?.token ?? ""
    expect(token).not.toBe("")
    for (let i = 0; i < REPORTS; i += 1) {
      server.seconds += (length * between(0, 2)) / REPORTS
      server.jumpedMs = either(0.1, between(-HOUR_MS, HOUR_MS), server.jumpedMs)
      if (between(0, 1) < 0.04) {
        await server.end()
        await server.begin()
      }
      if (between(0, 1) < 0.05)
        await server.ask("PUT", `/queue/${id}`, { totals: { seconds: between(1, 900) } })
      if (between(0, 1) < 0.02) await server.ask("DELETE", "/kinds/song/runs").catch(() => undefined)
      await server.ask("POST", `/queue/${id}/progress`, report(seed * 100 + i, i), token)
    }
    isOver = between(0, 1) < 0.7
    const ending = isOver ? "complete" : "fail"
    await server.ask(
      "POST",
      `/queue/${id}/${ending}`,
      isOver ? {} : { error_message: "no", retry_in: 0 },
      token,
    )
    isOver ||= ["failed", "completed"].includes((await server.ask("GET", `/queue/${id}`)).status)
  }
  return id
}

test("whatever workers say, and whatever happens to the server, the bar never goes back and never says 100 early", async () => {
  await using server = await ClockedServer.start()
  const throwOne = dice(7)
  let shown = 0
  for (let i = 0; i < ITEMS; i += 1) {
    const id = await rendered(server, Math.floor(throwOne() * 1e6))
    const { updates = [] } = await server.ask("GET", `/queue/${id}/updates?limit=1000`)
    expect(updates.length).toBeGreaterThan(REPORTS)
    let [attempt, bar] = [0, 0]
    for (const update of updates) {
      const { time_progress, eta_seconds = 0, eta_low_seconds, eta_high_seconds } = update
      if (update.attempt !== attempt) [attempt, bar] = [update.attempt, 0]
      if (eta_low_seconds !== undefined && eta_high_seconds !== undefined) {
        shown += 1
        expect(eta_low_seconds).toBeGreaterThanOrEqual(0)
        expect(eta_low_seconds).toBeLessThanOrEqual(eta_seconds ?? -1)
        expect(eta_high_seconds).toBeGreaterThanOrEqual(eta_seconds ?? 0)
      }
      if (time_progress === undefined || time_progress === null) continue
      expect(time_progress).toBeGreaterThanOrEqual(bar)
      if (update.status === "processing") expect(time_progress).toBeLessThan(100)
      bar = time_progress
    }
  }
  expect(shown).toBeGreaterThan(60)
})
