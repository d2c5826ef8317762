import { expect, test } from "bun:test"
import { join } from "node:path"

import fc from "fast-check"

import { Client, ServerError, type Watched, type WatchOptions } from "../../src/client/client.ts"
import { EventParser, type Incoming } from "../../src/client/event-parser.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"

/** An open stream, and everything that it has said. */
class Watching {
  readonly said: Watched[] = []
  /** Resolves when the stream has ended; rejects with the error of the stream. */
  readonly over: Promise<void>
  readonly #stop = new AbortController()
  #changed: () => void = () => undefined

  constructor(url: string, options: WatchOptions = {}) {
    this.over = this.#read(new Client(url), options)
    this.over.catch(() => undefined)
  }

  get updates(): number[] {
    return this.said.flatMap((one) => (one.type === "update" ? [one.id] : []))
  }

  get offline(): { reason: string; retryMs: number }[] {
    return this.said.flatMap((one) => (one.type === "offline" ? [one] : []))
  }

  /** Resolves with the `nth` control of this name, from 1. */
  async control(event: string, nth = 1): Promise<unknown> {
    const all = () =>
      this.said.flatMap((one) => (one.type === "control" && one.control.event === event ? [one.control] : []))
    await this.until(() => all().length >= nth)
    return all()[nth - 1]
  }

