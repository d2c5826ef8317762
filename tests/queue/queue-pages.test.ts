import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"

// Some start servers, on a machine that may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

interface QueuePage {
  readonly queue: QueueItem[]
  readonly next: string | null
}

async function page(query: Readonly<Record<string, string | number>> = {}): Promise<QueuePage> {
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
  const answer = await server.api("GET", `/queue?${parameters}`)
  expect(answer.status).toBe(200)
  return await answer.json()
}

const idsOf = ({ queue }: QueuePage): number[] => queue.map(({ id }) => id)

/** Resolves when the clock has passed the millisecond of `time`. */
async function past(time: string | null): Promise<void> {
  while (Date.now() <= Date.parse(time ?? "")) await Bun.sleep(1)
}

/** Ten items of one song in all states. Returns their IDs in the order of the queue. */
async function everyKind(song_id: number): Promise<number[]> {
  const add = async (priority: number, ...moves: string[]): Promise<number> => {
    const id = await server.add({ song_id, priority })
    for (const status of moves) await server.put(id, { status })
    return id
  }
  const waitingLow = await add(-1)
  const finished: number[] = []
  for (const end of ["completed", "failed", "completed"]) {
    const id = await add(99, "processing", end)
    finished.unshift(id)
    await past((await server.item(id)).completed_at)
  }
  const first = await add(0, "processing")
  const waitingHigh = await add(7)
  const waitingHighLater = await add(7)
  const retrying = await add(3, "processing", "retrying")
  const second = await add(50, "processing")
  const waitingZero = await add(0)
  return [first, second, waitingHigh, waitingHighLater, retrying, waitingZero, waitingLow, ...finished]
}

test("an empty queue is an empty list, nothing is pending, and its history has no first update", async () => {
  await using empty = await start()
  expect(await (await empty.api("GET", "/queue")).json()).toEqual({ queue: [], next: null })
  const answer = await empty.api("GET", "/queue/next")
  expect([answer.status, await answer.json()]).toEqual([200, { item: null, message: "No pending items" }])
  const stats: { updates: object } = await (await empty.api("GET", "/progress/stats")).json()
  expect(stats.updates).toEqual({ stored: 0, oldest_id: null, newest_id: null })
})

test("the queue lists what is processing, then what waits by priority and age, then what is finished, newest first", async () => {
  const order = await everyKind(101)
  expect(idsOf(await page({ song_id: 101 }))).toEqual(order)
})

test("pages of any size walk the queue once, in its order", async () => {
  const order = await everyKind(102)
  for (const limit of [1, 2, 3, 5, 9, 10, 11]) {
    const walked: number[] = []
    let after: string | null = null
    do {
      const one: QueuePage = await page({ song_id: 102, limit, ...(after !== null && { after }) })
      expect(one.queue.length).toBeLessThanOrEqual(limit)
      walked.push(...idsOf(one))
      after = one.next
    } while (after !== null)
    expect(walked).toEqual(order)
  }
})

test("an item that is added or finished while somebody pages makes no other item appear twice or not at all", async () => {
  const order = await everyKind(103)
  const first = await page({ song_id: 103, limit: 4 })
  const [processing] = order
  await server.add({ song_id: 103, priority: 100 })
  await server.put(processing ?? 0, { status: "completed" })
  const rest = await page({ song_id: 103, after: first.next ?? "" })
  const seen = [...idsOf(first), ...idsOf(rest)]
  expect(order.every((id) => seen.includes(id))).toBeTrue()
  expect(seen.filter((id) => id !== processing)).toEqual(order.slice(1))
})

test("the list can be narrowed to a status, to a song, and to both", async () => {
  const order = await everyKind(104)
  expect(idsOf(await page({ song_id: 104, status: "processing" }))).toEqual(order.slice(0, 2))
  expect(idsOf(await page({ song_id: 104, status: "retrying" }))).toEqual(order.slice(4, 5))
  expect(idsOf(await page({ song_id: 104, status: "failed" }))).toEqual(order.slice(8, 9))
  expect(idsOf(await page({ song_id: 104, status: "completed" }))).toEqual([
    ...order.slice(7, 8),
    ...order.slice(9),
  ])
  expect(idsOf(await page({ song_id: 104, status: "queued" }))).toHaveLength(4)
  expect(idsOf(await page({ song_id: 105 }))).toEqual([])
  const { queue } = await page({ status: "retrying" })
  expect(queue.every(({ status }) => status === "retrying")).toBeTrue()
  expect(queue.some(({ id }) => id === order[4])).toBeTrue()
})

test("a page holds at most 1000 items, whatever is asked", async () => {
  await Promise.all(Array.from({ length: 1001 }, () => server.add({ song_id: 106 })))
  for (const limit of [1000, 1001, 999_999_999_999_999]) {
    const { queue, next } = await page({ song_id: 106, limit })
    expect(queue).toHaveLength(1000)
    expect(idsOf(await page({ song_id: 106, after: next ?? "" }))).toHaveLength(1)
  }
  expect((await page({ song_id: 106 })).queue).toHaveLength(1000)
})

