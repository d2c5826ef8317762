import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { EventSource } from "eventsource"

import { Reasons } from "../../src/degraded-reasons.ts"
import type { Parts } from "../../src/serve/composition-root.ts"
import { drain } from "../../src/serve/drain.ts"
import { raw } from "../raw.ts"
import { Reader } from "../reader.ts"
import { PROGRAM, start, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"

const STREAM = "/progress/stream"
/** The server stops within 2 s. On a machine that does several things at once it may take longer. */
const DRAIN_LIMIT_MS = 6000

/** Ends the server as a service manager does. Returns its exit code and how long it took. */
async function drained(server: TestServer, signal?: NodeJS.Signals): Promise<[number, number]> {
  const startedMs = performance.now()
  return [await server.end(signal), performance.now() - startedMs]
}

/** Whether the server accepts another connection. */
const answers = (server: TestServer): Promise<boolean> =>
  fetch(`${server.url}/health/live`, { keepalive: false }).then(
    () => true,
    () => false,
  )

/** Writes a history of about this many MB. */
async function fill(server: TestServer, megabytes: number): Promise<number> {
  const id = await server.add()
  const message = "x".repeat(15_700)
  for (let i = 0; i < megabytes; i += 1) {
    await Promise.all(Array.from({ length: 64 }, () => server.put(id, { message })))
  }
  return id
}

test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const)(
  "%s ends a stream with shutdown and a reconnection time",
  async (signal) => {
    await using server = await start()
    await server.add()
    const reader = await Reader.open(`${server.url}/api/v1${STREAM}`)
    await reader.first("live")
    const [code, ms] = await drained(server, signal)
    expect(code).toBe(0)
    expect(ms).toBeLessThan(DRAIN_LIMIT_MS)
    expect(await reader.ended).toBe(true)
    const shutdown = reader.seen.at(-1)
    expect(shutdown).toMatchObject({ event: "shutdown", data: { retry_ms: expect.any(Number) } })
    expect(reader.raw).toMatch(/event: shutdown\nretry: [1-9][0-9]{2,3}\ndata: [^\n]*\n\n$/)
  },
)

test("a drain is said first, then nothing new is accepted, streams and parts end, and what is still open is cut at last", async () => {
  const said: string[] = []
  const reasons = new Reasons(({ reason }) => said.push(reason))
  const noted =
    (words: string) =>
    (...rest: readonly unknown[]): Promise<void> => {
      said.push([words, ...rest].join(" "))
      return Promise.resolve()
    }
  const failing = (): Promise<void> => Promise.reject(new Error("it cannot be stopped"))
  const parts: unknown = {
    reasons,
    app: { server: { stop: noted("server") } },
    broadcaster: { drain: noted("streams") },
    services: [{ stop: noted("a part") }, { stop: failing }, { stop: noted("another part") }],
  }
  await drain(parts as Parts)
  expect(said).toEqual(["draining", "server", "streams", "a part", "another part", "server true"])
})

test("a server under nohup goes on when its terminal is closed, and SIGTERM ends it", async () => {
  await using server = await start({ program: ["nohup", ...PROGRAM] })
  const reader = await Reader.open(`${server.url}/api/v1${STREAM}`)
  await reader.first("live")
  server.child.kill("SIGHUP")
  const id = await server.add()
  expect((await reader.first("message")).data["queue_id"]).toBe(id)
  expect(await server.end()).toBe(0)
  expect(reader.seen.at(-1)?.event).toBe("shutdown")
})

test("curl sees a clean end of a stream, not a cut", async () => {
  await using server = await start()
  const id = await server.add()
  const urls = [STREAM, `${STREAM}/${id}`, `${STREAM}?format=ndjson`, `${STREAM}?format=text`]
  const curls = urls.map((path) =>
    Bun.spawn(["curl", "-sN", `${server.url}/api/v1${path}`], { stdin: "ignore", stdout: "pipe" }),
  )
  await server.connectedClients(urls.length)
  await server.end()
  expect(await Promise.all(curls.map(({ exited }) => exited))).toEqual([0, 0, 0, 0])
  const [sse, , ndjson, text] = await Promise.all(curls.map(({ stdout }) => new Response(stdout).text()))
  expect(sse).toContain("event: shutdown")
  expect(ndjson).toMatch(/\n\{"event":"shutdown","retry_ms":\d+\}\n$/)
  expect(text).toEndWith("# the server is shutting down\n")
})

test("a server without streams stops at once: a drain waits for readers, not for its deadline", async () => {
  let fastestMs = Infinity
  // On a busy machine one stop may take long, but not each.
  for (let round = 0; round < 5 && fastestMs >= 800; round += 1) {
    await using server = await start()
    await server.add()
    const [code, ms] = await drained(server)
    expect(code).toBe(0)
    fastestMs = Math.min(fastestMs, ms)
  }
  expect(fastestMs).toBeLessThan(800)
})

test("a stream that is still replaying ends cleanly too, and its reader resumes where it was", async () => {
  await using server = await start()
  await fill(server, 30)
  const reader = await SocketReader.open(server.url, STREAM, { headers: { "last-event-id": "0" } })
  await reader.until(({ updates }) => updates.length > 0)
  // The reader decides how fast it reads. What it has not read stays with the server.
  reader.pause()
  const stopping = drained(server)
  await Bun.sleep(100)
  reader.resume()
  const [code, ms] = await stopping
  expect(code).toBe(0)
  expect(ms).toBeLessThan(DRAIN_LIMIT_MS)
  expect(await reader.ended).toBe(true)
  expect(reader.seen.at(-1)?.event).toBe("shutdown")
  expect(reader.updates.length).toBeLessThan(30 * 64 + 1)
  await using again = await start({ database: server.database })
  const last = String(reader.updates.at(-1)?.id)
  const rest = await SocketReader.open(again.url, STREAM, { headers: { "last-event-id": last } })
  await rest.first("live")
  expect([...reader.updates, ...rest.updates].map(({ id }) => id)).toEqual(
    Array.from({ length: 30 * 64 + 1 }, (_, i) => i + 1),
  )
  rest.leave()
}, 180_000)

