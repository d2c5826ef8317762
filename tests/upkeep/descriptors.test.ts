import { expect, test } from "bun:test"
import { connect, type Socket } from "node:net"

import { Reasons } from "../../src/health.ts"
import { Descriptors } from "../../src/upkeep/descriptors.ts"
import { PROGRAM, start } from "../server.ts"

test("that descriptors are scarce is said once a minute, while idle connections are closed each second", () => {
  const reasons = new Reasons()
  let [nowMs, isScarce] = [0, true]
  const said: number[] = []
  const descriptors = new Descriptors(reasons, {
    areScarce: () => isScarce,
    closeIdle: () => 3,
    nowMs: () => nowMs,
    onScarce: (closed) => said.push(closed),
    onError: (error) => console.error(error),
  })
  for (; nowMs <= 60_000; nowMs += 1000) descriptors.turn()
  expect(said).toEqual([3, 180])
  expect(reasons.current).toEqual(["descriptors_exhausted"])
  isScarce = false
  descriptors.turn()
  expect(reasons.current).toEqual([])
})

/** Asks for something, and keeps the connection for a next request. */
async function keepOpen(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1")
  socket.on("error", () => undefined)
  socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
  await new Promise((resolve) => {
    socket.once("data", resolve)
    socket.once("close", resolve)
    setTimeout(resolve, 2000)
  })
  return socket
}

test("connections that only wait for a next request keep no other client out", async () => {
  const program = ["sh", "-c", `ulimit -n 64; exec ${PROGRAM.join(" ")} "$@"`, "sh"]
  await using server = await start({ program })
  const port = Number(new URL(server.url).port)
  const sockets = await Promise.all(Array.from({ length: 100 }, () => keepOpen(port)))
  const answer = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(8000) })
  expect(answer.status).toBe(200)
  for (const socket of sockets) socket.destroy()
  const lines = server.log.split("\n").filter((line) => line.includes("out of file descriptors"))
  expect(lines).toHaveLength(1)
}, 40_000)
