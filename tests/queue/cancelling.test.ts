import { Database } from "bun:sqlite"
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { Reader } from "../reader.ts"
import { start, type TestServer } from "../server.ts"
import { Attempt, attempt, claim, type Said, timed, told } from "../worker.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const VERBS = ["progress", "heartbeat", "complete", "fail", "release"] as const

/** Cancels an item, or deletes it. Returns the status code and the body. */
async function user(
  method: "POST" | "DELETE",
  path: string,
): Promise<[number, Partial<Said["item"]> & object]> {
  const answer = await server.api(method, path)
  return [answer.status, await answer.json()]
}
const cancel = (id: number) => user("POST", `/queue/${id}/cancel`)

/**
 * Exchanges some requests with the server. After them the server has read everything that was sent before.
 */
async function exchanges(to: TestServer): Promise<void> {
  for (let i = 0; i < 3; i += 1) await to.head()
}

const UNLEASED: Record<string, (id: number) => Promise<void>> = {
  queued: async () => undefined,
  processing: (id) => server.put(id, { status: "processing", progress: 40 }),
  retrying: async (id) => {
    await server.put(id, { status: "processing" })
    await server.put(id, { status: "retrying", error_message: "of the attempt" })
  },
}

test.each(Object.entries(UNLEASED))(
  "an item that is %s and that nobody has leased is cancelled at once",
  async (_status, bring) => {
    const id = await server.add({ song_id: 1, tags: ["nobody's"] })
    await bring(id)
    const [code, item] = await cancel(id)
    expect(code).toBe(200)
    expect(item).toMatchObject({
      id,
      status: "failed",
      outcome: "cancelled",
      message: "Queue item cancelled",
    })
    // The cause of an error is computed for readers, and is no part of this answer.
    const stored: object = { ...(await server.item(id)), error_cause: undefined }
    expect(stored).toEqual(item)
    expect((await told(server, id)).at(-1)).toMatchObject({
      status: "failed",
      outcome: "cancelled",
      message: "Queue item cancelled",
    })
    const head = await server.head()
    expect(await cancel(id)).toEqual([200, item])
    expect(await server.head()).toBe(head)
  },
)

test.each([true, false])(
  "a worker says of a failed attempt whether it cancels the item: %s",
  async (cancelled) => {
    const taken = await attempt(server)
    await taken.say("fail", { retryable: false, cancelled })
    expect((await server.item(taken.id)).outcome).toBe(cancelled ? "cancelled" : "failed")
  },
)

test("a leased item goes on until its worker stops: one update asks for it, and every answer says so", async () => {
  const taken = await attempt(server)
  await taken.say("progress", { progress: 40 })
  const head = await server.head()
  const [code, item] = await cancel(taken.id)
  expect(code).toBe(200)
  expect(item).toMatchObject({
    status: "processing",
    progress: 40,
    outcome: null,
    message: "Cancel requested",
  })
  expect(item.cancel_requested_at).not.toBeNull()
  expect((await told(server, taken.id)).at(-1)).toMatchObject({
    id: head + 1,
    status: "processing",
    cancel_requested_at: item.cancel_requested_at ?? "",
  })
  expect(await cancel(taken.id)).toEqual([200, item])
  expect(await server.head()).toBe(head + 1)
  for (const verb of ["heartbeat", "progress", "heartbeat?wait=20"]) {
    const [said, ms] = await timed(taken.say(verb))
    expect(said).toMatchObject({
      status: 200,
      directive: "cancel",
      lease: { expires_at: expect.any(String) },
    })
    expect(ms).toBeLessThan(10_000)
  }
})

