import { expect, spyOn, test } from "bun:test"

import type { Delivery } from "../../src/store/contract/deliveries.ts"
import { post } from "../../src/webhooks/post.ts"
import { added, put, START_MS } from "../contracts/store.contract.ts"
import { Receiver, Scene } from "./scene.ts"

const HOUR_MS = 3_600_000

test("a notice that could not be stored is stored by a later round, and delivered once", async () => {
  let failures = 2
  await using scene = new Scene((deliveries) => ({
    async add(notices, upTo) {
      if (failures-- > 0) throw new Error("the disk is full")
      await deliveries.add(notices, upTo)
    },
  }))
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(1)
  expect(scene.errors).toHaveLength(2)
  await scene.settled(1)
  expect(scene.receiver.ids).toHaveLength(1)
})

test("deliveries that could not be read are read by a later round", async () => {
  let failures = 2
  await using scene = new Scene((deliveries) => ({
    async take(url, limit, forMs) {
      if (failures-- > 0) throw new Error("the disk is broken")
      return deliveries.take(url, limit, forMs)
    },
  }))
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(1)
  expect(scene.errors).toHaveLength(2)
})

test("a notice that was stored and then lost with a part of the database is stored again", async () => {
  const lost = Promise.withResolvers<void>()
  let adds = 0
  await using scene = new Scene((deliveries) => ({
    async add(notices, upTo) {
      adds += 1
      if (adds === 1) lost.resolve()
      else await deliveries.add(notices, upTo)
    },
  }))
  await scene.start()
  await scene.fail()
  await lost.promise
  scene.ring()
  await scene.receiver.asked(1)
  await scene.settled(1)
  expect(await scene.store.deliveries.standing()).toMatchObject({ pending: 0, delivered: 1 })
})

test("a stop waits until what a receiver has answered is stored", async () => {
  const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using scene = new Scene((deliveries) => ({
    async settle(id, settlement) {
      begun.resolve()
      await held.promise
      await deliveries.settle(id, settlement)
    },
  }))
  await scene.start()
  await scene.fail()
  await begun.promise
  let isStopped = false
  const stopping = scene.stop().then(() => (isStopped = true))
  for (let round = 0; round < 10; round += 1) await new Promise(setImmediate)
  expect(isStopped).toBe(false)
  held.resolve()
  await stopping
  expect(await scene.store.deliveries.standing()).toMatchObject({ pending: 0, delivered: 1 })
})

test("an answer that comes at the stop counts, and is not asked for again", async () => {
  await using scene = new Scene()
  const answer: unknown = async () => {
    void scene.stop()
    return new Response("ok")
  }
  const fetching = spyOn(globalThis, "fetch").mockImplementation(answer as typeof fetch)
  try {
    await scene.start()
    await scene.fail()
    await scene.settled(1)
  } finally {
    fetching.mockRestore()
  }
  expect(await scene.store.deliveries.standing()).toMatchObject({ pending: 0, delivered: 1 })
})

test("webhooks that are stopped while they start do not begin to follow", async () => {
  await using scene = new Scene()
  const listen = spyOn(scene.bus, "listen")
  const starting = scene.start()
  await scene.stop()
  await starting
  expect(listen).not.toHaveBeenCalled()
})

test("a delivery whose outcome could not be stored is sent again under the same id", async () => {
  let failures = 1
  await using scene = new Scene((deliveries) => ({
    async settle(id, settlement) {
      if (failures-- > 0) throw new Error("the disk is full")
      await deliveries.settle(id, settlement)
    },
  }))
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(2)
  expect(new Set(scene.receiver.ids).size).toBe(1)
})

test("a receiver that fails is asked later each time, an hour apart at most, and given up after a day", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Response("no", { status: 500 })
  await scene.start()
  await scene.fail()
  const waits: number[] = []
  let passed = 0
  for (let times = 1; ; times += 1) {
    const { status, nextAttemptAt } = await scene.settled(times)
    if (status === "failed") break
    const waitMs = Date.parse(nextAttemptAt ?? "") - START_MS - passed
    waits.push(waitMs)
    passed += waitMs
    scene.pass(waitMs)
  }
  expect(waits.slice(0, 4)).toEqual([1000, 2000, 4000, 8000])
  expect(Math.max(...waits)).toBe(HOUR_MS)
  expect(passed).toBeGreaterThan(22 * HOUR_MS)
  expect(passed).toBeLessThanOrEqual(24 * HOUR_MS)
  expect(scene.givenUp).toEqual(["it answered 500"])
})

