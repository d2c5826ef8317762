import { expect, test } from "bun:test"
import { createHmac } from "node:crypto"

import { Value } from "@sinclair/typebox/value"

import { DeliveriesPage, WebhookBody } from "../../src/wire/answers.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"

interface Told {
  readonly headers: Headers
  readonly body: string
  readonly type: string
  readonly data: { readonly id: number; readonly queue_id: number; readonly outcome?: string }
  readonly atMs: number
}

/** A receiver of webhooks that answers as the test decides. */
class Receiver {
  readonly told: Told[] = []
  readonly url: string
  answer: (told: Told, at: number) => Response | Promise<Response>
  readonly #server: Bun.Server<undefined>
  #changed: () => void = () => undefined

  constructor(answer: Receiver["answer"] = () => new Response(), path = "/hook") {
    this.answer = answer
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const body = await request.text()
        const told = { headers: request.headers, body, ...JSON.parse(body), atMs: performance.now() }
        this.told.push(told)
        this.#changed()
        return this.answer(told, this.told.length)
      },
    })
    this.url = `http://127.0.0.1:${this.#server.port}${path}`
  }

  /** The type and the item of every notice. */
  get heard(): [string, number][] {
    return this.told.map(({ type, data }) => [type, data.queue_id])
  }

  async until(fits: (receiver: this) => boolean): Promise<void> {
    while (!fits(this)) await new Promise<void>((resolve) => (this.#changed = resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop(true)
  }
}

interface Page {
  readonly deliveries: readonly Record<string, unknown>[]
  readonly next: number | null
}

const listed = async (server: TestServer, query = ""): Promise<Page> =>
  (await server.api("GET", `/webhooks/deliveries${query}`)).json()

/** Resolves with the deliveries when all of them fit. */
async function settled(
  server: TestServer,
  count: number,
  fits: (delivery: Record<string, unknown>) => boolean,
): Promise<Page["deliveries"]> {
  for (;;) {
    const { deliveries } = await listed(server)
    if (deliveries.length === count && deliveries.every(fits)) return deliveries
  }
}

const isDelivered = ({ status }: Record<string, unknown>): boolean => status === "delivered"

async function finished(server: TestServer, status = "completed"): Promise<number> {
  const id = await server.add({ song_id: 5, title: "A song" })
  await server.put(id, { status: "processing" })
  await server.put(id, { status, ...(status === "failed" && { error_message: "out of disk" }) })
  return id
}

test("a webhook is called once for an item that completes, fails, is cancelled or stalls, and for nothing else", async () => {
  await using receiver = new Receiver()
  await using server = await start({ args: ["--webhook", receiver.url, "--stall-after-ms", "300"] })
  const [completed, failed] = [await finished(server), await finished(server, "failed")]
  const cancelled = await server.add()
  await server.api("POST", `/queue/${cancelled}/cancel`)
  // Changes of finished items cause no notice.
  await server.put(completed, { title: "Renamed" })
  await server.api("PUT", `/queue/${failed}/flag`, { flag: "image_issue" })
  await server.api("DELETE", `/queue/${completed}`)
  const still = await server.add()
  await server.put(still, { status: "processing", progress: 3 })
  await receiver.until(({ told }) => told.some(({ type }) => type === "stalled"))
  await server.put(still, { message: "still at it" })
  await server.put(still, { status: "completed" })
  await receiver.until(({ told }) => told.length === 5)
  await settled(server, 5, isDelivered)
  expect(receiver.heard.sort((a, b) => a[1] - b[1])).toEqual([
    ["completed", completed],
    ["failed", failed],
    ["failed", cancelled],
    ["stalled", still],
    ["completed", still],
  ])
  for (const { body } of receiver.told) expect([...Value.Errors(WebhookBody, JSON.parse(body))]).toEqual([])
  const [told] = receiver.told.filter(({ data }) => data.queue_id === failed)
  expect(told?.data).toMatchObject({ status: "failed", error_message: "out of disk", title: "A song" })
  expect(receiver.told.find(({ data }) => data.queue_id === cancelled)?.data.outcome).toBe("cancelled")
}, 180_000)

test("a call of a webhook is signed as Standard Webhooks says, with a secret as it is or in base64", async () => {
  const key = Buffer.from("a key of thirty-two bytes length")
  for (const secret of ["open sesame", `whsec_${key.toString("base64")}`]) {
    await using receiver = new Receiver()
    await using server = await start({
      args: ["--webhook", receiver.url],
      env: { TRACK_STUDIO_WEBHOOK_SECRET: secret },
    })
    await finished(server)
    await receiver.until(({ told }) => told.length === 1)
    const { headers, body } = receiver.told[0] ?? { headers: new Headers(), body: "" }
    const [id, time] = [headers.get("webhook-id"), headers.get("webhook-timestamp")]
    const mac = createHmac("sha256", secret.startsWith("whsec_") ? key : secret)
    expect(headers.get("webhook-signature")).toBe(
      `v1,${mac.update(`${id}.${time}.${body}`).digest("base64")}`,
    )
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(10)
    expect(id).toMatch(/^3-[\da-f]{32}$/)
    expect(headers.get("user-agent")).toMatch(/^track-studio\/\d/)
    expect(headers.get("content-type")).toBe("application/json")
  }
})

test("a receiver that fails twice is tried again, later each time, and the deliveries tell of it", async () => {
  await using receiver = new Receiver((_told, at) => new Response("no", { status: at <= 2 ? 500 : 204 }))
  await using server = await start({ args: ["--webhook", receiver.url] })
  const id = await finished(server)
  await receiver.until(({ told }) => told.length === 1)
  const [pending] = await settled(server, 1, ({ attempts }) => attempts === 1)
  expect(pending).toMatchObject({
    status: "pending",
    answer: 500,
    error: "it answered 500",
    next_attempt_at: expect.any(String),
    finished_at: null,
  })
  await receiver.until(({ told }) => told.length === 3)
  const [delivered] = await settled(server, 1, isDelivered)
  expect(delivered).toMatchObject({
    notice: "completed",
    queue_id: id,
    update_id: 3,
    attempts: 3,
    answer: 204,
    error: "",
    next_attempt_at: null,
    finished_at: expect.any(String),
  })
  const waits = receiver.told.slice(1).map(({ atMs }, i) => atMs - (receiver.told[i]?.atMs ?? 0))
  expect(waits[0]).toBeGreaterThan(700)
  expect(waits[1]).toBeGreaterThan(1500)
  expect(new Set(receiver.told.map(({ body }) => body)).size).toBe(1)
  expect(new Set(receiver.told.map(({ headers }) => headers.get("webhook-id"))).size).toBe(1)
}, 180_000)

test("nothing is lost over a kill -9: neither what was still to be sent, nor what was not examined yet", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  let isUp = false
  await using receiver = new Receiver(() => new Response("", { status: isUp ? 200 : 503 }))
  const args = ["--webhook", receiver.url]
  const before = await start({ database, args })
  const ids = [await finished(before), await finished(before, "failed")]
  await receiver.until(({ told }) => new Set(told.map(({ data }) => data.queue_id)).size === 2)
  await settled(before, 2, ({ attempts }) => Number(attempts) >= 1)
  // It is acknowledged, and the server is killed at once.
  ids.push(await finished(before))
  await before.end("SIGKILL")
  isUp = true
  const heard = receiver.told.length
  await using after = await start({ database, args })
  await settled(after, 3, isDelivered)
  const since = receiver.told.slice(heard)
  expect(new Set(since.map(({ data }) => data.queue_id))).toEqual(new Set(ids))
  await before[Symbol.asyncDispose]()
}, 180_000)

