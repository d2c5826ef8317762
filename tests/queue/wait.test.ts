import { afterAll, expect, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import { start, type TestServer } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** A held request: its answer, and whether the answer has come. */
class Held {
  answered = false
  readonly answer: Promise<Response>

  constructor(to: TestServer, id: number, parameters = "") {
    this.answer = to.api("GET", `/queue/${id}?wait=finished${parameters}`)
    void this.answer.then(() => (this.answered = true)).catch(() => undefined)
  }

  async item(): Promise<QueueItem> {
    const answer = await this.answer
    expect(answer.status).toBe(200)
    return await answer.json()
  }
}

/**
 * Exchanges some requests with the server. After them the server has read everything that was sent before.
 */
async function exchanges(to: TestServer, id: number): Promise<void> {
  for (const progress of [10, 20, 30]) await to.put(id, { progress })
}

test("waiting for an item that is finished is answered at once", async () => {
  for (const status of ["completed", "failed"]) {
    const id = await server.add()
    for (const move of ["processing", status]) await server.put(id, { status: move })
    expect(await new Held(server, id, "&timeout=3600").item()).toEqual(await server.item(id))
  }
})

test("waiting is answered when the item is finished, and not before", async () => {
  for (const status of ["completed", "failed"]) {
    const id = await server.add()
    const held = [new Held(server, id, "&timeout=3600"), new Held(server, id)]
    await server.put(id, { status: "processing" })
    await exchanges(server, id)
    expect(held.map(({ answered }) => answered)).toEqual([false, false])
    await server.put(id, { status, error_message: "the last" })
    const item = await server.item(id)
    expect(item).toMatchObject({ status, error_message: "the last" })
    for (const one of held) expect(await one.item()).toEqual(item)
  }
})

test("waiting is answered with the item as it is when the timeout is over", async () => {
  const id = await server.add()
  await server.put(id, { status: "processing" })
  expect(await new Held(server, id, "&timeout=0").item()).toMatchObject({ id, status: "processing" })
  const startedMs = performance.now()
  const held = new Held(server, id, "&timeout=1")
  await exchanges(server, id)
  expect(await held.item()).toMatchObject({ id, status: "processing", progress: 30 })
  expect(performance.now() - startedMs).toBeGreaterThan(990)
})

test("an item that is cancelled by its deletion while somebody waits is gone for them too", async () => {
  const id = await server.add()
  const held = new Held(server, id)
  await exchanges(server, id)
  await (await server.api("DELETE", `/queue/${id}`)).arrayBuffer()
  expect((await held.answer).status).toBe(404)
})

test("waiting for an item that does not exist is answered at once", async () => {
  const answer = await new Held(server, 999_999, "&timeout=3600").answer
  expect([answer.status, await answer.json()]).toMatchObject([
    404,
    { error: "queue item 999999 does not exist", code: "not_found" },
  ])
})

test("held answers are no viewers: stats does not count them", async () => {
  const id = await server.add()
  const held = new Held(server, id)
  await exchanges(server, id)
  const stats: unknown = await (await server.api("GET", "/progress/stats")).json()
  expect(stats).toMatchObject({ connected_clients: 0, streams: { global: 0, item: 0 } })
  expect(held.answered).toBeFalse()
  await server.put(id, { status: "failed" })
  expect((await held.answer).status).toBe(200)
})

test("held answers are given with the item as it is when the server drains", async () => {
  await using own = await start()
  const id = await own.add({ song_id: 6 })
  const held = Array.from({ length: 50 }, () => new Held(own, id, "&timeout=3600"))
  await exchanges(own, id)
  expect(await own.end("SIGTERM")).toBe(0)
  const items = await Promise.all(held.map((one) => one.item()))
  expect(items.map(({ status, progress }) => [status, progress])).toEqual(Array(50).fill(["queued", 30]))
})