test("a delivery that was made while the clock was far ahead is tried once more afterwards, and not for years", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Response("no", { status: 500 })
  await scene.start()
  await scene.fail()
  expect(await scene.settled(1)).toMatchObject({ status: "pending" })
  scene.pass(-64 * 365 * 24 * HOUR_MS)
  expect(await scene.settled(2)).toMatchObject({ status: "failed" })
})

test("a receiver that asks for a wait of a week is asked again after an hour", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Response("", { status: 503, headers: { "retry-after": "604800" } })
  await scene.start()
  await scene.fail()
  const { nextAttemptAt } = await scene.settled(1)
  expect(Date.parse(nextAttemptAt ?? "") - START_MS).toBe(HOUR_MS)
})

test("a receiver that asks for no more than a second each time is asked later each time as well", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Response("", { status: 503, headers: { "retry-after": "1" } })
  await scene.start()
  await scene.fail()
  await scene.settled(1)
  scene.pass(1000)
  const { nextAttemptAt } = await scene.settled(2)
  expect(Date.parse(nextAttemptAt ?? "") - START_MS - 1000).toBe(2000)
})

test("a receiver that answers with a redirect has failed, and the address it names is not asked", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => Response.redirect(`${scene.receiver.url}/elsewhere`, 307)
  await scene.start()
  await scene.fail()
  expect(await scene.settled(1)).toMatchObject({ status: "pending", answer: 307, error: "it answered 307" })
  expect(scene.receiver.ids.filter((id) => id.includes("elsewhere"))).toEqual([])
  expect(scene.receiver.ids).toHaveLength(1)
})

test("a receiver has a delivery if it answers 200, whatever the body that it sends with it claims to be", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Response("ok", { headers: { "content-encoding": "gzip" } })
  await scene.start()
  await scene.fail()
  expect(await scene.settled(1)).toMatchObject({ status: "delivered", answer: 200, error: "" })
})

test("one webhook has at most four deliveries under way, holds up no other one, and goes on when these are over", async () => {
  const held = Promise.withResolvers<void>()
  using other = new Receiver()
  const limits: number[] = []
  await using scene = new Scene(
    (deliveries) => ({
      take(url, limit, forMs) {
        limits.push(limit)
        return deliveries.take(url, limit, forMs)
      },
    }),
    [other],
  )
  scene.receiver.answer = () => held.promise.then(() => new Response("ok"))
  await scene.start()
  for (let item = 0; item < 10; item += 1) await scene.fail()
  await scene.receiver.asked(4)
  await other.asked(10)
  // Several rounds of the timer. In each of them a fifth could be sent.
  await Promise.race([scene.receiver.asked(5), Bun.sleep(800)])
  expect(scene.receiver.ids).toHaveLength(4)
  // No round asks the database for deliveries that could not be sent.
  expect(Math.min(...limits)).toBeGreaterThan(0)
  held.resolve()
  await scene.receiver.asked(10)
  expect(new Set(scene.receiver.ids).size).toBe(10)
})

test("deliveries that end at the same time have what is due read once, or more than four would be under way", async () => {
  const [answered, settled] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let [reading, most, takes] = [0, 0, 0]
  await using scene = new Scene((deliveries) => ({
    async take(url, limit, forMs) {
      takes += 1
      reading += 1
      most = Math.max(most, reading)
      if (scene.receiver.ids.length >= 4) await settled.promise
      const taken = await deliveries.take(url, limit, forMs)
      reading -= 1
      return taken
    },
  }))
  scene.receiver.answer = () => answered.promise.then(() => new Response("ok"))
  await scene.start()
  for (let item = 0; item < 10; item += 1) await scene.fail()
  await scene.receiver.asked(4)
  const before = takes
  answered.resolve()
  await scene.settled(4)
  while (takes === before) await new Promise(setImmediate)
  settled.resolve()
  await scene.settled(10)
  expect(most).toBe(1)
})

test("a receiver that begins to fail, or recovers, is reported once, and one that works is not", async () => {
  await using scene = new Scene()
  const { receiver } = scene
  await scene.start()
  await scene.fail()
  await scene.settled(1)
  expect(scene.told).toEqual([])
  receiver.answer = () => new Response("", { status: 500 })
  await scene.fail()
  await scene.fail()
  await scene.settled(3)
  expect(scene.told).toEqual(["failing"])
  receiver.answer = () => new Response("ok")
  scene.pass(HOUR_MS)
  await scene.settled(5)
  expect(scene.told).toEqual(["failing", "recovered"])
})