test("a worker that stops because of the directive makes the item cancelled, by fail or by release", async () => {
  for (const [verb, body] of [
    ["fail", { error_message: "terminated", retryable: true }],
    ["fail", undefined],
    ["release", undefined],
  ] as const) {
    const taken = await attempt(server)
    await cancel(taken.id)
    const said = await taken.say(verb, body)
    expect(said).toMatchObject({ status: 200, directive: "cancel" })
    expect(said.item).toMatchObject({
      status: "failed",
      outcome: "cancelled",
      retry_count: 0,
      available_at: null,
      error_message: body?.error_message ?? "",
    })
    expect(await taken.say(verb, body)).toEqual(said)
    expect((await told(server, taken.id)).at(-1)).toMatchObject({ outcome: "cancelled" })
  }
})

test("complete wins over a cancel that was requested", async () => {
  const taken = await attempt(server)
  await cancel(taken.id)
  const said = await taken.say("complete", { video_file_path: "/v.mp4" })
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(said.item).toMatchObject({ status: "completed", outcome: "completed", cancel_requested_at: null })
  expect(await taken.say("complete")).toEqual(said)
})

test("an item that has ended otherwise cannot be cancelled any more, and stays as it ended", async () => {
  for (const verb of ["complete", "fail"]) {
    const taken = await attempt(server)
    await taken.say(verb, verb === "fail" ? { retryable: false, error_message: "no" } : {})
    const before = [await taken.now(), await server.head()]
    const [code, body] = await cancel(taken.id)
    expect(code).toBe(409)
    expect(body).toMatchObject({ code: "illegal_move" })
    expect([await taken.now(), await server.head()]).toEqual(before)
  }
})

test("a cancelled item can be put back, and its next worker is not asked to stop", async () => {
  const taken = await attempt(server)
  await cancel(taken.id)
  await taken.say("release")
  expect((await server.api("POST", `/queue/${taken.id}/retry`)).status).toBe(200)
  const next = await claim(server, { tags: taken.item.tags })
  expect(next?.item).toMatchObject({ cancel_requested_at: null, outcome: null, attempt: 1 })
  expect(await next?.say("heartbeat")).toMatchObject({ status: 200, directive: "continue" })
})

test("a leased item that is deleted is gone: viewers see it cancelled, and its worker is asked to stop", async () => {
  const taken = await attempt(server)
  const viewer = await Reader.open(`${server.url}/api/v1/progress/stream/${taken.id}`)
  await viewer.first("live")
  expect((await user("DELETE", `/queue/${taken.id}`))[0]).toBe(200)
  await viewer.until(() => viewer.updates.length === 2)
  expect(viewer.updates.at(-1)?.data).toMatchObject({
    status: "failed",
    outcome: "cancelled",
    message: "Queue item cancelled",
    deleted: true,
  })
  viewer.leave()
  const head = await server.head()
  for (const verb of [...VERBS, "heartbeat?wait=20"]) {
    expect(await taken.say(verb)).toMatchObject({
      status: 410,
      code: "gone",
      directive: "cancel",
      error: `queue item ${taken.id} was deleted; stop the work`,
    })
  }
  expect(await server.head()).toBe(head)
  expect((await user("DELETE", `/queue/${taken.id}`))[0]).toBe(404)
  for (const verb of ["cancel", "retry"])
    expect((await user("POST", `/queue/${taken.id}/${verb}`))[0]).toBe(404)
})

test("an item that never existed is not found, by any verb", async () => {
  const never = new Attempt(server, {
    ...(await attempt(server)),
    item: { ...(await server.item(1)), id: 987_654 },
  })
  for (const verb of [...VERBS, "cancel", "retry", "heartbeat?wait=20"]) {
    const said = await never.say(verb)
    expect(said).toMatchObject({ status: 404, code: "not_found" })
    expect(said.directive).toBeUndefined()
  }
})

test("a held heartbeat is answered as soon as the cancel of its item is requested", async () => {
  const latenciesMs: number[] = []
  for (let round = 0; round < 10; round += 1) {
    const taken = await attempt(server)
    const held = taken.say("heartbeat", undefined, "?wait=20")
    await exchanges(server)
    const cancelling = cancel(taken.id)
    const [said, ms] = await timed(held)
    await cancelling
    expect(said).toMatchObject({ status: 200, directive: "cancel" })
    latenciesMs.push(ms)
  }
  expect(Math.max(...latenciesMs)).toBeLessThan(10_000)
})

