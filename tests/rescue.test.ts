import { expect, test } from "bun:test"

import { MOVES, type Status } from "../src/progress.ts"
import { figure, size } from "./proof.ts"
import { start, type TestServer } from "./server.ts"
import { type Attempt, claim, told } from "./worker.ts"

const ITEMS = size(150, 2000)
const WORKERS = 4
const KILLS = size(3, 12)

/** Small numbers that look random and are the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296
    return state / 4294967296
  }
}

/** Says the same until it is answered: the server may be away, and whether it heard is not known. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await Bun.sleep(20)
    }
  }
}

/** One worker's work on an item: a report, and then its end; sometimes it dies instead, without a word. */
async function work(taken: Attempt, random: () => number): Promise<"done" | "dead" | "lost"> {
  const reported = await insist(() => taken.say("progress", { progress: 100 * random() }))
  if (reported.directive === "cancel") return "lost"
  if (random() < 0.05) return "dead"
  const verb = random() < 0.05 ? "release" : "complete"
  const ended = await insist(() => taken.say(verb))
  return ended.status === 200 ? "done" : "lost"
}

/** A server that is killed again and again, always on the same port and database. */
class Mortal {
  server: TestServer
  readonly #first: TestServer

  private constructor(first: TestServer) {
    this.#first = first
    this.server = first
  }

  static async start(): Promise<Mortal> {
    return new Mortal(await start({ args: ["--max-rescues", "0"] }))
  }

  async kill(): Promise<void> {
    const { url, database } = this.#first
    await this.server.end("SIGKILL")
    this.server = await start({ database, args: ["--max-rescues", "0", "--port", new URL(url).port] })
  }

  /** How many items are not completed. */
  async open(): Promise<number> {
    const answer = await this.server.api("GET", "/queue?limit=1000")
    const { queue }: { queue: { status: Status }[] } = await answer.json()
    return queue.filter(({ status }) => status !== "completed").length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await this.#first[Symbol.asyncDispose]()
  }
}

test(
  "workers that die and a server that is killed lose no item: each is completed once, by legal moves",
  async () => {
    await using mortal = await Mortal.start()
    const ids: number[] = []
    const fifty = () => Promise.all(Array.from({ length: 50 }, () => mortal.server.add()))
    while (ids.length < ITEMS) ids.push(...(await fifty()))
    const counts = { done: 0, dead: 0, lost: 0 }
    let isOver = false
    const worker = async (number: number): Promise<void> => {
      const random = numbers(number)
      while (!isOver) {
        const wish = { worker: `box${number}`, wait: 1, lease: 1 }
        const taken = await insist(() => claim(mortal.server, wish))
        if (taken) counts[await work(taken, random)] += 1
      }
    }
    const workers = Promise.all(Array.from({ length: WORKERS }, (_, i) => worker(i + 1)))
    const random = numbers(7)
    for (let kill = 0; kill < KILLS; kill += 1) {
      await Bun.sleep(100 + 400 * random())
      await mortal.kill()
    }
    while ((await insist(() => mortal.open())) > 0) await Bun.sleep(100)
    isOver = true
    await workers
    await checkHistories(mortal.server, ids)
    figure(`${ITEMS} items: ${JSON.stringify(counts)}, the server killed ${KILLS} times`)
    expect(counts.dead).toBeGreaterThan(0)
  },
  size(60_000, 600_000),
)

async function checkHistories(server: TestServer, ids: readonly number[]): Promise<void> {
  for (const id of ids) {
    const updates = await told(server, id)
    const statuses = updates.flatMap(({ status }) => (status ? [status] : []))
    expect(statuses[0]).toBe("queued")
    const moves = statuses.slice(1).map((to, i) => [statuses[i] ?? "queued", to] as const)
    const illegal = moves.filter(([from, to]) => from !== to && !MOVES[from].includes(to))
    expect(illegal).toEqual([])
    expect(statuses.filter((status) => status === "completed")).toHaveLength(1)
    expect(statuses.at(-1)).toBe("completed")
    const starts = moves.filter(([from, to]) => from !== to && to === "processing").length
    expect(updates.at(-1)?.attempt).toBe(starts)
  }
}
