import { expect, setDefaultTimeout, test } from "bun:test"
import { statSync } from "node:fs"

import { dice } from "../item/estimate/chance.ts"
import { descriptors, figure, memory, size } from "../proof.ts"
import { Reader } from "../reader.ts"
import { run, start, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"
import { claim } from "../worker.ts"

setDefaultTimeout(30 * 60_000)

const LENGTH_MS = size(8_000, 20 * 60_000)
const STREAM = "/progress/stream"

/** The resources that the server uses at one moment. */
interface Cost {
  readonly megabytes: number
  readonly descriptors: number
  readonly walMegabytes: number
}

const cost = (server: TestServer): Cost => ({
  megabytes: memory(server),
  descriptors: descriptors(server),
  walMegabytes: statSync(`${server.database}-wal`).size / 1e6,
})

/** The highest value of each, from several moments. */
const most = (costs: readonly Cost[]): Cost => ({
  megabytes: Math.max(...costs.map(({ megabytes }) => megabytes)),
  descriptors: Math.max(...costs.map((one) => one.descriptors)),
  walMegabytes: Math.max(...costs.map(({ walMegabytes }) => walMegabytes)),
})

/** Repeats something until it is disposed of. */
function every(ms: number, run: () => void): Disposable {
  const timer = setInterval(run, ms)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/**
 * Renders items until `isOver`: most complete, some fail or go back. Returns how many completions were
 * acknowledged.
 */
async function work(
  server: TestServer,
  name: string,
  random: () => number,
  isOver: () => boolean,
): Promise<number> {
  let completed = 0
  while (!isOver()) {
    const attempt = await claim(server, { worker: name, wait: 1, lease: 30 })
    if (!attempt) continue
    for (let progress = 10; progress < 100 && !isOver(); progress += 10) {
      const { directive } = await attempt.say("progress", { progress, message: `at ${progress}` })
      if (directive === "cancel") break
      await Bun.sleep(5)
    }
    const verdict = random() < 0.8 ? "complete" : random() < 0.5 ? "fail" : "release"
    const { status } = await attempt.say(verdict, verdict === "fail" ? { error_message: "no" } : undefined)
    if (status === 200 && verdict === "complete") completed += 1
  }
  return completed
}

/** Comes, reads the stream in one of several ways, and leaves; again and again. */
async function watch(server: TestServer, random: () => number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    if (random() < 0.3) {
      const frozen = await SocketReader.open(server.url, STREAM)
      await frozen.first("live")
      frozen.pause()
      await Bun.sleep(200 + random() * 1000)
      frozen.reset()
      await frozen.ended
    } else {
      const resumed = random() < 0.5 ? `?last_event_id=${Math.floor(random() * (await server.head()))}` : ""
      const reader = await Reader.open(`${server.url}/api/v1${STREAM}${resumed}`)
      await reader.first("live")
      await Bun.sleep(random() * 1000)
      reader.leave()
    }
  }
}

/** Adds, cancels, retries, lists and searches, as people do. */
async function queue(server: TestServer, random: () => number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const id = await server.add({ song_id: 1, title: `song ${Math.floor(random() * 1000)}`, max_attempts: 2 })
    if (random() < 0.1) await (await server.api("POST", `/queue/${id}/cancel`)).arrayBuffer()
    if (random() < 0.1) await (await server.api("POST", `/queue/${id}/retry`)).arrayBuffer()
    if (random() < 0.1) await (await server.api("DELETE", `/queue/${id}`)).arrayBuffer()
    if (random() < 0.2) await (await server.api("GET", "/queue?limit=100&status=completed")).arrayBuffer()
    if (random() < 0.1) await (await server.api("GET", "/queue?q=song%2012")).arrayBuffer()
    await Bun.sleep(30)
  }
}

test("everything at once costs no more memory, descriptors or log after a long time than after a short one", async () => {
  await using server = await start({ args: ["--retain-per-item", "100"] })
  const random = dice(1)
  const startedMs = performance.now()
  const isOver = (): boolean => performance.now() - startedMs > LENGTH_MS
  const costs: Cost[] = []
  let completed = 0
  {
    using _ = every(LENGTH_MS / 100, () => costs.push(cost(server)))
    const workers = Promise.all(["a", "b", "c", "d"].map((name) => work(server, name, random, isOver)))
    await Promise.all([
      ...Array.from({ length: 10 }, () => watch(server, random, isOver)),
      ...Array.from({ length: 3 }, () => queue(server, random, isOver)),
    ])
    completed = (await workers).reduce((sum, one) => sum + one, 0)
  }
  await server.connectedClients(0)
  const [early, late] = [most(costs.slice(25, 50)), most(costs.slice(75))]
  const counts: { status: { completed: number } } = await (await server.api("GET", "/queue/counts")).json()
  const head = await server.head()
  figure(
    `everything at once for ${(LENGTH_MS / 1000).toFixed(0)} s, ${head} updates, ${completed} renders: ` +
      `${early.megabytes.toFixed(0)} then ${late.megabytes.toFixed(0)} MB, ` +
      `${early.descriptors} then ${late.descriptors} descriptors, ` +
      `log ${early.walMegabytes.toFixed(1)} then ${late.walMegabytes.toFixed(1)} MB`,
  )
  expect(completed).toBeGreaterThan(0)
  expect(late.descriptors).toBeLessThan(early.descriptors + 20)
  // SQLite copies the log into the database at 16 MB, and a reader can delay that for a moment.
  expect(late.walMegabytes).toBeLessThan(Math.max(early.walMegabytes, 17) + 8)
  expect(late.megabytes).toBeLessThan(early.megabytes + 60)
  expect(counts.status.completed).toBe(completed)
  await server.end()
  expect(await run(["check", "--database", server.database])).toMatchObject({ code: 0 })
})