test("a delivery whose answer was lost in a crash comes again under the same id", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const answered = Promise.withResolvers<void>()
  await using receiver = new Receiver(async (_told, at) => {
    if (at === 1) await answered.promise
    return new Response()
  })
  const args = ["--webhook", receiver.url]
  const before = await start({ database, args })
  await finished(before)
  await receiver.until(({ told }) => told.length === 1)
  await before.end("SIGKILL")
  answered.resolve()
  await using after = await start({ database, args })
  await receiver.until(({ told }) => told.length === 2)
  await settled(after, 1, isDelivered)
  const [first, second] = receiver.told.map(({ headers }) => headers.get("webhook-id"))
  expect(second).toBe(first ?? "")
  await before[Symbol.asyncDispose]()
}, 180_000)

test("after a restore a webhook hears of nothing twice, and of all that is new", async () => {
  using folder = temporaryFolder()
  const [database, file] = [`${folder.path}/queue.db`, `${folder.path}/copy.db`]
  await using receiver = new Receiver()
  const args = ["--webhook", receiver.url]
  {
    await using server = await start({ database, args })
    await finished(server)
    await receiver.until(({ told }) => told.length === 1)
    await run(["backup", file, "--database", database])
    await finished(server)
    await receiver.until(({ told }) => told.length === 2)
    await server.end()
  }
  expect((await run(["restore", file, "--database", database])).code).toBe(0)
  await using server = await start({ database, args })
  const id = await finished(server)
  await receiver.until(({ told }) => told.length === 3)
  expect(receiver.heard).toEqual([
    ["completed", 1],
    ["completed", 2],
    ["completed", id],
  ])
  // The number of the lost one is not given again.
  expect(id).toBe(3)
}, 180_000)