test("a long replay keeps no other client waiting", async () => {
  await using server = await start()
  const id = await fill(server, 60)
  await server.put(id, { status: "failed" })
  let slowestMs = 0
  let replaying = true
  const probing = (async () => {
    while (replaying) {
      const startedMs = performance.now()
      await (await fetch(`${server.url}/health`)).arrayBuffer()
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
    }
  })()
  // The readers are so fast that the server never has to wait for them.
  const url = `${server.url}/api/v1${STREAM}/${id}?until=finished&last_event_id=0`
  const beganMs = performance.now()
  const readers = Array.from({ length: 4 }, () => Bun.spawn(["curl", "-sN", "-o", "/dev/null", url]))
  expect(await Promise.all(readers.map(({ exited }) => exited))).toEqual([0, 0, 0, 0])
  const tookMs = performance.now() - beganMs
  replaying = false
  await probing
  // Without ticks of the event loop nobody else is served during the whole time.
  expect(slowestMs).toBeLessThan(tookMs / 3)
}, 180_000)

test("a reader that never reads cannot keep the server from stopping, and a second signal makes nothing faster", async () => {
  await using server = await start()
  const id = await server.add()
  const stopped = await SocketReader.open(server.url, STREAM)
  await stopped.first("live")
  stopped.pause()
  const message = "x".repeat(16_000)
  for (let i = 0; i < 12; i += 1) {
    await Promise.all(Array.from({ length: 50 }, () => server.put(id, { message })))
  }
  const ending = drained(server)
  // A program between a service manager and the server may pass its signal on a second time.
  while (await answers(server)) await Bun.sleep(5)
  server.child.kill("SIGTERM")
  const [code, ms] = await ending
  expect(code).toBe(0)
  expect(ms).toBeLessThan(DRAIN_LIMIT_MS)
  stopped.resume()
  await stopped.ended
}, 180_000)

test("a write that waits for another program when the server stops is refused, and the stop does not wait", async () => {
  await using server = await start()
  const id = await server.add()
  using other = new Database(server.database)
  other.run("BEGIN IMMEDIATE")
  const written = server.api("PUT", `/queue/${id}`, { priority: 3 })
  // It has come in by the time that later requests are answered.
  for (let request = 0; request < 3; request += 1) await server.api("GET", "/queue/next")
  const [code, ms] = await drained(server)
  expect([(await written).status, code]).toEqual([503, 0])
  expect(ms).toBeLessThan(DRAIN_LIMIT_MS)
}, 180_000)

test("a renderer that reports by ingest and is silent does not make a stop fail", async () => {
  await using server = await start()
  const id = await server.add()
  const head = `POST /api/v1/queue/${id}/ingest/ffmpeg HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked`
  const reporting = raw(server.url, `${head}\r\n\r\n5\r\nframe\r\n`)
  while ((await server.item(id)).status !== "processing") await Bun.sleep(10)
  expect(await server.end()).toBe(0)
  await reporting
}, 180_000)

test("an EventSource sees every update once across a restart of the server", async () => {
  await using server = await start()
  const { port } = new URL(server.url)
  const id = await server.add()
  const source = new EventSource(`${server.url}/api/v1${STREAM}`)
  const seen: string[] = []
  const shutdown = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  source.onmessage = ({ lastEventId, data }) => {
    const { message }: { message: string } = JSON.parse(data)
    seen.push(`${lastEventId} ${message}`)
    if (message === "after") arrived.resolve()
  }
  source.addEventListener("shutdown", () => shutdown.resolve())
  await new Promise((resolve) => source.addEventListener("live", resolve))
  await server.put(id, { message: "before" })
  await server.end()
  await shutdown.promise
  await using again = await start({ database: server.database, args: ["--port", port] })
  await again.put(id, { message: "while it was away" })
  const other = await again.add()
  await again.put(other, { status: "failed", message: "short-lived" })
  await again.put(id, { message: "after" })
  await arrived.promise
  source.close()
  expect(seen).toEqual([
    "1 Queue item created",
    "2 before",
    "3 while it was away",
    "4 Queue item created",
    "5 short-lived",
    "6 after",
  ])
}, 180_000)

test("an EventSource that waits for the end of an item stops by itself", async () => {
  await using server = await start()
  const id = await server.add()
  await server.put(id, { status: "processing" })
  const source = new EventSource(`${server.url}/api/v1${STREAM}/${id}?until=finished`)
  const seen: string[] = []
  const stopped = Promise.withResolvers<void>()
  source.onmessage = ({ data }) => {
    const { status }: { status: string } = JSON.parse(data)
    seen.push(status)
  }
  source.addEventListener("end", () => seen.push("end"))
  // The reconnect gets 204, after which the client does not come back.
  source.onerror = ({ code }) => code === 204 && stopped.resolve()
  await new Promise((resolve) => source.addEventListener("live", resolve))
  await server.put(id, { status: "completed" })
  await stopped.promise
  expect(seen).toEqual(["processing", "completed", "end"])
  expect(source.readyState).toBe(EventSource.CLOSED)
}, 180_000)