  async until(fits: (watching: this) => boolean): Promise<void> {
    while (!fits(this)) {
      const next = new Promise<void>((resolve) => (this.#changed = resolve))
      if (fits(this)) return
      await Promise.race([next, this.over.then(() => Promise.reject(new Error("the stream ended")))])
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  async #read(client: Client, options: WatchOptions): Promise<void> {
    for await (const said of client.watch({ ...options, signal: this.#stop.signal })) {
      this.said.push(said)
      this.#changed()
    }
  }
}

/** A program in front of the server whose answers the test decides. */
function proxy(answer: (request: Request, at: number) => Response | Promise<Response>) {
  let at = 0
  const asked: { readonly atMs: number; readonly lastEventId: string | null }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => {
      asked.push({ atMs: performance.now(), lastEventId: request.headers.get("last-event-id") })
      at += 1
      return answer(request, at)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

const onTo = (server: TestServer, request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url)
  return fetch(server.url + pathname + search, { headers: request.headers, signal: request.signal })
}

/** The answer, until `cut` aborts: then it ends. */
function cutOff(answer: Response, cut: AbortSignal): Response {
  const reader = answer.body?.getReader()
  const over = new Promise<undefined>((resolve) => cut.addEventListener("abort", () => resolve(undefined)))
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const read = await Promise.race([reader?.read(), over])
      if (read?.value) controller.enqueue(read.value)
      else controller.close()
    },
    cancel: () => reader?.cancel(),
  })
  return new Response(body, { headers: answer.headers })
}

/** Whether a wait has the right length, within the spread of 20 %. */
const within = (wantedMs: number, ms = 0): boolean => Math.abs(ms - wantedMs) <= wantedMs * 0.2 + 1

const sse = (text: string): Response =>
  new Response(text, { headers: { "content-type": "text/event-stream" } })
const live = (id: number, history = "a"): string =>
  `event: live\nid: ${id}\ndata: {"last_event_id":${id},"history":"${history}"}\n\n`

test("watch yields the state, live, and each update, with its event ID", async () => {
  await using server = await start()
  const client = new Client(`${server.url}/`)
  const { id } = await client.add({ song_id: 7, title: "A song" })
  const watching = new Watching(server.url, { queueId: id })
  expect(await watching.control("live")).toEqual({
    event: "live",
    last_event_id: 1,
    history: expect.any(String),
  })
  await client.update(id, { status: "processing", progress: 10 })
  await watching.until(({ updates }) => updates.length === 2)
  expect(watching.said[2]).toMatchObject({
    type: "update",
    id: 2,
    update: { queue_id: id, status: "processing", progress: 10, title: "A song" },
  })
  expect(await client.get(id)).toMatchObject({ id, progress: 10 })
  watching.stop()
  await watching.over
  await server.connectedClients(0)
})

test("watch narrows by items and song, begins at the given event ID, and ends with its item", async () => {
  await using server = await start()
  for (const song_id of [1, 2, 3]) await server.add({ song_id })
  for (const [options, updates] of [
    [{ ids: [1, 3] }, [1, 3]],
    [{ songId: 2 }, [2]],
    [{ snapshot: false }, []],
    [{ lastEventId: 2 }, [3]],
  ] as const) {
    const watching = new Watching(server.url, options)
    await watching.control("live")
    expect(watching.updates).toEqual([...updates])
    watching.stop()
  }
  const finishing = new Watching(server.url, { queueId: 1, untilFinished: true })
  await finishing.control("live")
  await server.put(1, { status: "failed" })
  await finishing.over
  expect(finishing.said.at(-1)).toMatchObject({ control: { event: "end", status: "failed" } })
  const late = new Watching(server.url, { queueId: 1, untilFinished: true, lastEventId: 4 })
  await late.over
  expect(late.said).toEqual([])
  expect(await new Client(server.url).finished(1, 10)).toMatchObject({ status: "failed" })
})

test("leaving the loop over a stream closes the connection", async () => {
  await using server = await start()
  await server.add()
  for await (const said of new Client(server.url).watch()) if (said.type === "control") break
  await server.connectedClients(0)
})

test("5xx, 429 and missing answers do not end a stream, however long they last", async () => {
  await using server = await start()
  await server.add()
  await using before = proxy((request, at) => {
    if (at === 1) return new Response("<h1>Bad gateway</h1>", { status: 502 })
    if (at === 2) return new Response("slow down", { status: 429, headers: { "retry-after": "1" } })
    if (at === 3) return new Response("", { status: 503 })
    return onTo(server, request)
  })
  const watching = new Watching(before.url)
  await watching.control("live")
  expect(watching.updates).toEqual([1])
  expect(watching.offline.map(({ reason }) => reason)).toEqual([
    "the server answered 502",
    "the server answered 429",
    "the server answered 503",
  ])
  // Each wait is twice as long as the one before, or as long as Retry-After says if that is longer.
  const [first, asked, third] = watching.offline.map(({ retryMs }) => retryMs)
  expect([first, asked]).toEqual([250, 1000])
  expect(within(1000, third)).toBe(true)
  watching.stop()
}, 180_000)

test("it waits as long as the server asks, and resumes after the last update", async () => {
  await using fake = proxy((_request, at) => {
    const update = `id: ${at}\ndata: {"queue_id":1}\n\n`
    return at < 4 ? sse(`retry: ${at * 100}\n\n${update}${live(at)}`) : sse("retry: 50\n\n")
  })
  const watching = new Watching(fake.url)
  await watching.until(({ offline }) => offline.length === 6)
  watching.stop()
  const told = watching.offline.map(({ retryMs }) => retryMs)
  expect(told.slice(0, 3)).toEqual([100, 200, 300])
  // From the second failure in a row the waits are spread.
  for (const [at, wait] of [100, 200, 400].entries()) expect(within(wait, told[3 + at])).toBe(true)
  const waits = fake.asked.slice(1).map(({ atMs }, i) => atMs - (fake.asked[i]?.atMs ?? 0))
  for (const [at, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual((told[at] ?? 0) - 5)
  expect(fake.asked.slice(0, 5).map(({ lastEventId }) => lastEventId)).toEqual([null, "1", "2", "3", "3"])
})

test("after a server has drained or died the stream resumes without a gap, and its shutdown is yielded", async () => {
  await using home = { ...temporaryFolder(), [Symbol.asyncDispose]: async () => undefined }
  const database = join(home.path, "queue.db")
  const first = await start({ database })
  const { port } = new URL(first.url)
  const id = await first.add()
  const watching = new Watching(first.url)
  await watching.control("live")
  await first.api("POST", "/queue/pause")
  expect(await watching.control("queue")).toEqual({ event: "queue", paused_at: expect.any(String) })
  expect(await first.end("SIGTERM")).toBe(0)
  expect(await watching.control("shutdown")).toEqual({ event: "shutdown", retry_ms: expect.any(Number) })
  const second = await start({ database, args: ["--port", port] })
  await second.put(id, { progress: 1 })
  await watching.until(({ updates }) => updates.length === 2)
  await second.end("SIGKILL")
  await using third = await start({ database, args: ["--port", port] })
  for (const progress of [2, 3]) await third.put(id, { progress })
  await watching.until(({ updates }) => updates.length === 4)
  expect(watching.updates).toEqual([1, 2, 3, 4])
  watching.stop()
  home[Symbol.dispose]()
}, 180_000)

test("a gap is yielded, and another database behind the same address is a gap too", async () => {
  await using one = await start()
  await using other = await start()
  for (let at = 0; at < 5; at += 1) await one.add({ song_id: 1 })
  for (let at = 0; at < 9; at += 1) await other.add({ song_id: 2 })
  let server = one
  const cut = new AbortController()
  await using before = proxy(async (request) => {
    if (server === other) return onTo(other, request)
    return cutOff(await onTo(one, request), cut.signal)
  })
  const watching = new Watching(before.url)
  await watching.control("live")
  server = other
  cut.abort()
  expect(await watching.control("gap")).toMatchObject({ reason: "unknown", missed: null })
  await watching.control("live", 2)
  // First come the other server's updates after our last event ID. Only its `live` shows that it is another
  // server.
  const at = watching.said.findIndex((said) => said.type === "control" && said.control.event === "gap")
  expect(watching.said.slice(at + 1).flatMap((said) => (said.type === "update" ? [said.id] : []))).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9,
  ])
  watching.stop()
  const unknown = new Watching(one.url, { lastEventId: 77 })
  expect(await unknown.control("gap")).toEqual({
    event: "gap",
    reason: "unknown",
    last_event_id: 77,
    missed: null,
  })
  unknown.stop()
}, 180_000)

test("another database with fewer updates than the last event ID is one gap, and not two", async () => {
  await using one = await start()
  await using other = await start()
  for (let at = 0; at < 9; at += 1) await one.add({ song_id: 1 })
  for (let at = 0; at < 2; at += 1) await other.add({ song_id: 2 })
  let server = one
  const cut = new AbortController()
  await using before = proxy(async (request) =>
    server === other ? onTo(other, request) : cutOff(await onTo(one, request), cut.signal),
  )
  const watching = new Watching(before.url)
  await watching.control("live")
  server = other
  cut.abort()
  await watching.control("live", 2)
  await other.add({ song_id: 2 })
  await watching.until(({ said }) => said.at(-1)?.type === "update")
  const gaps = watching.said.filter((said) => said.type === "control" && said.control.event === "gap")
  expect(gaps).toHaveLength(1)
  watching.stop()
}, 180_000)

test("a final refusal is thrown, with the server's message", async () => {
  await using server = await start()
  const id = await server.add()
  await server.api("DELETE", `/queue/${id}`)
  const { over } = new Watching(server.url, { queueId: id })
  const error: unknown = await over.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ status: 404, code: "not_found", message: `queue item ${id} does not exist` })
})

test("events are the same however their bytes are cut, and whatever ends their lines", () => {
  const blocks = fc.array(
    fc.record({
      id: fc.nat(),
      event: fc.constantFrom("", "live", "gap"),
      data: fc.string({ unit: "grapheme" }),
    }),
    { maxLength: 6 },
  )
  fc.assert(
    fc.property(blocks, fc.constantFrom("\n", "\r\n", "\r"), fc.array(fc.nat(40)), (all, end, cuts) => {
      const lines = all.flatMap(({ id, event, data }) => [
        ": a comment",
        `id: ${id}`,
        ...(event === "" ? [] : [`event:${event}`]),
        `data: ${JSON.stringify(data)}`,
        "retry: 70",
        "",
      ])
      const bytes = new TextEncoder().encode(`${[...lines, ": the last"].join(end)}`)
      const parser = new EventParser()
      const found: Incoming[] = []
      let at = 0
      for (const cut of [...cuts, bytes.length]) {
        found.push(...parser.feed(bytes.subarray(at, at + cut)))
        at += cut
      }
      const wanted = all.flatMap(({ id, event, data }) => [
        { retryMs: 70 },
        { id: String(id), event: event || "message", data: JSON.stringify(data) },
      ])
      expect(found).toEqual(wanted)
    }),
  )
})

test("one event may have 4 MiB, and a stream as many of them as come", () => {
  const parser = new EventParser()
  const feed = (text: string): Incoming[] => [...parser.feed(new TextEncoder().encode(text))]
  const megabyte = `data: ${"x".repeat(1024 * 1024)}\n`
  for (let event = 0; event < 6; event += 1) expect(feed(`${megabyte}\n`)).toHaveLength(1)
  const endless = (): void => {
    for (let line = 0; line < 6; line += 1) feed(megabyte)
  }
  expect(endless).toThrow("an event of the stream is too long")
})

test("an event ID with a NUL is ignored, as the HTML standard demands", () => {
  const text = "id: 7\0\ndata: one\n\nid: 8\ndata: two\n\n"
  const found = [...new EventParser().feed(new TextEncoder().encode(text))]
  expect(found).toEqual([
    { event: "message", data: "one" },
    { id: "8", event: "message", data: "two" },
  ])
})
