import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { eventually, sockets } from "../proof.ts"
import { start, type TestServer } from "../server.ts"
import { asked, Attempt, attempt, claim, timed, told } from "../worker.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/**
 * Exchanges some requests with the server. After them the server has read everything that was sent before.
 */
async function exchanges(to: TestServer): Promise<void> {
  for (let i = 0; i < 3; i += 1) await to.head()
}

/** Adds items and returns their IDs. */
async function addAll(to: TestServer, bodies: readonly object[]): Promise<number[]> {
  const ids: number[] = []
  for (const body of bodies) ids.push(await to.add({ song_id: 1, ...body }))
  return ids
}

/** Claims items until none is left. Returns their IDs. */
async function drain(to: TestServer, tags: readonly string[] = []): Promise<number[]> {
  const ids: number[] = []
  for (let next = await claim(to, { tags }); next; next = await claim(to, { tags })) ids.push(next.id)
  return ids
}

test("a claim starts an attempt, and hands out the item with its lease", async () => {
  await using own = await start()
  const id = await own.add({ song_id: 3, title: "Song", metadata: { a: 1 } })
  await own.put(id, { current_step: "of before", progress: 40, error_message: "of before" })
  const beforeMs = Date.now()
  const taken = await claim(own, { worker: "box1/gpu0" })
  expect(taken?.item).toMatchObject({
    id,
    song_id: 3,
    title: "Song",
    metadata: { a: 1 },
    status: "processing",
    worker: "box1/gpu0",
    attempt: 1,
    progress: 0,
    current_step: "",
    error_message: "",
    message: "Processing started",
  })
  expect(taken?.item).toEqual(await own.item(id))
  expect(Object.keys(taken?.lease ?? {})).toEqual(["token", "expires_at", "renew_every"])
  expect(taken?.lease.renew_every).toBe(20)
  const runsOutMs = Date.parse(taken?.lease.expires_at ?? "")
  expect(runsOutMs).toBeGreaterThanOrEqual(beforeMs + 60_000)
  expect(runsOutMs).toBeLessThanOrEqual(Date.now() + 60_000)
  expect(taken?.lease.expires_at).toEndWith("Z")
  expect((await told(own, id)).at(-1)).toMatchObject({
    status: "processing",
    worker: "box1/gpu0",
    attempt: 1,
  })
})

test("the lease is as long as it was asked for, and renewed at a third of it", async () => {
  for (const [lease, renewEvery] of [
    [1, 0.3],
    [45, 15],
    [3600, 1200],
  ] as const) {
    const beforeMs = Date.now()
    const taken = await attempt(server, {}, { lease })
    const lengthMs = Date.parse(taken.lease.expires_at) - beforeMs
    expect(lengthMs).toBeWithin(lease * 1000, lease * 1000 + 1000)
    expect(taken.lease.renew_every).toBe(renewEvery)
  }
})

test("items are taken by priority, then by age, and a released item keeps its age", async () => {
  await using own = await start()
  const [a = 0, b = 0, c = 0, d = 0] = await addAll(own, [
    {},
    { priority: 5 },
    { priority: -5 },
    { priority: 5 },
  ])
  const first = await claim(own)
  expect(first?.id).toBe(b)
  expect((await first?.say("release"))?.status).toBe(200)
  await own.put(a, { priority: 5 })
  expect(await drain(own)).toEqual([a, b, d, c])
})

test("the next item is the one that a claim then takes", async () => {
  await using own = await start()
  await addAll(own, [{}, { priority: 1 }, { priority: 7 }, { priority: 1 }])
  for (let i = 0; i < 4; i += 1) {
    const next: { id: number } = await (await own.api("GET", "/queue/next")).json()
    expect((await claim(own))?.id).toBe(next.id)
  }
  expect(await (await own.api("GET", "/queue/next")).json()).toEqual({
    item: null,
    message: "No pending items",
  })
  expect(await claim(own)).toBeNull()
})

