import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { MAX_ITEMS, openProgress, type Progress, type Target } from "../examples/nextjs-progress-monitor.tsx"
import { start, temporaryFolder, type TestServer } from "./server.ts"

// When a server drains, its clients come back within 5 s, at different times.
setDefaultTimeout(180_000)

/** Intervals that are short, except in tests about stale pages. */
const TIMING = { publishMs: 1, staleMs: 600_000 }

/** A page that watches a stream. */
class Page {
  readonly seen: Progress[] = []
  readonly close: () => void
  #changed: () => void = () => undefined

  constructor(target: Target, timing: Partial<typeof TIMING> = {}) {
    this.close = openProgress(
      target,
      (progress) => {
        this.seen.push(progress)
        this.#changed()
      },
      { ...TIMING, ...timing },
    )
  }

  static all(server: TestServer): Page {
    return new Page({ baseUrl: server.url })
  }

  static item(server: TestServer, id: number): Page {
    return new Page({ baseUrl: server.url, queueId: id })
  }

  /** Resolves with the first matching content that is shown now or later. */
  async until(fits: (progress: Progress) => boolean): Promise<Progress> {
    for (;;) {
      const now = this.seen.at(-1)
      if (now && fits(now)) return now
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const isLive = ({ connection }: Progress): boolean => connection === "live"

/** A server on the port of an earlier one. */
const again = (before: TestServer, database: string): Promise<TestServer> =>
  start({ args: ["--port", new URL(before.url).port], database })

/** A program that answers streams as a test decides. */
function scripted(fetch: (request: Request) => Response | Promise<Response>) {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch, idleTimeout: 0 })
  return {
    baseUrl: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

const update = (id: number, queueId: number, more: object = {}): string =>
  `id: ${id}\ndata: ${JSON.stringify({ queue_id: queueId, song_id: 1, status: "processing", progress: 5, ...more })}\n\n`
const live = (id: number, history = "a"): string =>
  `event: live\nid: ${id}\ndata: {"last_event_id":${id},"history":"${history}"}\n\n`
const sse = (...frames: string[]): Response =>
  new Response(`retry: 10\n\n${frames.join("")}`, { headers: { "content-type": "text/event-stream" } })
/** A stream that stays open after its frames. */
const open = (...frames: string[]): Response =>
  new Response(
    new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(frames.join(""))) }),
    { headers: { "content-type": "text/event-stream" } },
  )

/** Passes a request for a stream on to a server, until it is cut. */
async function relay(request: Request, { url }: TestServer, cut?: AbortSignal): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const signal = cut ? AbortSignal.any([request.signal, cut]) : request.signal
  const answer = await fetch(url + pathname + search, { signal, headers: request.headers })
  const reader = answer.body?.getReader()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const read = await reader?.read().catch(() => undefined)
      if (read?.value) controller.enqueue(read.value)
      else controller.close()
    },
  })
  return new Response(body, { headers: answer.headers })
}

describe("the page of all items", () => {
  test("shows the current state, then each update, with one entry for each item", async () => {
    await using server = await start()
    const [first, second] = [await server.add(), await server.add({ song_id: 2, title: "Second" })]
    using page = Page.all(server)
    const opened = await page.until(isLive)
    expect([...opened.items.keys()]).toEqual([first, second])
    expect(opened.items.get(second)?.title).toBe("Second")
    for (const progress of [10, 20, 30]) await server.put(first, { status: "processing", progress })
    const shown = await page.until(({ items }) => items.get(first)?.progress === 30)
    expect([...shown.items.keys()]).toEqual([second, first])
    expect(opened.items.get(first)?.progress).toBe(0)
  })

  test("drops an item that is deleted", async () => {
    await using server = await start()
    const [kept, gone] = [await server.add(), await server.add()]
    using page = Page.all(server)
    await page.until(({ items, connection }) => connection === "live" && items.size === 2)
    expect((await server.api("DELETE", `/queue/${gone}`)).status).toBe(200)
    const shown = await page.until(({ items }) => items.size === 1)
    expect([...shown.items.keys()]).toEqual([kept])
  })

  test("keeps a bounded number of items, finished ones go first, and says that some are missing", async () => {
    await using server = await start()
    using page = Page.all(server)
    await page.until(isLive)
    const [waiting, done] = [await server.add(), await server.add()]
    await server.put(done, { status: "processing" })
    await server.put(done, { status: "completed" })
    const ids = await Promise.all(Array.from({ length: MAX_ITEMS - 1 }, () => server.add()))
    const last = Math.max(...ids)
    const shown = await page.until(({ items }) => items.has(last))
    expect(shown.items.size).toBe(MAX_ITEMS)
    expect(shown.items.has(waiting)).toBe(true)
    expect(shown.items.has(done)).toBe(false)
    expect(shown.truncated).toBe(true)
  })

  test("leaves no stream behind when it is closed", async () => {
    await using server = await start()
    const page = Page.all(server)
    await page.until(isLive)
    await server.connectedClients(1)
    page.close()
    await server.connectedClients(0)
    const { length } = page.seen
    await server.add()
    expect(page.seen).toHaveLength(length)
  })
})

