import { expect, jest, spyOn, test } from "bun:test"

import { GoneWebsockets } from "../../src/http/gone-websockets.ts"
import { PROVE } from "../proof.ts"
import { start } from "../server.ts"
import { WebSocketReader } from "../websockets.ts"

/** A peer that answers this many times, each time it is asked. */
function peer(peers: GoneWebsockets, answers: number) {
  const cut = Promise.withResolvers<void>()
  let asked = 0
  const self = {
    ask(): void {
      asked += 1
      if (asked <= answers) peers.heard(self)
    },
    cut(): void {
      peers.forget(self)
      cut.resolve()
    },
  }
  peers.heard(self)
  return { wasCut: cut.promise, asked: () => asked, leave: () => peers.forget(self) }
}

test("without connections no timer runs", () => {
  jest.useFakeTimers()
  try {
    const peers = new GoneWebsockets({ askAfterMs: 40, cutAfterMs: 120 })
    const [one, other] = [peer(peers, 0), peer(peers, 0)]
    expect(jest.getTimerCount()).toBe(1)
    one.leave()
    expect(jest.getTimerCount()).toBe(1)
    other.leave()
    expect(jest.getTimerCount()).toBe(0)
  } finally {
    jest.useRealTimers()
  }
})

test("a peer that answers stays, and one that stops answering is cut", async () => {
  const peers = new GoneWebsockets({ askAfterMs: 40, cutAfterMs: 120 })
  const silent = peer(peers, 0)
  const faltering = peer(peers, 2)
  const alive = peer(peers, Number.POSITIVE_INFINITY)
  let aliveWasCut = false
  void alive.wasCut.then(() => (aliveWasCut = true))
  await Promise.all([silent.wasCut, faltering.wasCut])
  expect(silent.asked()).toBeGreaterThan(0)
  expect(faltering.asked()).toBeGreaterThan(2)
  expect(alive.asked()).toBeGreaterThan(2)
  expect(aliveWasCut).toBe(false)
  alive.leave()
})

test("after all peers have left the next one is asked and cut as well", async () => {
  jest.useFakeTimers()
  let nowMs = performance.now()
  const clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  try {
    const peers = new GoneWebsockets({ askAfterMs: 4, cutAfterMs: 12 })
    peer(peers, 0).leave()
    const next = peer(peers, 0)
    for (; nowMs < 12; nowMs += 1) jest.advanceTimersByTime(1)
    expect(next.asked()).toBeGreaterThan(0)
    jest.advanceTimersByTime(1)
    await next.wasCut
  } finally {
    clock.mockRestore()
    jest.useRealTimers()
  }
})

const HANDSHAKE = [
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
].join("\r\n")

/** The message `{"unsubscribe":[7]}` as a client sends it, with a mask of zeros. */
const UNSUBSCRIBE = Uint8Array.of(0x81, 0x80 | 19, 0, 0, 0, 0, ...Buffer.from('{"unsubscribe":[7]}'))

// This takes a minute.
test.skipIf(!PROVE)(
  "a WebSocket that answers no ping is closed within a minute, though it is sent keepalives and sends messages",
  async () => {
    await using server = await start({ args: ["--keepalive-ms", "1000"] })
    const { hostname, port } = new URL(server.url)
    const answering = await WebSocketReader.open(server.url, "/progress/ws")
    const closed = Promise.withResolvers<void>()
    const startedMs = performance.now()
    await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(`GET /api/v1/progress/ws?ids=7 HTTP/1.1\r\n${HANDSHAKE}\r\n\r\n`),
        data: (socket) => void socket.write(UNSUBSCRIBE),
        close: () => closed.resolve(),
      },
    })
    await server.connectedClients(2)
    await closed.promise
    expect(performance.now() - startedMs).toBeWithin(40_000, 60_000)
    await server.connectedClients(1)
    answering.leave()
  },
  180_000,
)
