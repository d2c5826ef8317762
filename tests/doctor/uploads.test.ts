import { expect, setDefaultTimeout, test } from "bun:test"

import type { Patient } from "../../src/doctor/send-request.ts"
import { idleStream } from "../../src/doctor/streams.ts"
import { pausesOf } from "../../src/doctor/uploads.ts"

setDefaultTimeout(180_000)

/** A stream that is open for `ms`, with the first frame of a server. */
function stream(ms: number): Response {
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue("event: live\ndata: {}\n\n")
      await Bun.sleep(ms)
      controller.close()
    },
  })
  return new Response(body, { headers: { "content-type": "text/event-stream" } })
}

const LONG_MS = 3000

/**
 * What a proxy does with a request that waits for its body, with a stream that has a body, and with a stream
 * that has none.
 */
interface Proxy {
  readonly waiting: () => Promise<Response>
  readonly streamingMs: number
  readonly idleMs: number
}

const patiently = (): Promise<Response> => Bun.sleep(LONG_MS).then(() => new Response("", { status: 503 }))
const timedOut = (status: number) => async (): Promise<Response> => {
  await Bun.sleep(100)
  return new Response("", { status })
}

const PROXIES: readonly (readonly [string, Proxy, object])[] = [
  [
    "of one that lets them pause",
    { waiting: patiently, streamingMs: LONG_MS, idleMs: LONG_MS },
    { verdict: "good" },
  ],
  [
    "of one that limits the pause of a body, as nginx does",
    { waiting: patiently, streamingMs: 200, idleMs: LONG_MS },
    { fault: "body_cut" },
  ],
  [
    "of one that answers 408 instead, as Apache does",
    { waiting: timedOut(408), streamingMs: LONG_MS, idleMs: LONG_MS },
    { fault: "body_cut" },
  ],
  [
    "of one that limits the time in which nothing is sent at all, as HAProxy does",
    { waiting: timedOut(504), streamingMs: LONG_MS, idleMs: LONG_MS },
    { fault: "body_cut" },
  ],
  [
    "of one that cuts every idle stream",
    { waiting: patiently, streamingMs: 200, idleMs: 200 },
    { verdict: "unknown" },
  ],
]

test.concurrent.each([...PROXIES])("the pauses of bodies are judged: %s", async (_name, proxy, found) => {
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      request.method === "POST"
        ? proxy.waiting()
        : stream(request.headers.has("transfer-encoding") ? proxy.streamingMs : proxy.idleMs),
  })
  const url = new URL(`http://127.0.0.1:${server.port}`)
  const patient: Patient = { url, token: undefined, patienceMs: 1000, idleMs: 1000, now: Date.now }
  expect(await pausesOf(patient, idleStream(patient))).toMatchObject(found)
})
