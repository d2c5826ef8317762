import { expect, test } from "bun:test"
import { request } from "node:http"

import { Reader } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

const STREAM = "/api/v1/progress/stream"
/** The requests of the other client beside each greedy client. */
const ASKED = 50
/** How many requests the greedy client sends at once. */
const AT_ONCE = 50
/**
 * So many requests of the greedy client may be answered while one of the other client waits: those that were sent
 * already, and as many again. The time does not count here, because it is longer on a busy machine; `bun run bench
 * greedy` measures it.
 */
const MOST_BEFORE = 2 * AT_ONCE

/** A client that sends a request many times. */
interface Greedy {
  /** How many requests were answered, by status. */
  readonly counts: Map<number, number>
  /** Resolves when all were answered. */
  readonly done: Promise<unknown>
}

const sum = (counts: Greedy["counts"]): number => [...counts.values()].reduce((all, count) => all + count, 0)

/** Sends a request this many times, 50 at once. */
function greedyFor(times: number, ask: () => Promise<number>): Greedy {
  const counts: Greedy["counts"] = new Map()
  let left = times
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const status = await ask()
      counts.set(status, (counts.get(status) ?? 0) + 1)
    }
  }
  return { counts, done: Promise.all(Array.from({ length: AT_ONCE }, one)) }
}

/** How many requests of the greedy client are answered at most while a request waits. Each must succeed. */
async function mostBefore(
  { counts }: Greedy,
  server: TestServer,
  headers: Record<string, string>,
): Promise<number> {
  let most = 0
  for (let i = 0; i < ASKED; i += 1) {
    const before = sum(counts)
    const answer = await server.api("GET", "/queue?limit=1", undefined, headers)
    expect(answer.status).toBe(200)
    most = Math.max(most, sum(counts) - before)
    await answer.arrayBuffer()
  }
  return most
}

test("one client that wants all streams, replays and requests does not harm the others", async () => {
  await using server = await start({ args: ["--streams-per-client", "100", "--requests-per-token", "100"] })
  const id = await server.add()
  for (let i = 0; i < 200; i += 1) await server.put(id, { message: `${i}${"x".repeat(1000)}` })
  const [theirs, other] = [await tokenOf(server, "viewer"), await tokenOf(server, "operator")]
  await known(server, theirs)
  await known(server, other)
  const [headers, mine] = [bearer(theirs), bearer(other)]
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
    const greedy = greedyFor(times, ask)
    expect(await mostBefore(greedy, server, mine)).toBeLessThanOrEqual(MOST_BEFORE)
    await greedy.done
    const { counts } = greedy
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
}, 180_000)