// These run at the same time, because they wait for reconnection times of seconds.
describe.concurrent("when the server goes away and comes back the page", () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`goes on where it was after the server ended by ${signal} and came back`, async () => {
      using folder = temporaryFolder()
      const database = join(folder.path, "test.db")
      const before = await start({ database })
      const [watched, other] = [await before.add(), await before.add()]
      using page = Page.all(before)
      await page.until(({ items, connection }) => connection === "live" && items.size === 2)
      await before.end(signal)
      await page.until(({ connection }) => connection === "reconnecting")

      await using after = await again(before, database)
      await after.put(watched, { status: "processing", progress: 40 })
      await after.put(other, { status: "failed" })
      const back = await page.until(
        (progress) => isLive(progress) && progress.items.get(other)?.status === "failed",
      )
      expect(back.items.get(watched)?.progress).toBe(40)
      expect(back.gap).toBeNull()
    })
  }

  test("misses nothing of what happened while it was refused", async () => {
    await using server = await start()
    const id = await server.add()
    const refusal = Promise.withResolvers<void>()
    let cut = new AbortController()
    let isUp = true
    await using proxy = scripted((request) => {
      if (!isUp) {
        refusal.resolve()
        return new Response("bad gateway", { status: 502 })
      }
      return relay(request, server, cut.signal)
    })
    using page = new Page(proxy)
    await page.until(isLive)
    isUp = false
    cut.abort()
    await refusal.promise
    await server.put(id, { status: "processing" })
    await server.put(id, { status: "completed" })
    const told = await page.until(({ problem }) => problem !== null)
    expect(told.problem).toBe("the server answered 502")
    cut = new AbortController()
    isUp = true
    const shown = await page.until(isLive)
    expect(shown.items.get(id)?.status).toBe("completed")
    expect(shown.gap).toBeNull()
  })

  test("says that the state is stale once it has been away for long, and that it is live again", async () => {
    using folder = temporaryFolder()
    const database = join(folder.path, "test.db")
    const before = await start({ database })
    using page = new Page({ baseUrl: before.url }, { staleMs: 1 })
    await page.until(isLive)
    await before.end()
    await page.until(({ connection }) => connection === "stale")
    await using after = await again(before, database)
    await page.until(isLive)
    await after.connectedClients(1)
  })

  for (const [size, items] of [
    ["a shorter", 1],
    ["a longer", 6],
  ] as const) {
    test(`forgets the items of a database that was replaced by one with ${size} history`, async () => {
      await using before = await start()
      await before.add({ song_id: 1, title: "Old" })
      await before.add({ song_id: 1, title: "Old" })
      await before.add({ song_id: 1, title: "Old" })
      using page = Page.all(before)
      await page.until(({ items: shown, connection }) => connection === "live" && shown.size === 3)
      await before.end()

      using folder = temporaryFolder()
      const database = join(folder.path, "other.db")
      const filling = await start({ database })
      for (let n = 0; n < items; n++) await filling.add({ song_id: 1, title: "New" })
      await filling.end()
      await using after = await again(before, database)
      const shown = await page.until((progress) => isLive(progress) && progress.items.size === items)
      expect([...shown.items.values()].every(({ title }) => title === "New")).toBe(true)
      await after.connectedClients(1)
    })
  }
})

