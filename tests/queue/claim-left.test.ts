import { expect, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { Workers } from "../../src/queue/workers.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

function fail(error: unknown): never {
  throw error
}

test("an item that is given to a client which has just left goes back at once, unharmed", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  const learned = new LearnedDurations(store, fail)
  const options = { random: Math.random, token: () => crypto.randomUUID(), onError: fail }
  const workers = new Workers(store, bus, learned, options)
  const queue = new Queue(store, bus, learned)
  const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const parts: unknown = { ...about, queue, workers, onError: (_id: string, error: unknown) => fail(error) }
  const app = createApp(parts as AppParts)
  const claim = async (more: object): Promise<void> => {
    const leaving = new AbortController()
    const answer = app.handle(
      new Request("http://localhost/api/v1/queue/claim", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ worker: "box1", ...more }),
        signal: leaving.signal,
      }),
    )
    leaving.abort()
    await answer
  }
  const { id } = await queue.add({ song_id: 1 })
  for (const more of [{ id }, {}]) {
    await claim(more)
    const item = await queue.get(id)
    expect(item).toMatchObject({ status: "queued", worker: "", retry_count: 0 })
    expect(await store.isAnyLeased()).toBe(false)
  }
  await workers.stop()
  await store.close()
})
