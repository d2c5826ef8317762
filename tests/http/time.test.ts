import { expect, setDefaultTimeout, test } from "bun:test"

import { Reader } from "../reader.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { asked, Attempt, attempt, claim, itemOnce, timed, told } from "../worker.ts"

// These tests wait for time to pass, and mostly nothing happens, so they wait at the same time.
setDefaultTimeout(180_000)

/** Resolves when a time that a worker was given has passed by this much. */
const past = (time: string | undefined, byMs: number): Promise<void> =>
  Bun.sleep(Math.max(0, Date.parse(time ?? "") + byMs - Date.now()))

/** A database that stays when its servers end. */
async function servers(args: readonly string[] = []) {
  const folder = temporaryFolder()
  const database = `${folder.path}/test.db`
  return {
    next: () => start({ database, args }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

const rescues = async (server: TestServer, id: number): Promise<(string | undefined)[]> =>
  (await told(server, id))
    .map(({ message }) => message)
    .filter((message) => message?.startsWith("Worker lost"))

test.concurrent(
  "a lease that runs out sends its item back within 2 s, and a worker that waits gets it",
  async () => {
    await using server = await start()
    const first = await attempt(server, {}, { worker: "dead", lease: 1 })
    const [next, ms] = await timed(claim(server, { worker: "box2", wait: 30, tags: first.item.tags }))
    expect(ms).toBeWithin(500, 25_000)
    expect(next?.item).toMatchObject({ id: first.id, worker: "box2", attempt: 2, retry_count: 0 })
    expect((await told(server, first.id)).map(({ status, message }) => [status, message])).toEqual([
      ["queued", "Queue item created"],
      ["processing", "Processing started"],
      ["retrying", "Worker lost, another attempt will follow"],
      ["processing", "Processing started"],
    ])
    const lost = (await told(server, first.id))[2]
    expect(lost?.error_message).toBe('worker "dead" gave no sign of life for 1 s')
    expect(await first.say("progress", { progress: 99 })).toMatchObject({ status: 409, directive: "cancel" })
    expect((await next?.now())?.progress).toBe(0)
  },
)

test.concurrent("a worker that reports keeps its lease for many times its length", async () => {
  await using server = await start()
  const taken = await attempt(server, {}, { lease: 1 })
  // Each answer is held for half the lease.
  for (let i = 0; i < 6; i += 1) {
    expect(await taken.say("heartbeat", undefined, "?wait=60")).toMatchObject({ directive: "continue" })
  }
  expect((await taken.say("complete")).item).toMatchObject({ status: "completed", attempt: 1 })
  expect(await rescues(server, taken.id)).toEqual([])
})

test.concurrent(
  "--max-rescues says how often an item is taken back before it is given up as lost",
  async () => {
    await using server = await start({ args: ["--max-rescues", "1"] })
    const first = await attempt(server, {}, { lease: 1 })
    const second = await claim(server, { wait: 30, lease: 1, tags: first.item.tags })
    expect(second?.id).toBe(first.id)
    const item = await itemOnce(server, first.id, ({ status }) => status === "failed")
    expect(item).toMatchObject({ outcome: "lost", attempt: 2, retry_count: 0, message: "Worker lost" })
    expect((await told(server, first.id)).at(-1)).toMatchObject({ status: "failed", outcome: "lost" })
  },
)

test.concurrent(
  "an item whose cancel was requested is cancelled when the lease of its silent worker runs out",
  async () => {
    await using server = await start()
    const taken = await attempt(server, {}, { lease: 1 })
    await server.api("POST", `/queue/${taken.id}/cancel`)
    const item = await itemOnce(server, taken.id, ({ status }) => status === "failed")
    expect(item).toMatchObject({ outcome: "cancelled", message: "Queue item cancelled" })
  },
)

test.concurrent(
  "a worker that goes away while its heartbeat is held does not keep its lease by that",
  async () => {
    await using server = await start()
    const taken = await attempt(server, {}, { lease: 10 })
    const client = new AbortController()
    const url = `${server.url}/api/v1/queue/${taken.id}/heartbeat?wait=60&lease=${taken.lease.token}`
    const held = fetch(url, { method: "POST", signal: client.signal }).catch(() => "gone")
    await past(taken.lease.expires_at, -7000)
    client.abort()
    expect(await held).toBe("gone")
    const [, ms] = await timed(itemOnce(server, taken.id, ({ status }) => status === "retrying", 20_000))
    expect(ms).toBeLessThan(9500)
  },
)

test.concurrent(
  "leases that ran out while no server was alive get one length more, once, whatever worker has reported by then",
  async () => {
    using all = await servers()
    // The server ends so early that it has not yet stored a sign of life.
    const first = await all.next()
    const [heard, silent] = [await attempt(first, {}, { lease: 2 }), await attempt(first, {}, { lease: 2 })]
    await first.end("SIGKILL")
    await past(silent.lease.expires_at, 300)
    await using second = await all.next()
    const againMs = Date.now()
    const worker = new Attempt(second, heard)
    expect(await worker.say("progress", { progress: 60 })).toMatchObject({ status: 200 })
    const back = itemOnce(second, silent.id, ({ status }) => status !== "processing")
    for (let isBack = false; !isBack;) {
      const held = worker.say("heartbeat", undefined, "?wait=60").then(() => false)
      isBack = await Promise.race([held, back.then(() => true)])
    }
    expect(await back).toMatchObject({ status: "retrying", retry_count: 0 })
    expect(Date.now() - againMs).toBeWithin(1000, 4500)
    const { lease } = await worker.say("heartbeat")
    await second.end("SIGKILL")
    await past(lease?.expires_at, 300)
    // The lease that was renewed has run out again in the meantime, and again gets one length more.
    await using third = await all.next()
    expect(await new Attempt(third, heard).say("heartbeat")).toMatchObject({ status: 200 })
    expect(await rescues(third, silent.id)).toHaveLength(1)
  },
)

test.concurrent("a lease lasts as long as servers were alive for it, over two outages", async () => {
  using all = await servers()
  const first = await all.next()
  const taken = await attempt(first, {}, { lease: 4 })
  await first.end("SIGTERM")
  await past(taken.lease.expires_at, 200)
  const second = await all.next()
  expect((await second.item(taken.id)).status).toBe("processing")
  const startedMs = Date.now()
  await second.end("SIGKILL")
  await past(new Date(startedMs).toISOString(), 4500)
  await using third = await all.next()
  const [back, ms] = await timed(itemOnce(third, taken.id, ({ status }) => status !== "processing"))
  expect(back).toMatchObject({ status: "retrying", retry_count: 0 })
  // Four seconds of lease, of which the second server may have seen nothing, and a round of the timer.
  expect(ms).toBeLessThan(7500)
})

test.concurrent(
  "an item whose progress does not move is called stalled, once, and never taken from its worker",
  async () => {
    await using server = await start({ args: ["--stall-after-ms", "700"] })
    const taken = await attempt(server)
    const viewer = await Reader.open(`${server.url}/api/v1/progress/stream/${taken.id}`)
    const startedMs = performance.now()
    await taken.say("progress", { progress: 10 })
    await viewer.until(() => viewer.updates.some(({ data }) => data["stalled"] === true))
    expect(performance.now() - startedMs).toBeWithin(650, 20_000)
    expect(viewer.updates.at(-1)?.data).toMatchObject({ status: "processing", progress: 10, stalled: true })
    expect(viewer.updates.at(-1)?.data).not.toHaveProperty("eta_seconds")
    expect(await taken.now()).toMatchObject({ status: "processing", stalled: true, worker: "box1" })
    // A renewed lease does not show that the item makes progress.
    expect((await taken.say("heartbeat")).item).toMatchObject({ stalled: true })
    expect((await taken.say("progress", { progress: 10, message: "still here" })).item?.stalled).toBeTrue()
    const moved = await taken.say("progress", { progress: 10.1 })
    expect(moved).toMatchObject({ directive: "continue", item: { stalled: false, progress: 10 } })
    await viewer.until(() => viewer.updates.at(-1)?.data["stalled"] !== true)
    expect(viewer.updates.at(-1)?.data).not.toHaveProperty("stalled")
    const count = (): number => viewer.updates.filter(({ data }) => data["stalled"] === true).length
    expect(count()).toBe(2)
    await viewer.until(() => count() === 3)
    viewer.leave()
    expect((await taken.say("complete")).item).toMatchObject({ status: "completed", stalled: false })
  },
)

test.concurrent(
  "an item that nobody has leased is called stalled too, and a PUT that moves it clears that",
  async () => {
    await using server = await start({ args: ["--stall-after-ms", "500"] })
    const id = await server.add()
    await server.put(id, { status: "processing", progress: 5 })
    await itemOnce(server, id, ({ stalled }) => stalled)
    await server.put(id, { title: "Renamed" })
    expect((await server.item(id)).stalled).toBeTrue()
    await server.put(id, { progress: 6 })
    expect((await server.item(id)).stalled).toBeFalse()
  },
)

test.concurrent(
  "while no server was alive nothing could be reported: an item is not called stalled for that",
  async () => {
    using all = await servers(["--stall-after-ms", "1500"])
    const first = await all.next()
    const taken = await attempt(first)
    await taken.say("progress", { progress: 10 })
    await first.end("SIGTERM")
    await past(new Date().toISOString(), 1800)
    await using second = await all.next()
    const [, ms] = await timed(itemOnce(second, taken.id, ({ stalled }) => stalled))
    expect(ms).toBeGreaterThan(1300)
  },
)

test.concurrent("a claim whose client has left gives its lease back", async () => {
  await using server = await start()
  const client = new AbortController()
  const left = asked(server, { wait: 30 }, { signal: client.signal }).catch(() => "left")
  await server.head()
  client.abort()
  const id = await server.add()
  expect(await left).toBe("left")
  // Whichever came first: others can have the item long before a lease would have run out.
  const next = await claim(server, { wait: 5 })
  expect(next?.id).toBe(id)
})
