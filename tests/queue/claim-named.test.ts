import { afterAll, describe, expect, test } from "bun:test"

import { start } from "../server.ts"
import { asked, attempt, claim, told } from "../worker.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

describe("a claim that names its item", () => {
  test("takes that one, whatever its place in the order and its tags", async () => {
    const [first, named] = [await server.add(), await server.add({ song_id: 2, priority: -5, tags: ["gpu"] })]
    const taken = await claim(server, { id: named, worker: "box2" })
    expect(taken?.item).toMatchObject({ id: named, status: "processing", worker: "box2", attempt: 1 })
    expect(await taken?.say("complete")).toMatchObject({ status: 200, item: { status: "completed" } })
    expect(await server.item(first)).toMatchObject({ status: "queued" })
    await server.api("DELETE", `/queue/${first}`)
  })

  test("takes one that was to wait before its next attempt", async () => {
    const before = await attempt(server)
    await before.say("fail", { retry_in: 600 })
    const taken = await claim(server, { id: before.id })
    expect(taken?.item).toMatchObject({
      status: "processing",
      attempt: 2,
      retry_count: 1,
      available_at: null,
    })
  })

  test("is answered at once, however long it is allowed to wait", async () => {
    const { id } = await attempt(server)
    const startedMs = performance.now()
    expect((await asked(server, { id, wait: 30 })).status).toBe(409)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })

  test("is refused where somebody has the item, or it is finished, unknown or deleted", async () => {
    const held = await attempt(server, {}, { worker: "box1" })
    const over = await attempt(server)
    await over.say("complete")
    const gone = await server.add()
    await server.api("DELETE", `/queue/${gone}`)
    const started = await server.add()
    await server.put(started, { status: "processing" })
    for (const [id, status, code, error] of [
      [
        held.id,
        409,
        "illegal_move",
        `queue item ${held.id} is processing by worker "box1" and cannot be claimed`,
      ],
      [started, 409, "illegal_move", `queue item ${started} is processing and cannot be claimed`],
      [
        over.id,
        409,
        "illegal_move",
        `queue item ${over.id} is completed and cannot become processing; retry it by POST /queue/${over.id}/retry`,
      ],
      [999_999, 404, "not_found", "queue item 999999 does not exist"],
      [gone, 410, "gone", `queue item ${gone} was deleted; stop the work`],
    ] as const) {
      const answer = await asked(server, { id })
      expect(answer.status).toBe(status)
      expect(await answer.json()).toMatchObject({ code, error })
    }
    expect(await held.say("heartbeat")).toMatchObject({ status: 200, directive: "continue" })
    expect((await told(server, held.id)).length).toBe(2)
  })
})

test("an item can be added for later, and is claimed by its place in the queue only then", async () => {
  const beforeMs = Date.now()
  const id = await server.add({ song_id: 1, priority: 1000, available_in: 1 })
  const { available_at } = await server.item(id)
  expect(Date.parse(available_at ?? "")).toBeGreaterThanOrEqual(beforeMs + 1000)
  expect(await claim(server)).toBeNull()
  const taken = await claim(server, { wait: 10 })
  expect(taken?.id).toBe(id)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(available_at ?? ""))
})

test("an item that waits for its time is taken at once after its wait is taken away, and one that was put off is not", async () => {
  const [later, off] = [await server.add({ song_id: 1, available_in: 600 }), await server.add({ song_id: 2 })]
  expect((await server.api("PUT", `/queue/${off}`, { available_in: 600 })).status).toBe(200)
  expect(await claim(server)).toBeNull()
  const waiting = claim(server, { wait: 10 })
  expect(await (await server.api("PUT", `/queue/${later}`, { available_in: 0 })).json()).toMatchObject({
    available_at: null,
  })
  expect((await waiting)?.id).toBe(later)
  // It is no key of an item, and is for waiting items alone.
  expect(await server.item(off)).not.toHaveProperty("available_in")
  expect((await server.api("PUT", `/queue/${later}`, { available_in: 0 })).status).toBe(409)
})
