import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { LocalBus } from "../../src/bus/bus.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { Workers } from "../../src/queue/workers.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { START_MS } from "../contracts/store.contract.ts"
import { UNPROTECTED } from "../http/unprotected.ts"
import { temporaryFolder } from "../server.ts"

function fail(error: unknown): never {
  throw error
}

test("an item that is given to a client which has just left, or whose token has just ended, goes back at once, unharmed", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  const learned = new LearnedDurations(store, fail)
  const options = { random: Math.random, token: () => crypto.randomUUID(), onError: fail }
  const workers = new Workers(store, bus, learned, options)
  const queue = new Queue(store, bus, learned)
  const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  let ended = new AbortController()
  const authorizer = { caller: () => ({ ...EVERYBODY, client: "token 1", ended: ended.signal }) }
  const onError = (_id: string, error: unknown): never => fail(error)
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...about,
    queue,
    workers,
    ...UNPROTECTED,
    authorizer,
    onError,
  }
  const app = createApp(parts as AppParts)
  const claim = async (more: object, hasLeft: boolean): Promise<void> => {
    ended = new AbortController()
    const leaving = new AbortController()
    const answer = app.handle(
      new Request("http://localhost/api/v1/queue/claim", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ worker: "box1", ...more }),
        signal: leaving.signal,
      }),
    )
    if (hasLeft) leaving.abort()
    else ended.abort()
    await answer
  }
  const { id } = await queue.add({ song_id: 1 })
  for (const [more, hasLeft] of [
    [{ id }, true],
    [{}, true],
    [{ id }, false],
    [{}, false],
  ] as const) {
    await claim(more, hasLeft)
    const item = await queue.get(id)
    expect(item).toMatchObject({ status: "queued", worker: "", retry_count: 0 })
    expect(await store.isAnyLeased()).toBe(false)
  }
  await workers.stop()
  await store.close()
})

test("an item whose client has left is not given back if another server has answered the repeated claim in the same millisecond", async () => {
  using folder = temporaryFolder()
  const clock = { now: () => START_MS, steadyMs: () => START_MS }
  const store = new SqliteStore(join(folder.path, "test.db"), () => clock)
  const options = { random: Math.random, token: () => crypto.randomUUID(), onError: fail }
  const [one, two] = [1, 2].map(
    () => new Workers(store, new LocalBus(), new LearnedDurations(store, fail), options),
  ) as [Workers, Workers]
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, fail))
  const { id } = await queue.add({ song_id: 1 })
  const claim = { worker: "box1", tags: [], leaseMs: 60_000, instance: "one", key: "key" }
  const { signal } = new AbortController()
  const stored = store.claim.bind(store)
  let again: ReturnType<Workers["claim"]> | undefined
  spyOn(store, "claim").mockImplementationOnce(async (...given) => {
    const change = await stored(...given)
    again = two.claim(claim, signal)
    await again
    return change
  })
  expect(await one.claim({ ...claim, isGone: () => true }, signal)).toBeNull()
  const token = (await again)?.lease.token ?? ""
  expect((await two.complete(id, token, {})).item.status).toBe("completed")
  for (const workers of [one, two]) await workers.stop()
  await store.close()
})

test("a claim that waits is answered when its worker is drained at another server, and at a stop", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const options = { random: Math.random, token: () => crypto.randomUUID(), onError: fail }
  const workers = new Workers(store, new LocalBus(), new LearnedDurations(store, fail), options)
  const { signal } = new AbortController()
  const waiting = async (worker: string): Promise<{ readonly answer: ReturnType<Workers["claim"]> }> => {
    const answer = workers.claim({ worker, tags: [], leaseMs: 60_000, instance: "one" }, signal)
    while (workers.presence.waiting.length === 0) await new Promise(setImmediate)
    return { answer }
  }
  const drained = await waiting("box1")
  const [report] = workers.presence.crew
  if (report) workers.learn([{ ...report, isWaiting: false, drained: ["one"], drainedMs: Date.now() }])
  expect(await drained.answer).toBeNull()
  const stopped = await waiting("box2")
  await workers.stop()
  expect(await stopped.answer).toBeNull()
  await store.close()
})