test("a receiver that does not answer is given up after 10 s", async () => {
  using receiver = new Receiver()
  receiver.answer = () => new Promise<Response>(() => undefined)
  const late = new AbortController()
  const limit = spyOn(AbortSignal, "timeout").mockReturnValue(late.signal)
  try {
    const over = { answer: null, error: "", created_at: "", next_attempt_at: null, finished_at: null }
    const update = { update_id: 2, queue_id: 3, data: "{}" }
    const delivery: Delivery = {
      ...{ id: 1, url: receiver.url, ...update, ...over },
      notice: "failed",
      status: "pending",
      attempts: 0,
    }
    const common = { secret: undefined, userAgent: "test", historyId: "h", now: () => START_MS }
    const posted = post(delivery, { ...common, signal: new AbortController().signal })
    await receiver.asked(1)
    late.abort(new Error("too late"))
    expect(await posted).toEqual({ status: null, error: "too late", waitMs: 0 })
    expect(limit).toHaveBeenCalledWith(10_000)
  } finally {
    limit.mockRestore()
  }
})

test("updates without a notice are examined once, because the place is stored now and then", async () => {
  const examined = Promise.withResolvers<number>()
  let stored = 0
  await using scene = new Scene((deliveries) => ({
    async add(notices, upTo) {
      await deliveries.add(notices, upTo)
      stored += 1
      examined.resolve(notices.length)
    },
  }))
  await scene.start()
  const id = await added(scene.store)
  await Promise.all(Array.from({ length: 1000 }, (_, i) => put(scene.store, id, { message: `${i}` })))
  scene.ring()
  expect(await examined.promise).toBe(0)
  expect(await scene.store.deliveries.cursor()).toBeGreaterThanOrEqual(1000)
  expect(stored).toBe(1)
  // A few more updates are no reason to store it again: that happens with the next notice.
  const read = spyOn(scene.store, "page")
  await put(scene.store, id, { message: "one more" })
  scene.ring()
  while (read.mock.calls.length === 0) await Bun.sleep(10)
  await scene.fail()
  await scene.receiver.asked(1)
  expect(stored).toBe(2)
})

test("a start is no reason to store the place again", async () => {
  let stored = 0
  await using scene = new Scene((deliveries) => ({
    add(notices, upTo) {
      stored += 1
      return deliveries.add(notices, upTo)
    },
  }))
  const id = await added(scene.store)
  await Promise.all(Array.from({ length: 1000 }, (_, i) => put(scene.store, id, { message: `${i}` })))
  await scene.start()
  const read = spyOn(scene.store, "page")
  await put(scene.store, id, { message: "one more" })
  const before = read.mock.calls.length
  scene.ring()
  while (read.mock.calls.length === before) await Bun.sleep(10)
  await scene.fail()
  await scene.receiver.asked(1)
  expect(stored).toBe(1)
})

test("the place is stored after a thousand updates without a notice also if these come a few at a time", async () => {
  const examined = Promise.withResolvers<void>()
  await using scene = new Scene((deliveries) => ({
    async add(notices, upTo) {
      await deliveries.add(notices, upTo)
      examined.resolve()
    },
  }))
  await scene.start()
  const id = await added(scene.store)
  const read = spyOn(scene.store, "page")
  for (let part = 0; part < 3; part += 1) {
    await Promise.all(
      Array.from({ length: 400 }, (_, i) => put(scene.store, id, { message: `${part} ${i}` })),
    )
    const before = read.mock.calls.length
    scene.ring()
    while (read.mock.calls.length === before) await Bun.sleep(10)
  }
  await examined.promise
  expect(await scene.store.deliveries.cursor()).toBeGreaterThanOrEqual(1000)
})

test("a place that was stored and then lost with a part of the database is stored again", async () => {
  const [lost, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let adds = 0
  await using scene = new Scene((deliveries) => ({
    async add(notices, upTo) {
      adds += 1
      if (adds === 1) return lost.resolve()
      await deliveries.add(notices, upTo)
      again.resolve()
    },
  }))
  await scene.start()
  const id = await added(scene.store)
  await Promise.all(Array.from({ length: 1000 }, (_, i) => put(scene.store, id, { message: `${i}` })))
  scene.ring()
  await lost.promise
  scene.ring()
  await again.promise
  expect(await scene.store.deliveries.cursor()).toBeGreaterThanOrEqual(1000)
})

test("while no outcome can be stored, a receiver is asked again once in each round, and not all the time", async () => {
  const atMs: number[] = []
  await using scene = new Scene((deliveries) => ({
    async settle(id, settlement) {
      atMs.push(performance.now())
      if (atMs.length < 5) throw new Error("the disk is full")
      await deliveries.settle(id, settlement)
    },
  }))
  await scene.start()
  await scene.fail()
  await scene.settled(1)
  const [first = 0, last = 0] = [atMs[0], atMs[4]]
  // A round is 250 ms, and the first one can come at once.
  expect(last - first).toBeGreaterThan(600)
})