test("a heartbeat is held for half of its lease at most, so that the lease lives on", async () => {
  const taken = await attempt(server, {}, { lease: 2 })
  const [said, ms] = await timed(taken.say("heartbeat", undefined, "?wait=20"))
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(ms).toBeWithin(900, 10_000)
  await user("DELETE", `/queue/${taken.id}`)
})

test("a held heartbeat is answered as soon as its item is deleted", async () => {
  const taken = await attempt(server)
  const held = taken.say("heartbeat", undefined, "?wait=20")
  await exchanges(server)
  await user("DELETE", `/queue/${taken.id}`)
  const [said, ms] = await timed(held)
  expect(said).toMatchObject({ status: 410, directive: "cancel" })
  expect(ms).toBeLessThan(10_000)
})

test("a held heartbeat is answered as soon as the lease is lost to the worker's own verdict", async () => {
  const taken = await attempt(server)
  const held = taken.say("heartbeat", undefined, "?wait=20")
  await exchanges(server)
  expect((await taken.say("complete")).status).toBe(200)
  const [said, ms] = await timed(held)
  expect(said).toMatchObject({ status: 409, code: "lease_lost", directive: "cancel" })
  expect(ms).toBeLessThan(10_000)
})

test("a held heartbeat without such an event is answered at its time, and the lease is renewed", async () => {
  const taken = await attempt(server)
  let answered = false
  const held = timed(taken.say("heartbeat", undefined, "?wait=2")).finally(() => (answered = true))
  await exchanges(server)
  for (const progress of [10, 20, 30]) {
    await taken.say("progress", { progress })
    await server.put(taken.id, { title: `at ${progress}` })
  }
  expect(answered).toBeFalse()
  const [said, ms] = await held
  expect(ms).toBeWithin(1980, 10_000)
  expect(said).toMatchObject({ status: 200, directive: "continue", item: { progress: 30 } })
  expect(Date.parse(said.lease?.expires_at ?? "") - Date.now()).toBeWithin(58_000, 60_001)
})

test("a heartbeat is held for half its lease at most, so that the lease never runs out meanwhile", async () => {
  const taken = await attempt(server, {}, { lease: 2 })
  const [said, ms] = await timed(taken.say("heartbeat", undefined, "?wait=60"))
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(ms).toBeWithin(950, 10_000)
})

test("a worker that goes away while its heartbeat is held leaves its lease as it was", async () => {
  const taken = await attempt(server)
  using database = new Database(server.database, { readonly: true })
  const ends = (): number =>
    database
      .query<{ at: number }, [number]>("SELECT lease_expires_at AS at FROM queue_items WHERE id = ?")
      .get(taken.id)?.at ?? 0
  const before = ends()
  const leaving = new AbortController()
  const held = fetch(`${server.url}/api/v1/queue/${taken.id}/heartbeat?wait=30`, {
    method: "POST",
    headers: { lease: taken.lease.token },
    signal: leaving.signal,
  }).catch(() => undefined)
  while (ends() === before) await exchanges(server)
  const renewed = ends()
  leaving.abort()
  await held
  await exchanges(server)
  await exchanges(server)
  expect(ends()).toBe(renewed)
})

test("held heartbeats are answered when the server drains, and the leases hold after it", async () => {
  await using own = await start()
  const all = await Promise.all(Array.from({ length: 20 }, () => attempt(own)))
  const held = all.map((one) => one.say("heartbeat", undefined, "?wait=60"))
  await exchanges(own)
  const [code, ms] = await timed(own.end("SIGTERM"))
  expect(code).toBe(0)
  expect(ms).toBeLessThan(10_000)
  for (const said of await Promise.all(held))
    expect(said).toMatchObject({ status: 200, directive: "continue" })
  await using again = await start({ database: own.database })
  for (const one of all) expect((await new Attempt(again, one).say("progress")).status).toBe(200)
})
