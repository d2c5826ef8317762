import { afterAll, expect, spyOn, test } from "bun:test"

import { type AppParts, createApp } from "../../../src/http/app.ts"
import { GoneWebsockets } from "../../../src/http/gone-websockets.ts"
import type { Ending, StreamRequest } from "../../../src/stream/stream-request.ts"
import { UNPROTECTED } from "../unprotected.ts"

/** The next stream, and the latest request for one. */
const scene: { next: AsyncGenerator<readonly string[], Ending> | null; request?: StreamRequest } = {
  next: null,
}
const streams = {
  count: 0,
  async open(request: StreamRequest) {
    scene.request = request
    return scene.next
  },
}
const parts: Partial<Record<keyof AppParts, unknown>> = {
  ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
  ...UNPROTECTED,
  streams,
}
const app = createApp(parts as AppParts).listen({ hostname: "127.0.0.1", port: 0 })
afterAll(() => app.stop(true))

/** Opens a socket on a stream, and returns it once it is open. */
async function opened(next: typeof scene.next): Promise<WebSocket> {
  scene.next = next
  const socket = new WebSocket(`ws://127.0.0.1:${app.server?.port}/api/v1/progress/ws`)
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }))
  return socket
}

/** A stream that says one thing, and ends like this; or goes on until its client is gone. */
async function* saying(ending: Ending | undefined): AsyncGenerator<readonly string[], Ending> {
  yield ['{"event":"live"}']
  if (ending === undefined)
    await new Promise((resolve) => scene.request?.signal?.addEventListener("abort", resolve))
  return ending ?? "left"
}

test("a socket that its client has left is forgotten, and so is its stream", async () => {
  using forgotten = spyOn(GoneWebsockets.prototype, "forget")
  using noted = spyOn(GoneWebsockets.prototype, "heard")
  const socket = await opened(saying(undefined))
  expect([noted.mock.calls.length, forgotten.mock.calls.length]).toEqual([1, 0])
  const { signal } = scene.request ?? {}
  const isOver = new Promise((resolve) => signal?.addEventListener("abort", resolve))
  socket.close()
  await isOver
  expect(forgotten.mock.calls).toEqual(noted.mock.calls)
})

test("a stream is given up if its request is no handshake after all", async () => {
  scene.next = saying(undefined)
  const headers = { host: "127.0.0.1", connection: "upgrade", upgrade: "websocket" }
  const answer = await app.handle(new Request("http://127.0.0.1/api/v1/progress/ws", { headers }))
  expect([answer.status, scene.request?.signal?.aborted]).toEqual([422, true])
})

test.each<[Ending | "none", number]>([
  ["finished", 1000],
  ["shutdown", 1001],
  ["left", 1011],
  ["failed", 1011],
  ["none", 1000],
])(
  "a socket whose stream ends by %s is closed with %d after all that the stream said",
  async (ending, code) => {
    const said: unknown[] = []
    const closed = Promise.withResolvers<number>()
    scene.next = ending === "none" ? null : saying(ending)
    const socket = new WebSocket(`ws://127.0.0.1:${app.server?.port}/api/v1/progress/ws`)
    socket.addEventListener("message", ({ data }) => void said.push(data))
    socket.addEventListener("close", (event) => closed.resolve(event.code))
    expect(await closed.promise).toBe(code)
    expect(said).toEqual(ending === "none" ? [] : ['{"event":"live"}'])
  },
)