test("a worker gets what needs no more than its tags, past what needs more", async () => {
  await using own = await start()
  const [gpu4k = 0, gpu = 0, plain = 0, odd = 0] = await addAll(own, [
    { tags: ["gpu", "4k"], priority: 9 },
    { tags: ["gpu"], priority: 8 },
    { priority: 1 },
    { tags: ['"]', "%", "ü"], priority: 0 },
  ])
  expect(await drain(own, ["gp", "GPU", "4k", "gpu "])).toEqual([plain])
  expect(await drain(own, ["4k"])).toEqual([])
  expect(await drain(own, ["ü", "%", '"]'])).toEqual([odd])
  expect(await drain(own, ["cpu", "gpu"])).toEqual([gpu])
  expect(await drain(own, ["4k", "cpu", "gpu"])).toEqual([gpu4k])
})

test("a claim for which there is no item is answered at once, or, if it waits, when its time is over", async () => {
  await using own = await start()
  const [none, atOnceMs] = await timed(claim(own))
  expect(none).toBeNull()
  expect(atOnceMs).toBeLessThan(5000)
  const [still, waitedMs] = await timed(claim(own, { wait: 1 }))
  expect(still).toBeNull()
  expect(waitedMs).toBeWithin(990, 10_000)
})

/** Ways in which an item becomes claimable. Each returns the item, and a function that makes it claimable. */
const WAKING: Record<string, (own: TestServer) => Promise<readonly [number, () => Promise<Response>]>> = {
  "a new item": async (own) => [1, () => own.api("POST", "/queue", { song_id: 1 })],
  "a released item": async (own) => {
    const { id, lease } = await attempt(own)
    return [id, () => own.api("POST", `/queue/${id}/release?lease=${lease.token}`)]
  },
  "a failure that may be tried again at once": async (own) => {
    const { id, lease } = await attempt(own)
    return [id, () => own.api("POST", `/queue/${id}/fail?lease=${lease.token}`, { retry_in: 0 })]
  },
  "a finished item that is put back": async (own) => {
    const id = await own.add()
    await own.put(id, { status: "failed" })
    return [id, () => own.api("POST", `/queue/${id}/retry`)]
  },
  "an item that a PUT puts back": async (own) => {
    const id = await own.add()
    await own.put(id, { status: "processing" })
    return [id, () => own.api("PUT", `/queue/${id}`, { status: "queued" })]
  },
}

test.each(Object.entries(WAKING))("a claim that waits is woken by %s", async (_name, prepare) => {
  await using own = await start()
  const [id, wake] = await prepare(own)
  const tags = id > (await own.head()) ? [] : (await own.item(id)).tags
  const waiting = claim(own, { wait: 30, tags })
  await exchanges(own)
  expect((await wake()).ok).toBeTrue()
  const [taken, ms] = await timed(waiting)
  expect(taken?.id).toBe(id)
  expect(ms).toBeLessThan(10_000)
})

test("a claim that waits is woken when the wait for another attempt is over", async () => {
  await using own = await start()
  const first = await attempt(own)
  const { id, tags } = first.item
  const waiting = claim(own, { wait: 30, tags })
  await exchanges(own)
  expect((await first.say("fail", { retry_in: 1 })).status).toBe(200)
  const [taken, ms] = await timed(waiting)
  expect(taken?.item).toMatchObject({ id, attempt: 2, retry_count: 1 })
  expect(ms).toBeWithin(900, 15_000)
})

test("a claim that waits is not woken by items that need other tags, and gets the next one that does not", async () => {
  await using own = await start()
  const waiting = claim(own, { wait: 30, tags: ["4k"] })
  await exchanges(own)
  await addAll(own, [
    { tags: ["gpu"], priority: 9 },
    { tags: ["gpu", "4k"], priority: 9 },
  ])
  await exchanges(own)
  const fits = await own.add({ song_id: 1, tags: ["4k"] })
  const [taken, ms] = await timed(waiting)
  expect(taken?.id).toBe(fits)
  expect(ms).toBeLessThan(10_000)
})

