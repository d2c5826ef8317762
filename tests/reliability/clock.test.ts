import { expect, setDefaultTimeout, test } from "bun:test"

import { figure } from "../proof.ts"
import { Reader } from "../reader.ts"
import { temporaryFolder } from "../server.ts"
import { attempt, claim } from "../worker.ts"
import { FaultyServer, WITHOUT_SHIM } from "./shim.ts"

setDefaultTimeout(180_000)

const HOUR_S = 3600

test.skipIf(WITHOUT_SHIM !== undefined).each([
  ["forward", HOUR_S],
  ["back", -HOUR_S],
])(
  `a clock that jumps an hour %s ends no lease early or late, delays nothing, and disturbs no stream${
    WITHOUT_SHIM === undefined ? "" : `: ${WITHOUT_SHIM}`
  }`,
  async (_, seconds) => {
    using folder = temporaryFolder()
    await using faulty = await FaultyServer.start(folder.path)
    const { server } = faulty
    const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
    await reader.first("live")
    const held = await attempt(server, {}, { lease: 5 })
    const silent = await attempt(server, {}, { lease: 5 })
    const delayed = await server.add({ song_id: 1, available_in: 2, tags: ["delayed"] })
    const jumpedMs = performance.now()
    faulty.now(`clock ${seconds}`)
    await held.say("progress", { progress: 10 })
    // A waiting claim gets the delayed item after its two seconds.
    const taken = await claim(server, { tags: ["delayed"], wait: 10 })
    expect(taken?.id).toBe(delayed)
    const delayMs = performance.now() - jumpedMs
    expect(delayMs).toBeGreaterThan(1000)
    expect(delayMs).toBeLessThan(5000)
    expect((await held.say("progress", { progress: 20 })).status).toBe(200)
    await reader.until((seen) =>
      seen.some(({ data }) => data["queue_id"] === silent.id && data["status"] === "retrying"),
    )
    const lostMs = performance.now() - jumpedMs
    expect(lostMs).toBeLessThan(10_000)
    expect((await held.say("complete")).status).toBe(200)
    const ids = reader.updates.map(({ id }) => id)
    expect(ids).toEqual(ids.map((_, i) => i + 1))
    const health: { reasons: string[] } = await (await fetch(`${server.url}/health`)).json()
    expect(health.reasons).toContain("clock_jumped")
    reader.leave()
    figure(
      `an hour ${seconds > 0 ? "forward" : "back"}: 2 s of delay took ${(delayMs / 1000).toFixed(1)} s, ` +
        `a silent lease of 5 s ended after ${(lostMs / 1000).toFixed(1)} s`,
    )
  },
)