describe("when it is refused or the network changes the page", () => {
  test("comes back after an answer at which EventSource would give up", async () => {
    await using server = await start()
    const id = await server.add()
    let answers = 0
    await using proxy = scripted((request) => {
      answers += 1
      const refusal = { error: "the server is shutting down", code: "unavailable", request_id: "1" }
      if (answers <= 2) return Response.json(refusal, { status: 503 })
      return relay(request, server)
    })
    using page = new Page(proxy)
    const refused = await page.until(({ problem }) => problem !== null)
    expect(refused).toMatchObject({ connection: "connecting", problem: "the server is shutting down" })
    const shown = await page.until(isLive)
    expect(shown.problem).toBeNull()
    expect(shown.items.has(id)).toBe(true)
  })

  test("opens another stream when the browser is online again", async () => {
    await using server = await start()
    using page = Page.all(server)
    await page.until(isLive)
    const { length } = page.seen
    dispatchEvent(new Event("online"))
    await page.until(() => page.seen.length > length)
    await server.connectedClients(1)
    const id = await server.add()
    await page.until(({ items }) => items.has(id))
  })
})

describe("when updates were left out the page", () => {
  test("says how many, and shows only the refreshed state", async () => {
    let answers = 0
    await using server = scripted(() => {
      answers += 1
      if (answers === 1) return sse(update(3, 1), update(4, 2), live(4))
      const gap = 'event: gap\ndata: {"reason":"expired","last_event_id":4,"missed":12}\n\n'
      return open(gap, update(20, 2, { progress: 90 }), live(20))
    })
    using page = new Page(server)
    const shown = await page.until(({ gap, connection }) => gap !== null && connection === "live")
    expect(shown.gap).toEqual({ reason: "expired", missed: 12 })
    expect([...shown.items.values()]).toMatchObject([{ queue_id: 2, progress: 90 }])
  })

  test.each(["slow", "unreadable"])("keeps what did not change after a gap: %s", async (reason) => {
    await using server = scripted(() => {
      const gap = `event: gap\ndata: {"reason":"${reason}","last_event_id":4,"missed":7}\n\n`
      return open(update(3, 1), update(4, 2), live(4), gap, update(12, 2, { progress: 90 }))
    })
    using page = new Page(server)
    const shown = await page.until(({ items }) => items.get(2)?.progress === 90)
    expect(shown.gap).toEqual({ reason, missed: 7 })
    expect([...shown.items.keys()]).toEqual([1, 2])
  })
})

describe("the page of one item", () => {
  test("follows it to its end, then leaves", async () => {
    await using server = await start()
    const [watched, other] = [await server.add(), await server.add()]
    using page = Page.item(server, watched)
    await page.until(isLive)
    await server.put(other, { status: "processing", progress: 99 })
    await server.put(watched, { status: "processing", progress: 50 })
    await page.until(({ items }) => items.get(watched)?.progress === 50)
    await server.put(watched, { status: "completed" })
    const shown = await page.until(({ connection }) => connection === "ended")
    expect([...shown.items.values()]).toMatchObject([{ queue_id: watched, progress: 100 }])
    await server.connectedClients(0)
  })

  test("shows an item that was finished before", async () => {
    await using server = await start()
    const id = await server.add()
    await server.put(id, { status: "failed", error_message: "no disk" })
    using page = Page.item(server, id)
    const shown = await page.until(({ connection }) => connection === "ended")
    expect(shown.items.get(id)).toMatchObject({ status: "failed", error_message: "no disk" })
  })

  test("ends where the stream broke between the last update and its end", async () => {
    let answers = 0
    await using server = scripted((request) => {
      answers += 1
      if (answers === 1) return sse(update(8, 1, { status: "completed", progress: 100 }))
      return request.headers.get("last-event-id") === "8"
        ? new Response(null, { status: 204 })
        : new Response(null, { status: 500 })
    })
    using page = new Page({ ...server, queueId: 1 })
    const shown = await page.until(({ connection }) => connection === "ended")
    expect(shown.items.get(1)?.status).toBe("completed")
  })

  test("forgets an item that is deleted, and ends", async () => {
    await using server = await start()
    const id = await server.add()
    using page = Page.item(server, id)
    await page.until(({ items }) => items.has(id))
    expect((await server.api("DELETE", `/queue/${id}`)).status).toBe(200)
    const shown = await page.until(({ connection }) => connection === "ended")
    expect(shown.items.size).toBe(0)
  })

  test("says in the server's words that there is no such item", async () => {
    await using server = await start()
    using page = Page.item(server, 7)
    const shown = await page.until(({ connection }) => connection === "ended")
    expect(shown.problem).toBe("queue item 7 does not exist")
  })
})
