import { afterAll, expect, test } from "bun:test"

import type { ProgressUpdate, QueueItem } from "../../src/item/item.ts"
import { Reader } from "../reader.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** Every key of a queue item, in the order of the answer, which an existing front end reads. */
const KEYS = (
  "id song_id title status priority current_step progress message error_message retry_count video_file_path " +
  "video_file_size thumbnail_path flag queued_at requeued_at started_at completed_at updated_at attempt max_attempts outcome " +
  "worker available_at turn cancel_requested_at eta_seconds eta_low_seconds eta_high_seconds eta_runs time_progress stalled stalled_since " +
  "basis steps step unit media kind totals tags metadata"
).split(" ")

const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** The change that the first specification shows. */
const SEED = { status: "processing", current_step: "Testing", progress: 50 }

type Numbered = ProgressUpdate & { id: number }

async function history(id: number, query = ""): Promise<Numbered[]> {
  const { updates }: { updates: Numbered[] } = await (
    await server.api("GET", `/queue/${id}/updates${query}`)
  ).json()
  return updates
}

async function put(id: number, body: object): Promise<QueueItem> {
  const answer = await server.api("PUT", `/queue/${id}`, body)
  expect(answer.status).toBe(200)
  return await answer.json()
}

test("a new item has every key, empty where nothing is known", async () => {
  const answer = await server.api("POST", "/queue", { song_id: 1 })
  expect(answer.status).toBe(201)
  expect(answer.headers.get("content-type")).toStartWith("application/json")
  const item: QueueItem = await answer.json()
  expect(Object.keys(item)).toEqual(KEYS)
  const { id, queued_at, updated_at, ...rest } = item
  expect(id).toBeGreaterThan(0)
  expect(queued_at).toMatch(RFC_3339_UTC)
  expect(Math.abs(Date.now() - Date.parse(queued_at))).toBeLessThan(60_000)
  expect(updated_at).toBe(queued_at)
  expect(rest).toEqual({
    song_id: 1,
    title: "",
    status: "queued",
    priority: 0,
    current_step: "",
    progress: 0,
    message: "Queue item created",
    error_message: "",
    retry_count: 0,
    video_file_path: "",
    video_file_size: 0,
    thumbnail_path: "",
    flag: null,
    requeued_at: null,
    started_at: null,
    completed_at: null,
    attempt: 0,
    max_attempts: 3,
    outcome: null,
    worker: "",
    available_at: null,
    turn: null,
    cancel_requested_at: null,
    eta_seconds: null,
    eta_low_seconds: null,
    eta_high_seconds: null,
    eta_runs: 0,
    time_progress: null,
    stalled: false,
    stalled_since: null,
    basis: null,
    steps: null,
    step: null,
    unit: null,
    media: null,
    kind: "",
    totals: {},
    tags: [],
    metadata: {},
  })
})

test("a new item takes all that can be given with it, and every read answers the same", async () => {
  const given = {
    song_id: Number.MAX_SAFE_INTEGER,
    priority: -3,
    title: "Nachtlied ⏱",
    max_attempts: 9,
    tags: ["gpu", "4k"],
    metadata: { artist: { name: "É", born: 1971 }, takes: [1, 2.5, null, true] },
  }
  const item: QueueItem = await (await server.api("POST", "/queue", given)).json()
  expect(item).toMatchObject(given)
  expect(await server.item(item.id)).toEqual(item)
  const { queue }: { queue: QueueItem[] } = await (await server.api("GET", "/queue?limit=1000")).json()
  expect(queue.find(({ id }) => id === item.id)).toEqual(item)
})

test("the first update of an item says that it was created", async () => {
  const id = await server.add({ song_id: 4, title: "One" })
  const { queued_at } = await server.item(id)
  expect(await history(id)).toEqual([
    {
      id: await server.head(),
      queue_id: id,
      song_id: 4,
      status: "queued",
      current_step: "",
      progress: 0,
      message: "Queue item created",
      timestamp: queued_at,
      title: "One",
    },
  ])
})

