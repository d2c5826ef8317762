import { afterAll, describe, expect, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const read = async (id: number): Promise<QueueItem> => (await server.api("GET", `/queue/${id}`)).json()
const put = async (
  id: number,
  body: object,
): Promise<{ status: number; item: QueueItem; error?: string }> => {
  const answer = await server.api("PUT", `/queue/${id}`, body)
  const item: QueueItem & { error?: string } = await answer.json()
  return { status: answer.status, item, ...(item.error !== undefined && { error: item.error }) }
}

/** The item as a PUT answers with it: without what is computed for each reader. */
const storedOf = (item: QueueItem) => ({ ...item, error_cause: undefined })

/** An item in each state, and what brings it into that state. */
const STATES: Readonly<Record<string, (id: number) => Promise<unknown>>> = {
  queued: async () => undefined,
  processing: (id) => server.put(id, { status: "processing", progress: 40, current_step: "Rendering" }),
  leased: (id) => server.api("POST", "/queue/claim", { worker: "w", id }),
  completed: async (id) => {
    await server.put(id, { status: "processing" })
    await server.put(id, { status: "completed" })
  },
  failed: async (id) => {
    await server.put(id, { status: "processing" })
    await server.put(id, { status: "failed", error_message: "out of memory" })
  },
}

describe.each(Object.keys(STATES))("an item that is %s", (state) => {
  const made = async (): Promise<number> => {
    const id = await server.add({ song_id: 7, title: "A song", priority: 3, metadata: { a: [1, { b: 2 }] } })
    await STATES[state]?.(id)
    return id
  }

  test("is accepted as it was read, and nothing but its time and message changes", async () => {
    const id = await made()
    const before = await read(id)
    const { status, item } = await put(id, before)
    expect([status, item]).toEqual([
      200,
      { ...storedOf(before), updated_at: expect.any(String), message: "Queue item updated" },
    ])
  })

  test("takes the one key that was changed in it", async () => {
    const id = await made()
    const before = await read(id)
    const { status, item } = await put(id, {
      ...before,
      priority: 9,
      flag: "image_issue",
      metadata: { c: 1 },
    })
    expect([status, item]).toEqual([
      200,
      {
        ...storedOf(before),
        updated_at: expect.any(String),
        message: "Queue item updated",
        priority: 9,
        flag: "image_issue",
        metadata: { c: 1 },
      },
    ])
  })
})

test("changes by others since it was read are kept", async () => {
  const id = await server.add({ song_id: 7, title: "Old" })
  const before = await read(id)
  for (let progress = 1; progress <= 30; progress += 1)
    await server.put(id, { status: "processing", progress })
  await server.put(id, { title: "New", current_step: "Mixing" })
  const { status, item } = await put(id, { ...before, priority: 2 })
  expect([status, item]).toMatchObject([
    200,
    { status: "processing", progress: 30, title: "New", current_step: "Mixing", priority: 2 },
  ])
})

test("a value that is the same as now is no change either, however long ago it was read", async () => {
  const id = await server.add({ song_id: 7, title: "Old" })
  const before = await read(id)
  await server.api("POST", "/queue/claim", { worker: "w", id })
  const now = await read(id)
  const updated_at = new Date(Date.parse(before.updated_at) - 60_000).toISOString()
  const { status, item } = await put(id, { ...now, updated_at, priority: 4 })
  expect([status, item]).toMatchObject([200, { status: "processing", worker: "w", priority: 4 }])
})

test("a changed key in it is refused if such a change is refused", async () => {
  const leased = await server.add({ song_id: 7 })
  await STATES["leased"]?.(leased)
  expect((await put(leased, { ...(await read(leased)), progress: 50 })).status).toBe(409)
  const over = await server.add({ song_id: 7 })
  await STATES["completed"]?.(over)
  const refused = await put(over, { ...(await read(over)), status: "queued" })
  expect(refused).toMatchObject({ status: 409, error: expect.stringContaining(`POST /queue/${over}/retry`) })
})

test("another item's is refused, and so is a read-only key without the id", async () => {
  const id = await server.add({ song_id: 7 })
  const before = await read(id)
  const head = await server.head()
  for (const other of [id - 1, id + 1]) {
    expect(await put(id, { ...before, id: other })).toMatchObject({
      status: 422,
      error: `the body is that of item ${other}, but the path names item ${id}`,
    })
  }
  for (const wrong of [String(id), null, id + 0.5]) {
    expect((await put(id, { ...before, id: wrong })).status).toBe(422)
  }
  expect(await put(id, { attempt: 0 })).toMatchObject({
    status: 422,
    error: expect.stringContaining('"attempt"'),
  })
  expect(await put(id, { ...before, colour: 1 })).toMatchObject({
    status: 422,
    error: expect.stringContaining('"colour"'),
  })
  expect(await server.head()).toBe(head)
})
