import { expect, setDefaultTimeout, test } from "bun:test"
import { connect, type Socket } from "node:net"

import { eventually, figure, memory, PROVE, size, sockets } from "../proof.ts"
import { start, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

const POST = "POST /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

/** The first bytes of a client that never finishes its request, and what it sends once a second. */
const WAYS = {
  head: ["GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", "a"],
  body: [`${POST}Content-Length: 60000\r\n\r\n{`, " "],
  chunks: [`${POST}Transfer-Encoding: chunked\r\n\r\n`, "1\r\n \r\n"],
  silence: [`${POST}Content-Length: 60000\r\n\r\n{`, ""],
  nothing: ["", ""],
} as const

/** A slow client. `closed` resolves with the seconds after which it was cut. */
function slow(
  port: number,
  [begin, piece]: readonly [string, string],
): { socket: Socket; closed: Promise<number> } {
  const startedMs = performance.now()
  const socket = connect(port, "127.0.0.1", () => socket.write(begin))
  socket.on("error", () => undefined)
  const timer = piece === "" ? undefined : setInterval(() => socket.write(piece), 1000)
  const closed = new Promise<number>((resolve) => {
    socket.on("close", () => {
      clearInterval(timer)
      resolve((performance.now() - startedMs) / 1000)
    })
  })
  return { socket, closed }
}

/** How long another client's health check takes, in milliseconds. */
async function answerMs(server: TestServer): Promise<number> {
  const startedMs = performance.now()
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  return performance.now() - startedMs
}

test("slow clients harm no others", async () => {
  await using server = await start()
  const port = Number(new URL(server.url).port)
  await answerMs(server)
  const [openBefore, memoryBefore] = [sockets(server), memory(server)]
  const each = size(40, 200)
  const clients = Object.values(WAYS).flatMap((way) => Array.from({ length: each }, () => slow(port, way)))
  await eventually(() => sockets(server) >= openBefore + clients.length, 9000)
  const answers: number[] = []
  for (let i = 0; i < 20; i++) answers.push(await answerMs(server))
  const grownMb = memory(server) - memoryBefore
  figure(
    `${clients.length} slow clients: health in ${Math.max(...answers).toFixed(0)} ms at most, ${grownMb.toFixed(0)} MB`,
  )
  expect(Math.max(...answers)).toBeLessThan(1000)
  expect(grownMb).toBeLessThan(60)
  if (PROVE) {
    const cut = await Promise.all(clients.map(({ closed }) => closed))
    const ofWay = (at: number): number[] => cut.slice(at * each, (at + 1) * each)
    for (const [at, name] of Object.keys(WAYS).entries()) {
      figure(
        `${name}: cut after ${Math.min(...ofWay(at)).toFixed(0)} to ${Math.max(...ofWay(at)).toFixed(0)} s`,
      )
    }
    // A client that sends something has no advantage over a silent one.
    expect(Math.max(...ofWay(0))).toBeLessThan(20)
    expect(Math.max(...cut)).toBeLessThan(75)
  }
  for (const { socket } of clients) socket.destroy()
  await eventually(() => sockets(server) <= openBefore + 2, 20_000)
})
