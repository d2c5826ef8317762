import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import { createApp } from "../../src/http/app.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Output } from "../../src/queue/output.ts"
import { Queue } from "../../src/queue/queue.ts"
import { StartForecasts } from "../../src/queue/start-forecasts.ts"
import { QueueTotals } from "../../src/queue/totals.ts"
import { Workers } from "../../src/queue/workers.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Streams } from "../../src/stream/streams.ts"
import { Webhooks } from "../../src/webhooks/webhooks.ts"
import { UNPROTECTED } from "../http/unprotected.ts"
import { Reader } from "../reader.ts"
import { RendererOutput } from "../renderer-output.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { attempt, itemOnce, told } from "../worker.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** How long a render takes that nobody disturbs. */
const SECONDS = 2
/** Of a render that is disturbed halfway enough must be left even if the test is slow to see how far it is. */
const DISTURBED = { seconds: 6 }
/** ffmpeg alone can take many seconds to start. */
const UNDER_WAY_MS = 25_000

/** An ffmpeg that takes as long as its sound, and reports by itself. */
class Render {
  readonly id: number
  readonly ffmpeg: Bun.Subprocess<"pipe", "ignore", "ignore">

  private constructor(id: number, ffmpeg: Render["ffmpeg"]) {
    this.id = id
    this.ffmpeg = ffmpeg
  }

  static async start(
    to: TestServer,
    {
      seconds = SECONDS,
      input = `sine=duration=${seconds}`,
      query = "&finish=true",
      id,
    }: { seconds?: number; input?: string; query?: string; id?: number } = {},
  ): Promise<Render> {
    const item = id ?? (await to.add({ song_id: 1, tags: ["by itself"] }))
    const url = `${to.url}/api/v1/queue/${item}/ingest/ffmpeg?total=${seconds}${query}`
    const progress = ["-v", "quiet", "-nostats", "-stats_period", "0.1", "-progress", url]
    const ffmpeg = Bun.spawn(["ffmpeg", ...progress, "-re", "-f", "lavfi", "-i", input, "-f", "null", "-"], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
    })
    return new Render(item, ffmpeg)
  }

  /** Resolves when a good part of the render is done. */
  underWay(to: TestServer): Promise<unknown> {
    return itemOnce(to, this.id, ({ progress }) => progress >= 20, UNDER_WAY_MS)
  }

  [Symbol.dispose](): void {
    this.ffmpeg.kill("SIGKILL")
  }
}

