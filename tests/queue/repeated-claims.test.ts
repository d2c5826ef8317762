import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"

import { RepeatedClaims } from "../../src/queue/repeated-claims.ts"
import { start, temporaryFolder } from "../server.ts"
import { asked, Attempt, type Wish } from "../worker.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** Claims under a key. */
const claimed = (key: string, wish: Wish = {}): Promise<Response> =>
  asked(server, wish, { headers: { "content-type": "application/json", "idempotency-key": key } })

const leasedBy = async (key: string, wish?: Wish): Promise<Attempt> =>
  new Attempt(server, await (await claimed(key, wish)).json())

test("a claim that is repeated with its key gets the same item and lease, and another one, or one that names an item, does not", async () => {
  const ids = [await server.add(), await server.add(), await server.add()]
  const [first, again] = [await leasedBy("one"), await leasedBy("one")]
  expect([again.id, again.lease.token, again.item.attempt]).toEqual([first.id, first.lease.token, 1])
  expect([first.id, (await leasedBy("two")).id, (await leasedBy("one", { worker: "box2" })).id]).toEqual(ids)
  const named = await server.add()
  expect((await leasedBy("one", { id: named })).id).toBe(named)
  expect((await first.say("complete")).status).toBe(200)
  const next = await server.add()
  // The lease has ended, so this is a new claim.
  expect((await leasedBy("one")).id).toBe(next)
})

test("a repetition that wants nothing new gets what its key holds, and otherwise nothing", async () => {
  const [id, other] = [await server.add(), await server.add()]
  const again = { again: true, wait: 30 }
  expect((await claimed("four", again)).status).toBe(204)
  const first = await leasedBy("four")
  const second = await leasedBy("four", again)
  expect([second.id, second.lease.token]).toEqual([id, first.lease.token])
  await first.say("complete")
  expect((await claimed("four", again)).status).toBe(204)
  expect((await claimed("four", { ...again, id: other })).status).toBe(204)
  expect(await server.item(other)).toMatchObject({ status: "queued", attempt: 0 })
  const named = await leasedBy("four", { id: other })
  expect((await leasedBy("four", { again: true, id: other })).lease.token).toBe(named.lease.token)
  await named.say("complete")
  const refused = await asked(server, { again: true })
  expect([refused.status, await refused.json()]).toMatchObject([
    422,
    {
      code: "invalid",
      error: "again needs the header Idempotency-Key, by which the earlier claim is found",
    },
  ])
})

test("a repetition ends the wait of the claim before it, so that only one item is taken", async () => {
  const waiting = claimed("three", { worker: "waits", wait: 30 })
  while (!(await waits())) await Bun.sleep(5)
  const repeated = claimed("three", { worker: "waits", wait: 30 })
  expect((await waiting).status).toBe(204)
  const [id, other] = [await server.add(), await server.add()]
  expect((await (await repeated).json()).item.id).toBe(id)
  expect((await server.item(other)).status).toBe("queued")
  await server.put(other, { status: "failed" })
})

test("of repetitions that come together while the database is slow, only the latest waits for an item", async () => {
  const repeated = new RepeatedClaims()
  const slow = Promise.withResolvers<null>()
  const first = repeated.once("key", () => slow.promise)
  let waiting = 0
  for (let i = 0; i < 3; i += 1) {
    void repeated.once("key", async (isRepeated) => {
      waiting += 1
      await new Promise((resolve) => isRepeated.addEventListener("abort", resolve))
      waiting -= 1
      return null
    })
  }
  slow.resolve(null)
  await first
  // Every tick that a claim could still need is over by then.
  for (let ticks = 0; ticks < 10; ticks += 1) await new Promise(setImmediate)
  expect(waiting).toBe(1)
})

test("a repetition begins when the claim before it is answered, and ends only by a repetition of its own", async () => {
  const repeated = new RepeatedClaims()
  const slow = Promise.withResolvers<null>()
  const begun: string[] = []
  const first = repeated.once("key", () => slow.promise)
  // It has begun then.
  await new Promise(setImmediate)
  const second = repeated.once("key", async (isRepeated) => {
    begun.push("second")
    await new Promise((resolve) => isRepeated.addEventListener("abort", resolve))
    return null
  })
  for (let ticks = 0; ticks < 10; ticks += 1) await new Promise(setImmediate)
  expect(begun).toEqual([])
  slow.resolve(null)
  await first
  while (begun.length === 0) await new Promise(setImmediate)
  expect(await repeated.once("key", async () => "third")).toBe("third")
  expect(await second).toBeNull()
})

/** Whether the worker's claim waits for an item. */
async function waits(): Promise<boolean> {
  const answer = await server.api("GET", "/workers")
  const { workers }: { workers: { worker: string; state: string }[] } = await answer.json()
  return workers.some(({ worker, state }) => worker === "waits" && state === "idle")
}

test("a claim is answered again five times: a client that no answer reaches keeps no item for ever", async () => {
  const id = await server.add()
  const first = await leasedBy("four")
  expect(first.id).toBe(id)
  for (let i = 0; i < 5; i += 1) expect((await leasedBy("four")).lease.token).toBe(first.lease.token)
  expect((await claimed("four")).status).toBe(204)
})

test("a claim whose item was deleted meanwhile is a new claim when it is repeated", async () => {
  const id = await server.add()
  expect((await leasedBy("five")).id).toBe(id)
  expect((await server.api("DELETE", `/queue/${id}`)).status).toBe(200)
  const next = await server.add()
  expect((await leasedBy("five")).id).toBe(next)
})

test("a claim that is repeated after a restart of the server gets the same item and lease", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  const before = await start({ database })
  const ids = [await before.add(), await before.add()]
  const wish = { headers: { "content-type": "application/json", "idempotency-key": "six" } }
  const first = new Attempt(before, await (await asked(before, {}, wish)).json())
  await before.end("SIGKILL")
  await using after = await start({ database })
  const again = new Attempt(after, await (await asked(after, {}, wish)).json())
  expect([again.id, again.lease.token]).toEqual([ids[0] ?? 0, first.lease.token])
  expect((await again.say("complete")).status).toBe(200)
  expect((await after.item(ids[1] ?? 0)).status).toBe("queued")
})

test("a drained worker still gets the answer of its last claim, when it repeats it", async () => {
  const id = await server.add()
  const wish = { worker: "drained" }
  const first = await leasedBy("seven", wish)
  expect(first.id).toBe(id)
  expect((await server.api("POST", "/workers/drained/drain")).status).toBe(200)
  expect((await leasedBy("seven", wish)).lease.token).toBe(first.lease.token)
  expect((await claimed("eight", wish)).status).toBe(204)
})

test("a key that cannot be one is refused", async () => {
  expect((await claimed("two words")).status).toBe(422)
})