test("many workers that claim at once never get the same item, and get all of them", async () => {
  await using own = await start()
  const ids = await Promise.all(Array.from({ length: 300 }, (_, i) => own.add({ song_id: i + 1 })))
  const taken: number[] = []
  const work = async (worker: string): Promise<void> => {
    for (;;) {
      const next = await claim(own, { worker })
      if (!next) return
      taken.push(next.id)
      // A claimed item belongs only to the worker that claimed it.
      expect((await next.now()).worker).toBe(worker)
    }
  }
  await Promise.all(Array.from({ length: 40 }, (_, i) => work(`box${i}`)))
  expect(taken.toSorted((a, b) => a - b)).toEqual(ids.toSorted((a, b) => a - b))
  for (const id of ids.slice(0, 20)) {
    expect((await told(own, id)).map(({ status }) => status)).toEqual(["queued", "processing"])
  }
})

test("of many claims that wait each new item goes to one, and the others wait on", async () => {
  await using own = await start()
  const answered: number[] = []
  const waiting = Array.from({ length: 20 }, async () => {
    const taken = await claim(own, { wait: 30 })
    if (taken) answered.push(taken.id)
    return taken?.lease.token
  })
  await exchanges(own)
  const first = await own.add()
  await Promise.race(waiting)
  await exchanges(own)
  expect(answered).toEqual([first])
  const others = await Promise.all(Array.from({ length: 19 }, () => own.add()))
  expect(new Set(await Promise.all(waiting)).size).toBe(20)
  expect(answered.toSorted((a, b) => a - b)).toEqual([first, ...others].toSorted((a, b) => a - b))
})

test("a client that goes away while it waits for a claim leaves no lease, and takes no attempt", async () => {
  await using own = await start()
  await own.head()
  // One connection is already open, and is used again.
  const before = sockets(own)
  const gone = Array.from({ length: 5 }, () => new AbortController())
  const left = gone.map(({ signal }) => asked(own, { wait: 60 }, { signal }).catch(() => "left"))
  await eventually(() => sockets(own) >= before + 4)
  await exchanges(own)
  for (const client of gone) client.abort()
  expect(await Promise.all(left)).toEqual(Array(5).fill("left"))
  await eventually(() => sockets(own) <= before)
  const id = await own.add()
  await exchanges(own)
  expect(await own.item(id)).toMatchObject({ status: "queued", attempt: 0, worker: "" })
  expect(await told(own, id)).toHaveLength(1)
  expect((await claim(own))?.id).toBe(id)
})

test("claims that wait when the server drains are answered as if their time were over", async () => {
  await using own = await start()
  const waiting = Array.from({ length: 20 }, () => claim(own, { wait: 60 }))
  await exchanges(own)
  const [code, ms] = await timed(own.end("SIGTERM"))
  expect(await Promise.all(waiting)).toEqual(Array(20).fill(null))
  expect(code).toBe(0)
  expect(ms).toBeLessThan(10_000)
})

test("an item that is added while a claim is answered 204 goes to the next claim", async () => {
  await using own = await start()
  for (let round = 0; round < 20; round += 1) {
    const waiting = claim(own, { wait: 0 })
    const id = own.add()
    const [taken, added] = await Promise.all([waiting, id])
    expect((taken ?? (await claim(own)))?.id).toBe(added)
  }
})

test("a lease is stored: it holds after a restart of the server", async () => {
  await using own = await start()
  const taken = await attempt(own)
  expect(await own.end("SIGKILL")).not.toBe(0)
  await using again = await start({ database: own.database })
  const { status, directive, item } = await new Attempt(again, taken).say("progress", { progress: 12.5 })
  expect([status, directive, item?.progress]).toEqual([200, "continue", 12])
  expect((await new Attempt(again, taken).say("complete")).item).toMatchObject({ status: "completed" })
})