describe.skipIf(Bun.which("ffmpeg") === null)("ffmpeg, with nothing but -progress URL,", () => {
  test.concurrent("shows its progress as it goes, and completes its item", async () => {
    using render = await Render.start(server)
    const viewer = await Reader.open(`${server.url}/api/v1/progress/stream/${render.id}?until=finished`)
    const seen = await viewer.until((all) => all.some(({ event }) => event === "end"))
    expect(await render.ffmpeg.exited).toBe(0)
    const updates = seen.filter(({ event }) => event === "message").map(({ data }) => data)
    const progress = updates.map((update) => Number(update["progress"]))
    expect(progress.every((value, i) => value >= (progress[i - 1] ?? 0))).toBeTrue()
    expect(new Set(progress).size).toBeGreaterThan(8)
    expect(progress.filter((value) => value === 100)).toHaveLength(1)
    expect(updates.at(-1)).toMatchObject({ status: "completed", outcome: "completed", progress: 100 })
  })

  test.concurrent(
    "fails its item when it is stopped by SIGTERM halfway, though it says that it has ended",
    async () => {
      using render = await Render.start(server, DISTURBED)
      await render.underWay(server)
      render.ffmpeg.kill("SIGTERM")
      expect(await render.ffmpeg.exited).toBe(255)
      const item = await itemOnce(server, render.id, ({ status }) => status !== "processing")
      expect(item).toMatchObject({ status: "failed", outcome: "failed" })
      expect(item.error_message).toMatch(/^the renderer stopped at \d\d % of its total$/)
    },
  )

  test.concurrent("fails its item when somebody types q halfway, though it exits with 0", async () => {
    using render = await Render.start(server, DISTURBED)
    await render.underWay(server)
    render.ffmpeg.stdin.write("q")
    await render.ffmpeg.stdin.flush()
    expect(await render.ffmpeg.exited).toBe(0)
    const item = await itemOnce(server, render.id, ({ status }) => status !== "processing")
    expect(item.error_message).toMatch(/^the renderer stopped at \d\d % of its total$/)
  })

  test.concurrent("fails its item when it is killed", async () => {
    using render = await Render.start(server, DISTURBED)
    await render.underWay(server)
    render.ffmpeg.kill("SIGKILL")
    const item = await itemOnce(server, render.id, ({ status }) => status !== "processing")
    expect(item.error_message).toMatch(/^the renderer's output broke off at \d\d % of its total$/)
  })

  test.concurrent("fails its item when it cannot start", async () => {
    using render = await Render.start(server, { input: "no-such-source" })
    expect(await render.ffmpeg.exited).toBe(1)
    const item = await itemOnce(server, render.id, ({ status }) => status === "failed")
    expect(item.error_message).toBe("the renderer's output broke off at 0 % of its total")
    expect((await told(server, render.id)).map(({ status }) => status)).toEqual([
      "queued",
      "processing",
      "failed",
    ])
  })

  test.concurrent(
    "renders on when its item is cancelled meanwhile, and cannot change that any more",
    async () => {
      using render = await Render.start(server, DISTURBED)
      await render.underWay(server)
      await server.api("POST", `/queue/${render.id}/cancel`)
      const before = await told(server, render.id)
      expect(await render.ffmpeg.exited).toBe(0)
      expect(await server.item(render.id)).toMatchObject({ status: "failed", outcome: "cancelled" })
      expect(await told(server, render.id)).toEqual(before)
    },
  )

  test.concurrent("works under a lease that is shorter than the render", async () => {
    const taken = await attempt(server, {}, { lease: 3 })
    using render = await Render.start(server, {
      id: taken.id,
      seconds: 4,
      query: `&finish=true&lease=${taken.lease.token}`,
    })
    expect(await render.ffmpeg.exited).toBe(0)
    const item = await itemOnce(server, taken.id, ({ status }) => status !== "processing")
    expect(item).toMatchObject({ status: "completed", attempt: 1, worker: "box1" })
  })

  test.concurrent("renders on when the server stops, and its item has not failed", async () => {
    await using own = await start()
    using render = await Render.start(own, DISTURBED)
    await render.underWay(own)
    expect(await own.end("SIGTERM")).toBe(0)
    expect(await render.ffmpeg.exited).toBe(0)
    await using again = await start({ database: own.database })
    expect(await again.item(render.id)).toMatchObject({ status: "processing", error_message: "" })
  })
})

/** The routes on a server in this process that closes idle connections after this many seconds. */
function impatient(seconds: number) {
  const folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  const report = (error: unknown): void => console.error(error)
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 1000, onError: report })
  const learned = new LearnedDurations(store, console.error)
  const workers = new Workers(store, bus, learned, {
    random: Math.random,
    token: () => crypto.randomUUID(),
    onError: report,
  })
  const queue = new Queue(store, bus, learned)
  const streams = new Streams(store, broadcaster, { maxLag: 0, onError: report, random: Math.random })
  const webhooks = new Webhooks(store, store.deliveries, bus, {
    urls: [],
    secret: undefined,
    userAgent: "test",
    now: Date.now,
    random: Math.random,
    onError: report,
    onGivenUp: report,
    onFailing: report,
    onRecovered: report,
  })
  const about = {
    reasons: new Reasons(),
    host: "127.0.0.1",
    corsOrigins: [],
    allowedHosts: [],
    version: "0",
    commit: "0",
  }
  const forecasts = new StartForecasts(store, workers.presence, learned)
  const parts = {
    learned,
    forecasts,
    queue,
    totals: new QueueTotals(store, store.figures),
    output: new Output(store, store.outputs, { keepBytes: 1000, keepaliveMs: 1000 }),
    workers,
    streams,
    webhooks,
    now: Date.now,
    stoodMs: () => 0,
    ...UNPROTECTED,
    ...about,
    onError: report,
    onUnreadMetric: report,
  }
  const app = createApp(parts)
  app.listen({ hostname: "127.0.0.1", port: 0, idleTimeout: seconds })
  return {
    url: `http://127.0.0.1:${app.server?.port}`,
    queue,
    async [Symbol.asyncDispose]() {
      await app.server?.stop(true)
      await workers.stop()
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}

test.concurrent(
  "silence that ends any other connection ends no renderer's, nor that of who follows what it prints",
  async () => {
    await using to = impatient(2)
    const { id } = await to.queue.add({ song_id: 1 })
    const output = new RendererOutput(to.url, id, "ffmpeg?total=6")
    await output.write("out_time_us=3000000\nprogress=continue\n")
    const followed = fetch(`${to.url}/api/v1/queue/${id}/output?follow=true`)
    // Any other request, whose connection the server closes after its time.
    const { hostname, port } = new URL(to.url)
    const cut = Promise.withResolvers<void>()
    const head =
      "POST /api/v1/queue HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(head),
        data: () => undefined,
        close: () => cut.resolve(),
      },
    })
    await cut.promise
    await Bun.sleep(4000)
    await output.write("out_time_us=4500000\nprogress=continue\n")
    expect(await output.end()).toMatchObject({ status: 200, item: { progress: 75 } })
    await to.queue.update(id, { status: "completed" })
    expect(await (await followed).text()).toContain("out_time_us=4500000\n")
  },
  180_000,
)