test("ids of items ascend and are not given again after the newest was deleted", async () => {
  const first = await server.add()
  await (await server.api("DELETE", `/queue/${first}`)).arrayBuffer()
  expect(await server.add()).toBeGreaterThan(first)
})

test("the seed's PUT keeps priority and song_id in the row, in the answer and in the broadcast, also repeated", async () => {
  const id = await server.add({ song_id: 77, priority: 10, title: "Song" })
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream/${id}?snapshot=false`)
  await reader.first("live")
  for (let times = 1; times <= 3; times += 1) {
    const answer = await put(id, SEED)
    expect(answer).toMatchObject({ ...SEED, song_id: 77, priority: 10, title: "Song", attempt: 1 })
    expect(await server.item(id)).toEqual(answer)
    await reader.until(() => reader.updates.length >= times)
    const { data, id: eventId } = reader.updates[times - 1] ?? {}
    const stored = (await history(id)).at(-1)
    expect(stored).toMatchObject({ ...SEED, queue_id: id, song_id: 77, message: "Queue item updated" })
    expect<unknown>({ id: eventId, ...data }).toEqual(stored)
  }
  reader.leave()
})

test("a PUT changes the keys it names and no other", async () => {
  const id = await server.add({ song_id: 5, priority: 2, title: "Before", metadata: { a: 1 } })
  const changes = [
    { song_id: 6 },
    { priority: -7 },
    { title: "After" },
    { video_file_path: "/videos/6.mp4" },
    { video_file_size: 123_456_789_012 },
    { thumbnail_path: "/thumbs/6.jpg" },
    { flag: "timing_issue" },
    { flag: null },
    { metadata: { b: [2] } },
    { current_step: "Waiting" },
    { progress: 1 },
    { error_message: "none so far" },
    { error_message: "" },
    { message: "Hello" },
  ]
  let before = await server.item(id)
  for (const change of changes) {
    const after = await put(id, change)
    const { updated_at } = after
    expect<unknown>(after).toEqual({ ...before, message: "Queue item updated", ...change, updated_at })
    before = after
  }
  expect(await server.item(id)).toEqual(before)
})

test("the message of a PUT is part of its update and is not kept for the next one", async () => {
  const id = await server.add()
  await put(id, { message: "Creating image 3 of 5" })
  await put(id, { progress: 3 })
  await put(id, { message: "" })
  expect((await history(id)).map(({ message }) => message)).toEqual([
    "Queue item created",
    "Creating image 3 of 5",
    "Queue item updated",
    "",
  ])
})

test("a PUT that changes nothing appends an update all the same", async () => {
  const id = await server.add({ song_id: 8 })
  await put(id, SEED)
  const before = await server.head()
  for (const body of [{}, SEED, { song_id: 8 }]) await put(id, body)
  const appended = (await history(id)).filter((update) => update.id > before)
  expect<unknown>(appended.map(({ timestamp: _at, id: _id, ...rest }) => rest)).toEqual(
    Array(3).fill({ queue_id: id, song_id: 8, ...SEED, message: "Queue item updated", attempt: 1 }),
  )
})

test("an update carries the error message while there is one", async () => {
  const id = await server.add()
  await put(id, { status: "processing", error_message: "disk nearly full" })
  await put(id, { error_message: "" })
  const [, warned, cleared] = await history(id)
  expect(warned).toMatchObject({ error_message: "disk nearly full" })
  expect(cleared).not.toContainKey("error_message")
})

test("the updates of an item come ascending, after an event ID, at most as many as asked", async () => {
  const id = await server.add()
  const other = await server.add()
  for (const progress of [10, 20, 30]) {
    await put(id, { progress })
    await put(other, { progress })
  }
  const all = await history(id)
  expect(all.map(({ progress }) => progress)).toEqual([0, 10, 20, 30])
  expect(all.map((update) => update.id)).toEqual(all.map((update) => update.id).toSorted((a, b) => a - b))
  const [first, second] = all
  expect(await history(id, `?after=${first?.id}&limit=2`)).toEqual(all.slice(1, 3))
  expect(await history(id, `?after=${second?.id}`)).toEqual(all.slice(2))
  expect(await history(id, `?after=${all.at(-1)?.id}`)).toEqual([])
  expect(await history(id, "?after=0&limit=1")).toEqual(all.slice(0, 1))
})

test("one answer holds at most 1000 updates, and the next goes on from there", async () => {
  const id = await server.add()
  await Promise.all(
    Array.from({ length: 1004 }, (_, i) => server.put(id, { message: `update ${i}`.padEnd(600) })),
  )
  const first = await history(id, "?limit=5000")
  expect(first).toHaveLength(1000)
  expect(await history(id)).toEqual(first)
  expect(await history(id, `?after=${first.at(-1)?.id}`)).toHaveLength(5)
})

test("a flag is set and taken away, also on a finished item, and viewers see it", async () => {
  const id = await server.add()
  await put(id, { status: "processing" })
  await put(id, { status: "completed" })
  const before = await server.head()
  for (const flag of ["image_issue", "lyrics_issue", "timing_issue", null]) {
    const answer = await server.api("PUT", `/queue/${id}/flag`, { flag })
    expect([answer.status, await answer.json()]).toEqual([200, { message: "Flag updated" }])
    expect<unknown>((await server.item(id)).flag).toBe(flag)
  }
  const told = (await history(id)).filter((update) => update.id > before)
  expect(told.map(({ status, progress }) => [status, progress])).toEqual(Array(4).fill(["completed", 100]))
})

test("a deleted item is gone from every read at once", async () => {
  const song_id = 990_001
  const id = await server.add({ song_id, priority: 1_000_000 })
  const next: QueueItem = await (await server.api("GET", "/queue/next")).json()
  expect(next.id).toBe(id)
  const answer = await server.api("DELETE", `/queue/${id}`)
  expect([answer.status, await answer.json()]).toEqual([200, { message: "Queue item deleted" }])
  for (const [method, path, body] of [
    ["GET", ""],
    ["GET", "/updates"],
    ["GET", "?wait=finished"],
    ["PUT", "", {}],
    ["PUT", "/flag", { flag: null }],
    ["DELETE", ""],
  ] as const) {
    const refused = await server.api(method, `/queue/${id}${path}`, body)
    expect([refused.status, await refused.json()]).toMatchObject([
      404,
      { error: `queue item ${id} does not exist`, code: "not_found" },
    ])
  }
  expect((await server.api("GET", `/progress/stream/${id}`)).status).toBe(404)
  expect(await (await server.api("GET", `/queue?song_id=${song_id}`)).json()).toEqual({
    queue: [],
    next: null,
  })
  const after: Partial<QueueItem> = await (await server.api("GET", "/queue/next")).json()
  expect(after.id).not.toBe(id)
})

test("viewers see an item that is deleted before its end as cancelled", async () => {
  for (const moves of [[], ["processing"], ["processing", "retrying"]]) {
    const id = await server.add({ song_id: 12 })
    for (const status of moves) await put(id, { status })
    const reader = await Reader.open(`${server.url}/api/v1/progress/stream/${id}?until=finished`)
    await reader.first("live")
    await (await server.api("DELETE", `/queue/${id}`)).arrayBuffer()
    expect(await reader.ended).toBeTrue()
    expect(reader.updates.at(-1)?.data).toMatchObject({
      queue_id: id,
      song_id: 12,
      status: "failed",
      outcome: "cancelled",
      message: "Queue item cancelled",
      deleted: true,
    })
    expect(reader.seen.at(-1)).toMatchObject({ event: "end", data: { status: "failed" } })
  }
})

test("viewers see a finished item that is deleted with its status unchanged", async () => {
  for (const status of ["completed", "failed"]) {
    const id = await server.add()
    await put(id, { status: "processing" })
    await put(id, { status, error_message: "kept" })
    const reader = await Reader.open(`${server.url}/api/v1/progress/stream?ids=${id}&snapshot=false`)
    await reader.first("live")
    await (await server.api("DELETE", `/queue/${id}`)).arrayBuffer()
    const { data } = await reader.first("message")
    expect(data).toMatchObject({ status, outcome: status, error_message: "kept" })
    expect(data).toMatchObject({ message: "Queue item deleted", deleted: true })
    reader.leave()
  }
})
