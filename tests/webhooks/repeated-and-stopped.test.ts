import { expect, jest, spyOn, test } from "bun:test"
import { createHmac } from "node:crypto"

import { post } from "../../src/webhooks/post.ts"
import { Webhooks } from "../../src/webhooks/webhooks.ts"
import { added, START_MS } from "../contracts/store.contract.ts"
import { Receiver, Scene } from "./scene.ts"

/** The signature of a request, as its receiver calculates it with this key. */
function signed({ headers, body }: Receiver["requests"][number], key: string | Buffer): string {
  const text = `${headers.get("webhook-id")}.${headers.get("webhook-timestamp")}.${body}`
  return `v1,${createHmac("sha256", key).update(text).digest("base64")}`
}

test.each([
  ["text", "a secret", "a secret"],
  ["base64", "whsec_AAECAwQFBgc=", Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])],
])("a receiver can check by a secret of %s who sent what, and when", async (_, secret, key) => {
  await using scene = new Scene(undefined, [], secret)
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(1)
  const [request] = scene.receiver.requests
  if (!request) throw new Error("nothing was sent")
  const { headers, body } = request
  expect(headers.get("webhook-signature")).toBe(signed(request, key))
  expect(headers.get("webhook-timestamp")).toBe(String(Math.floor(START_MS / 1000)))
  expect([headers.get("user-agent"), headers.get("content-type")]).toEqual(["test", "application/json"])
  expect(headers.get("webhook-id")).toMatch(/^2-[\da-f]{32}$/)
  expect(JSON.parse(body)).toMatchObject({ type: "failed", history: scene.store.historyId, data: { id: 2 } })
})

test("a receiver knows a delivery again that is repeated after a restore, and confuses none of other histories with it", async () => {
  using receiver = new Receiver()
  const dataOf = (queueId: number): string => `{"title":"${"x".repeat(500)}","queue_id":${queueId}}`
  const delivery = { url: receiver.url, data: dataOf(1), notice: "failed", update_id: 2 } as const
  const options = {
    secret: undefined,
    userAgent: "test",
    now: () => START_MS,
    signal: new AbortController().signal,
  }
  await post(delivery, { ...options, historyId: "one" })
  await post(delivery, { ...options, historyId: "restored" })
  await post({ ...delivery, data: dataOf(3) }, { ...options, historyId: "other" })
  const [before, after, other] = receiver.ids
  expect(after).toBe(before ?? "none")
  expect(other).not.toBe(before)
})

test("a webhook is called once for an item that stalls, and again if the item moved in between, whatever its title says", async () => {
  await using scene = new Scene()
  await scene.start()
  const id = await added(scene.store)
  const stall = (stalled: boolean): Promise<unknown> =>
    scene.store.change(id, (stored, moment) => ({
      ...stored,
      item: { ...stored.item, title: '"stalled":true', stalled, updated_at: moment.time },
    }))
  for (const stalled of [true, true, false, true]) await stall(stalled)
  scene.ring()
  await scene.receiver.asked(2)
  await scene.fail()
  await scene.receiver.asked(3)
  expect(scene.receiver.requests.map(({ body }) => JSON.parse(body).type)).toEqual([
    "stalled",
    "stalled",
    "failed",
  ])
})

test("a delivery that a stop breaks off is no failure of its receiver, and waits for the next start", async () => {
  await using scene = new Scene()
  scene.receiver.answer = () => new Promise<Response>(() => undefined)
  const unlisten = jest.fn()
  const listen = scene.bus.listen.bind(scene.bus)
  spyOn(scene.bus, "listen").mockImplementation((listener) => {
    listen(listener)
    return unlisten
  })
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(1)
  await scene.stop()
  expect([scene.settlements, scene.told]).toEqual([[], []])
  expect(unlisten).toHaveBeenCalled()
  const { deliveries } = await scene.webhooks.list({ status: undefined, limit: 10, before: undefined })
  expect(deliveries).toMatchObject([{ status: "pending", attempts: 0 }])
})

test("a bell that rings while the history is read has it read again", async () => {
  await using scene = new Scene()
  const page = scene.store.page.bind(scene.store)
  let isFirst = true
  spyOn(scene.store, "page").mockImplementation(async (query) => {
    const read = await page(query)
    if (isFirst && read.updates.length > 0) {
      isFirst = false
      await scene.fail()
    }
    return read
  })
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(2)
})

test("after one ring of the bell all pages of the history are read", async () => {
  await using scene = new Scene()
  const page = scene.store.page.bind(scene.store)
  spyOn(scene.store, "page").mockImplementation((query) => page({ ...query, limit: 1 }))
  await scene.start()
  for (let items = 0; items < 5; items += 1) await added(scene.store)
  await scene.fail()
  await scene.receiver.asked(1)
})

test("webhooks that are stopped read no more pages of the history, however many there are", async () => {
  await using scene = new Scene()
  const page = scene.store.page.bind(scene.store)
  const stopped = Promise.withResolvers<void>()
  let pages = 0
  spyOn(scene.store, "page").mockImplementation(async (query) => {
    const read = await page({ ...query, limit: 1 })
    if (read.updates.length > 0) {
      pages += 1
      stopped.resolve(scene.stop())
    }
    return read
  })
  await scene.start()
  for (let items = 0; items < 5; items += 1) await added(scene.store)
  scene.ring()
  await stopped.promise
  expect(pages).toBe(1)
})

