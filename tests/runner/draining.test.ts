import { expect, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import { isFinished } from "../../src/item/moves.ts"
import { figure, size } from "../proof.ts"
import { Reader } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { faultsOf, type Program, studio, type Told } from "./programs.ts"

/** While the kills go on, items are added, this many at a time. */
const ITEMS = 60
const KILLS = size(0, 1000)
const WORKERS = 4
/** The longest time between two kills. */
const PAUSE_MS = size(200, 500)
const LIMIT_MS = size(180_000, 1_800_000)
/** How long a render takes. */
const RENDER_S = size(0.03, 0.2)

/** Items, workers and their server. Each process may be killed. */
class Drain {
  readonly kills = { workers: 0, servers: 0 }
  /** How many items were added. */
  items = 0
  server: TestServer
  readonly #workers: Program[] = []

  constructor(server: TestServer) {
    this.server = server
    for (let index = 0; index < WORKERS; index += 1) this.#workers.push(this.#worker(index))
  }

  /** Kills a process without warning, and starts another one in its place. */
  async kill(): Promise<void> {
    if (Math.random() < 0.25) {
      this.kills.servers += 1
      await this.server.end("SIGKILL")
      const { url, database } = this.server
      this.server = await start({ args: ["--port", new URL(url).port, "--max-rescues", "0"], database })
      return
    }
    this.kills.workers += 1
    const index = Math.floor(Math.random() * WORKERS)
    this.#workers[index]?.kill("SIGKILL")
    await this.#workers[index]?.ends()
    this.#workers[index] = this.#worker(index)
  }

  /** Adds items. */
  async add(): Promise<void> {
    await Promise.all(
      Array.from({ length: ITEMS }, (_, i) => this.server.add({ song_id: this.items + i + 1 })),
    )
    this.items += ITEMS
  }

  /** The queue begins with items that are not finished. */
  async isDone(): Promise<boolean> {
    const { queue }: { queue: QueueItem[] } = await (await this.server.api("GET", "/queue?limit=1")).json()
    return queue.every(({ status }) => isFinished(status))
  }

  /** Ends the workers as a service manager does; returns their exit codes. */
  async stop(): Promise<number[]> {
    await Promise.all(this.#workers.map((worker) => worker.prints("taking items")))
    for (const worker of this.#workers) worker.kill("SIGTERM")
    return Promise.all(this.#workers.map((worker) => worker.ends()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) worker.kill("SIGKILL")
    await this.server[Symbol.asyncDispose]()
  }

  #worker(index: number): Program {
    const exec = `echo 29%; echo 30%; sleep ${RENDER_S}; echo 60%`
    return studio(this.server, ["work", "--exec", exec, "--lease", "1", "--worker", `worker-${index}`])
  }
}

/** The history of every item, from the first event on. */
async function histories(server: TestServer): Promise<Map<number, Told[]>> {
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream?last_event_id=0`)
  await reader.first("live")
  reader.leave()
  const told = reader.updates.map(({ id, data }): Told => JSON.parse(JSON.stringify({ ...data, id })))
  return Map.groupBy(told, ({ queue_id }) => queue_id)
}

test(
  `${WORKERS} workers complete all items once each, though they and the server are killed at random`,
  async () => {
    await using first = await start({ args: ["--max-rescues", "0"] })
    await using drain = new Drain(first)
    await drain.add()
    const startedMs = performance.now()
    for (;;) {
      if (await drain.isDone()) {
        if (drain.kills.workers + drain.kills.servers >= KILLS) break
        await drain.add()
      }
      await Bun.sleep(Math.random() * PAUSE_MS)
      await drain.kill()
    }
    const tookMs = performance.now() - startedMs
    expect(await drain.stop()).toEqual(Array.from({ length: WORKERS }, () => 0))
    const found = await histories(drain.server)
    expect(found.size).toBe(drain.items)
    const all = [...found.values()]
    expect(all.flatMap(faultsOf)).toEqual([])
    expect(all.map((history) => history.filter(({ status }) => status === "completed").length)).toEqual(
      all.map(() => 1),
    )
    expect(all.map((history) => history.at(-1)?.status)).toEqual(all.map(() => "completed"))
    const rescues = all.flat().filter(({ message }) => message.startsWith("Worker lost")).length
    const { workers, servers } = drain.kills
    const seconds = Math.round(tookMs / 1000)
    figure(
      `${drain.items} items in ${seconds} s, ${workers} workers and ${servers} servers killed, ${rescues} rescues`,
    )
  },
  LIMIT_MS,
)