test("next answers the bare item that waits with the highest priority, the oldest of equals", async () => {
  await using own = await start()
  const next = async (): Promise<QueueItem> => (await own.api("GET", "/queue/next")).json()
  const low = await own.add({ song_id: 1, priority: -2 })
  const oldest = await own.add({ song_id: 2, priority: 5 })
  await own.add({ song_id: 3, priority: 5 })
  expect(await next()).toEqual(await own.item(oldest))
  const urgent = await own.add({ song_id: 4, priority: 6 })
  expect((await next()).id).toBe(urgent)
  await own.put(urgent, { status: "processing" })
  expect((await next()).id).toBe(oldest)
  await own.put(low, { priority: 9 })
  expect((await next()).id).toBe(low)
  await own.put(urgent, { priority: 10, status: "retrying" })
  expect((await next()).id).toBe(urgent)
})

/** Adds with an idempotency key. */
const addWith = (to: TestServer, key: string, body: object): Promise<Response> =>
  to.api("POST", "/queue", body, { "idempotency-key": key })

test("the same idempotency key and body answer the first item again and add nothing", async () => {
  const body = { song_id: 107, priority: 3, metadata: { b: [1, { d: 1, c: 2 }], a: null } }
  const first = await addWith(server, "key-1", body)
  expect(first.status).toBe(201)
  const item: QueueItem = await first.json()
  const head = await server.head()
  const reordered = { metadata: { a: null, b: [1, { c: 2, d: 1 }] }, priority: 3, song_id: 107 }
  for (const again of [body, reordered]) {
    const answer = await addWith(server, "key-1", again)
    expect([answer.status, await answer.json()]).toEqual([201, item])
  }
  expect(await server.head()).toBe(head)
  expect(idsOf(await page({ song_id: 107 }))).toEqual([item.id])
})

test("the first answer is repeated even when the item has changed since, or is deleted", async () => {
  const first: QueueItem = await (await addWith(server, "key-2", { song_id: 108 })).json()
  await server.put(first.id, { status: "processing", progress: 50 })
  expect(await (await addWith(server, "key-2", { song_id: 108 })).json()).toEqual(first)
  await (await server.api("DELETE", `/queue/${first.id}`)).arrayBuffer()
  expect(await (await addWith(server, "key-2", { song_id: 108 })).json()).toEqual(first)
  expect(idsOf(await page({ song_id: 108 }))).toEqual([])
})

test("the same idempotency key with another body is refused and adds nothing", async () => {
  const first: QueueItem = await (await addWith(server, "key-3", { song_id: 109, priority: 1 })).json()
  const head = await server.head()
  for (const body of [{ song_id: 109 }, { song_id: 109, priority: 2 }, { song_id: 110, priority: 1 }]) {
    const answer = await addWith(server, "key-3", body)
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { error: 'Idempotency-Key "key-3" was used with another body', code: "idempotency_mismatch" },
    ])
  }
  expect(await server.head()).toBe(head)
  expect(await (await addWith(server, "key-3", { song_id: 109, priority: 1 })).json()).toEqual(first)
})

test("many requests at once with one idempotency key add one item", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => addWith(server, "key-4", { song_id: 111 })),
  )
  const items: QueueItem[] = await Promise.all(answers.map((answer) => answer.json()))
  expect(new Set(items.map(({ id }) => id)).size).toBe(1)
  expect(idsOf(await page({ song_id: 111 }))).toHaveLength(1)
})

test("requests without an idempotency key, and with different ones, each add an item", async () => {
  const keys = ["x", "y", "~!#$%&'()*+,-./:;<=>?@[]^_`{|}", "k".repeat(255)]
  for (const key of keys) expect((await addWith(server, key, { song_id: 112 })).status).toBe(201)
  for (let i = 0; i < 2; i += 1) await server.add({ song_id: 112 })
  expect(idsOf(await page({ song_id: 112 }))).toHaveLength(keys.length + 2)
})

test("idempotency keys, items and their order survive a restart", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const body = { song_id: 1, title: "Once" }
  const before = await start({ database })
  const item: QueueItem = await (await addWith(before, "key", body)).json()
  const second = await before.add({ song_id: 2, priority: 1 })
  await before.put(second, { title: "Changed", metadata: { kept: true } })
  const list: unknown = await (await before.api("GET", "/queue")).json()
  expect(await before.end("SIGTERM")).toBe(0)

  await using after = await start({ database })
  expect(await (await after.api("GET", "/queue")).json()).toEqual(list)
  expect(await (await addWith(after, "key", body)).json()).toEqual(item)
  expect((await addWith(after, "key", { song_id: 3 })).status).toBe(422)
  expect(await after.head()).toBe(3)
  expect(await after.add({ song_id: 3 })).toBe(3)
})
