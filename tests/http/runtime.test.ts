import { expect, test } from "bun:test"

import { raw } from "../raw.ts"
import { Reader } from "../reader.ts"
import { start } from "../server.ts"

// Faults that only Bun can correct; docs/ARCHITECTURE.md describes each. If a test fails here, Bun has
// corrected the fault: then turn its expectation round, and remove the sentence from the docs.

test("a chunked body with a trailer is answered 400, although its item is added", async () => {
  await using server = await start()
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
  const said = await raw(
    server.url,
    "POST /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      'Transfer-Encoding: chunked\r\n\r\nd\r\n{"song_id":7}\r\n0\r\nDigest: x\r\n\r\n',
  )
  expect(said).toStartWith("HTTP/1.1 400 ")
  await reader.until((seen) => seen.some(({ data }) => data["song_id"] === 7))
  reader.leave()
})

// Bun passes on only the Host header, and uses it. No browser sends the absolute form to a server.
test("a request in absolute form is judged by its Host header, although it names another host", async () => {
  await using server = await start()
  const ask = (authority: string, host: string): Promise<string> =>
    raw(
      server.url,
      `GET http://${authority}/api/v1/queue HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    )
  expect(await ask("localhost", "evil.example")).toStartWith("HTTP/1.1 421 ")
  expect(await ask("evil.example", "localhost")).toStartWith("HTTP/1.1 200 ")
})

test("a request that is sent before the answer to the one before ends the connection, although the first is carried out", async () => {
  await using server = await start()
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
  const said = await raw(
    server.url,
    "POST /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      'Content-Length: 13\r\n\r\n{"song_id":7}GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  )
  expect(said).toBe("")
  await reader.until((seen) => seen.some(({ data }) => data["song_id"] === 7))
  reader.leave()
})

// Bun has no setting for this: a proxy or a firewall must limit the connections of each address.
test("a connection that never sends a whole request is ended after 10 s, whether it is silent or trickles", async () => {
  await using server = await start()
  const { hostname, port } = new URL(server.url)
  const livedMs = async (request: string, more: string): Promise<number> => {
    const [openedMs, closed] = [performance.now(), Promise.withResolvers<void>()]
    const close = (): void => closed.resolve()
    const socket = { data: () => undefined, close, error: close }
    const connection = await Bun.connect({ hostname, port: Number(port), socket })
    connection.write(request)
    const timer = setInterval(() => connection.write(more), 500)
    await closed.promise
    clearInterval(timer)
    return performance.now() - openedMs
  }
  const begun = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
  const lives = await Promise.all([livedMs("", ""), livedMs(begun, ""), livedMs(begun, "x")])
  for (const lived of lives) expect(lived).toBeWithin(7000, 20_000)
}, 180_000)