test("each webhook has its own deliveries: one that fails holds no other up, and a new one begins at now", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  await using good = new Receiver()
  await using bad = new Receiver(() => new Response("", { status: 500 }), "/services/secret-token?key=1")
  const first = await start({ database, args: ["--webhook", good.url] })
  const one = await finished(first)
  await settled(first, 1, isDelivered)
  expect(await first.end()).toBe(0)
  const both = ["--webhook", good.url, "--webhook", bad.url]
  const second = await start({ database, args: both })
  const two = await finished(second)
  await good.until(({ told }) => told.length === 2)
  await bad.until(({ told }) => told.length === 1)
  expect(good.heard).toEqual([
    ["completed", one],
    ["completed", two],
  ])
  expect(bad.heard).toEqual([["completed", two]])
  const { deliveries } = await listed(second)
  expect(deliveries.map(({ url }) => url).sort()).toEqual(
    [
      good.url.replace("/hook", "/..."),
      good.url.replace("/hook", "/..."),
      `${new URL(bad.url).origin}/...`,
    ].sort(),
  )
  expect(JSON.stringify(deliveries)).not.toContain("secret-token")
  expect(new Set(deliveries.map(({ webhook }) => webhook)).size).toBe(2)
  expect(await second.end()).toBe(0)
  // A webhook that is no longer configured is forgotten, with its pending deliveries.
  await using third = await start({ database, args: ["--webhook", good.url] })
  const [dropped] = (await listed(third, "?status=failed")).deliveries
  expect(dropped).toMatchObject({ error: "the webhook is no longer configured", next_attempt_at: null })
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
}, 180_000)

