import { expect, test } from "bun:test"
import { request } from "node:http"

import { Reader } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

const STREAM = "/api/v1/progress/stream"
/** The requests of the other client, alone and beside each greedy client. */
const ASKED = 50
/**
 * How much longer the other client may wait. This is what a machine adds that is busy with the tests
 * themselves. `bun run bench greedy` measures it.
 */
const MOST_MS = 1000

/** How long the slowest of some requests took, one after the other. Each must succeed. */
async function slowest(server: TestServer, headers: Record<string, string>): Promise<number> {
  let mostMs = 0
  for (let i = 0; i < ASKED; i += 1) {
    const startedMs = performance.now()
    const answer = await server.api("GET", "/queue?limit=1", undefined, headers)
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()
    mostMs = Math.max(mostMs, performance.now() - startedMs)
  }
  return mostMs
}

/** Sends a request this many times, 50 at once, and counts the statuses. */
async function greedyFor(times: number, ask: () => Promise<number>): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  let left = times
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const status = await ask()
      counts.set(status, (counts.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 50 }, one))
  return counts
}

test("one client that wants all streams, replays and requests does not harm the others", async () => {
  await using server = await start({ args: ["--streams-per-client", "100", "--requests-per-token", "100"] })
  const id = await server.add()
  for (let i = 0; i < 200; i += 1) await server.put(id, { message: `${i}${"x".repeat(1000)}` })
  const [greedy, other] = [await tokenOf(server, "viewer"), await tokenOf(server, "operator")]
  await known(server, greedy)
  await known(server, other)
  const [headers, mine] = [bearer(greedy), bearer(other)]
  /** Opens a stream that replays everything, and reads it. */
  const replays = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const given = { ...headers, "last-event-id": "1" }
      const sent = request(`${server.url}${STREAM}`, { headers: given, agent: false }, (answer) => {
        answer.on("error", () => undefined).resume()
        resolve(answer.statusCode ?? 0)
      })
      sent.on("error", reject).end()
    })
  const asks = async (): Promise<number> => {
    const answer = await server.api("GET", "/queue?limit=1", undefined, headers)
    await answer.arrayBuffer()
    return answer.status
  }
  const reader = await Reader.open(`${server.url}${STREAM}`, mine)
  await reader.first("live")
  for (const [times, ask, mostIn] of [
    [200, replays, () => 100],
    // At once four times as many as in a second; then as many in each second.
    [700, asks, (seconds: number) => 400 + 100 * seconds],
  ] as const) {
    const startedMs = performance.now()
    const greed = greedyFor(times, ask)
    expect(await slowest(server, mine)).toBeLessThan(MOST_MS)
    const counts = await greed
    expect(counts.get(200) ?? 0).toBeLessThanOrEqual(mostIn((performance.now() - startedMs) / 1000))
    expect((counts.get(429) ?? 0) + (counts.get(200) ?? 0)).toBe(times)
  }
  // The refusals do not affect others: the other client's stream has every update, and a replay of its own.
  await server.api("PUT", `/queue/${id}`, { message: "seen" }, mine)
  await reader.until((all) => all.some(({ data }) => data["message"] === "seen"))
  reader.leave()
  const replay = await Reader.open(`${server.url}${STREAM}`, { ...mine, "last-event-id": "1" })
  await replay.first("live")
  expect(replay.updates).toHaveLength(201)
  replay.leave()
}, 60_000)