test("what may be secret in the address of a webhook is not shown", async () => {
  await using scene = new Scene()
  using plain = new Receiver()
  const shown: string[] = []
  const ids = new Set<string>()
  for (const rest of ["/", "/?key=1", "/hook"]) {
    const webhooks = new Webhooks(scene.store, scene.store.deliveries, scene.bus, {
      ...{ urls: [new URL(rest, plain.url).href], secret: undefined, userAgent: "test", random: () => 0 },
      ...{ now: () => START_MS, onError: () => undefined, onFailing: () => undefined },
      ...{ onRecovered: () => undefined, onGivenUp: () => undefined },
    })
    await webhooks.start()
    await scene.fail()
    await plain.asked(shown.length + 1)
    const { deliveries } = await webhooks.list({ status: undefined, limit: 1, before: undefined })
    shown.push(deliveries[0]?.url ?? "")
    ids.add(deliveries[0]?.webhook ?? "")
    await webhooks.stop()
  }
  const { origin } = new URL(plain.url)
  expect(shown).toEqual([`${origin}/`, `${origin}/...`, `${origin}/...`])
  // Each has its own digits, by which two webhooks of one host can be distinguished.
  expect(ids.size).toBe(3)
})

test("each answer of 200 to 299 is a success, and 410 ends the tries at once", async () => {
  const replies: (number | null)[] = []
  await using scene = new Scene(undefined, [], undefined, (status) => replies.push(status))
  await scene.start()
  for (const [at, status] of [200, 204, 299, 410, 300].entries()) {
    scene.receiver.answer = () => new Response(null, { status })
    await scene.fail()
    await scene.settled(at + 1)
  }
  expect(scene.settlements.map(({ status }) => status)).toEqual([
    "delivered",
    "delivered",
    "delivered",
    "failed",
    "pending",
  ])
  expect(replies).toEqual([200, 204, 299, 410, 300])
})

const common = {
  ...{ secret: undefined, userAgent: "test", random: () => 0, now: () => START_MS },
  ...{ onError: () => undefined, onFailing: () => undefined, onRecovered: () => undefined },
  onGivenUp: () => undefined,
}

test("a server without webhooks does not follow the history, and one that starts again goes on from where it was", async () => {
  await using scene = new Scene()
  const listen = spyOn(scene.bus, "listen")
  const none = new Webhooks(scene.store, scene.store.deliveries, scene.bus, { ...common, urls: [] })
  await none.start()
  await none.stop()
  expect(listen).not.toHaveBeenCalled()
  await scene.fail()
  await scene.start()
  await scene.fail()
  await scene.receiver.asked(1)
  await scene.settled(1)
  await scene.stop()
  const read = spyOn(scene.store, "page")
  const again = new Webhooks(scene.store, scene.store.deliveries, scene.bus, {
    ...common,
    urls: [scene.receiver.url],
  })
  await again.start()
  while (read.mock.calls.length === 0) await Bun.sleep(10)
  await again.stop()
  expect(read.mock.calls[0]?.[0].after).toBe(4)
  expect(scene.receiver.ids).toHaveLength(1)
})

test("each of two failing receivers is reported", async () => {
  using other = new Receiver()
  await using scene = new Scene(undefined, [other])
  other.answer = scene.receiver.answer = () => new Response("no", { status: 500 })
  await scene.start()
  await scene.fail()
  await scene.settled(2)
  expect(scene.told).toEqual(["failing", "failing"])
})

test("a receiver that failed before a restart fails from the start on", async () => {
  using other = new Receiver()
  await using scene = new Scene(undefined, [other])
  other.answer = () => new Response("", { status: 500 })
  await scene.start()
  await scene.fail()
  await scene.settled(2)
  await scene.stop()
  const told: string[] = []
  const again = new Webhooks(scene.store, scene.store.deliveries, scene.bus, {
    ...common,
    urls: [scene.receiver.url, other.url],
    onFailing: (_, error) => void told.push(error),
  })
  await again.start()
  expect([told, again.failing]).toEqual([["it answered 500"], scene.webhooks.failing])
  await again.stop()
})

test("a receiver that took from another instance what it had refused here no longer fails", async () => {
  const looks: (() => void)[] = []
  await using scene = new Scene((deliveries) => ({
    list(query) {
      looks.shift()?.()
      return deliveries.list(query)
    },
  }))
  const looked = (): Promise<void> => new Promise((resolve) => looks.push(resolve))
  scene.receiver.answer = () => new Response("", { status: 500 })
  await scene.start()
  await scene.fail()
  await scene.settled(1)
  await looked()
  await looked()
  expect(scene.told).toEqual(["failing"])
  const shown = `${new URL(scene.receiver.url).origin}/...`
  expect(scene.webhooks.failing).toEqual([expect.stringMatching(new RegExp(`^[0-9a-f]{8} ${shown}$`))])
  await scene.store.deliveries.settle(1, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
  await looked()
  while (scene.told.length === 1) await new Promise(setImmediate)
  expect([scene.told, scene.webhooks.failing]).toEqual([["failing", "recovered"], []])
})