test("a receiver that is gone for good is asked no more, and one that is busy when it says", async () => {
  await using receiver = new Receiver((told, at) => {
    if (told.type === "failed") return new Response("", { status: 410 })
    return new Response("", at <= 1 ? { status: 429, headers: { "retry-after": "3" } } : {})
  })
  await using server = await start({ args: ["--webhook", receiver.url] })
  await finished(server)
  await receiver.until(({ told }) => told.length === 1)
  const gone = await finished(server, "failed")
  await receiver.until(({ told }) => told.length === 3)
  await settled(server, 2, ({ status }) => status !== "pending")
  const { deliveries } = await listed(server)
  expect(deliveries.map(({ queue_id, status, attempts }) => [queue_id, status, attempts])).toEqual([
    [gone, "failed", 1],
    [1, "delivered", 2],
  ])
  const [first, , again] = receiver.told
  expect((again?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(2900)
  const line = server.log.split("\n").find((one) => one.includes("a delivery to a webhook was given up"))
  expect(JSON.parse(line ?? "{}")).toMatchObject({
    level: "warn",
    delivery: deliveries[0]?.id,
    notice: "failed",
  })
}, 180_000)

test("a receiver may name the time at which it is asked again as a date, and the log counts when it fails again", async () => {
  await using receiver = new Receiver((_told, at) => {
    const later = new Date(Date.now() + 5000).toUTCString()
    if (at === 3) return new Response("", { status: 503 })
    return new Response("", at === 1 ? { status: 503, headers: { "retry-after": later } } : {})
  })
  await using server = await start({ args: ["--webhook", receiver.url] })
  await finished(server)
  await receiver.until(({ told }) => told.length === 2)
  const [first, again] = receiver.told
  // A date has whole seconds. Without it the second attempt comes after one second.
  expect((again?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(3500)
  await settled(server, 1, isDelivered)
  await finished(server)
  await settled(server, 2, isDelivered)
  const health = await (await fetch(`${server.url}/health`)).json()
  expect(health).toMatchObject({ status: "ok", reasons: [] })
  await server.end()
  const said = server.log.split("\n").filter((line) => line.includes('"msg":"a webhook '))
  const [fails, takes] = ["a webhook fails; it is tried again", "a webhook takes deliveries again"]
  const cause = expect.stringMatching(/^[0-9a-f]{8}: it answered 503$/)
  expect(said.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", msg: fails, cause },
    { level: "info", msg: takes },
    { level: "warn", msg: fails, cause, again: 1 },
    { level: "info", msg: takes, again: 1 },
  ])
}, 180_000)

test("a receiver that does not answer delays no drain, and is called again after the next start", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  let isUp = false
  await using receiver = new Receiver(() => (isUp ? new Response() : new Promise<Response>(() => undefined)))
  const args = ["--webhook", receiver.url]
  const before = await start({ database, args })
  await finished(before)
  await receiver.until(({ told }) => told.length === 1)
  const startedMs = performance.now()
  expect(await before.end()).toBe(0)
  expect(performance.now() - startedMs).toBeLessThan(6000)
  isUp = true
  await using after = await start({ database, args })
  const [delivery] = await settled(after, 1, isDelivered)
  expect(delivery?.["attempts"]).toBe(1)
  await before[Symbol.asyncDispose]()
}, 180_000)

test("a webhook is called once for each of many items that end at the same time", async () => {
  await using receiver = new Receiver()
  await using server = await start({ args: ["--webhook", receiver.url] })
  const ids = await Promise.all(Array.from({ length: 120 }, () => finished(server)))
  await receiver.until(({ told }) => told.length === ids.length)
  await settled(server, 100, isDelivered)
  expect(new Set(receiver.told.map(({ data }) => data.queue_id))).toEqual(new Set(ids))
  const page = await listed(server, "?limit=70&status=delivered")
  const rest = await listed(server, `?limit=70&before=${page.next}`)
  expect([page.deliveries.length, rest.deliveries.length, rest.next]).toEqual([70, 50, null])
  expect(Value.Check(DeliveriesPage, page)).toBe(true)
  expect(receiver.told).toHaveLength(ids.length)
}, 180_000)

test("a webhook that is no URL is wrong usage", async () => {
  for (const url of ["box.test/hook", "ftp://box.test/", "https://user:pass@box.test/"]) {
    const { code, stderr } = await run(["serve", "--port", "0", "--webhook", url], {})
    expect(code).toBe(2)
    expect(stderr).toContain("--webhook must be a URL such as https://example.com/hook, without a password\n")
    // A part of it may be a secret, and the log of a service keeps what is printed.
    expect(stderr).not.toContain(url)
  }
})
