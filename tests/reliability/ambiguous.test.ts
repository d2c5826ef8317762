import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { connect } from "node:net"

import { Nginx, nginxOrWhy } from "../nginx.ts"
import { start, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

/** A whole request that adds an item. It is placed inside of a body, and must never be read as a request. */
const HIDDEN =
  'POST /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"song_id":9}'

const END = "0\r\n\r\n"

/** Requests that can be understood in two ways, by their headers and their body. */
const AMBIGUOUS = {
  "a length and chunks": ["Content-Length: 5\r\nTransfer-Encoding: chunked", `${END}${HIDDEN}`],
  "chunks and a length": [`Transfer-Encoding: chunked\r\nContent-Length: 200`, `${END}${HIDDEN}`],
  "two lengths": [`Content-Length: 0\r\nContent-Length: ${HIDDEN.length}`, HIDDEN],
  "a list of lengths": ["Content-Length: 2, 2", `{}${HIDDEN}`],
  "a length with a sign": ["Content-Length: +2", `{}${HIDDEN}`],
  "a negative length": ["Content-Length: -1", HIDDEN],
  "a hexadecimal length": ["Content-Length: 0x2", `{}${HIDDEN}`],
  "a length beyond all numbers": ["Content-Length: 99999999999999999999999", `{}${HIDDEN}`],
  "a length with a space before its colon": [`Content-Length : ${HIDDEN.length}`, HIDDEN],
  "an encoding that is none": ["Transfer-Encoding: xchunked", `${END}${HIDDEN}`],
  "two encodings": ["Transfer-Encoding: gzip, chunked", `${END}${HIDDEN}`],
  "an encoding given twice": ["Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", `${END}${HIDDEN}`],
  "an encoding with a space before its colon": ["Transfer-Encoding : chunked", `${END}${HIDDEN}`],
  "a header that goes on in the next line": [`X-A: b\r\n Content-Length: ${HIDDEN.length}`, HIDDEN],
  "a chunk of no size": ["Transfer-Encoding: chunked", `zz\r\n${HIDDEN}`],
  "a chunk of a negative size": ["Transfer-Encoding: chunked", `-1\r\n\r\n${HIDDEN}`],
  "a chunk beyond all numbers": ["Transfer-Encoding: chunked", `FFFFFFFFFFFFFFFFF\r\nabc\r\n${END}${HIDDEN}`],
  "a chunk that is longer than it says": ["Transfer-Encoding: chunked", `1\r\nabcdef\r\n${END}${HIDDEN}`],
} as const

/** Requests that are larger than any valid one. */
const OVERSIZED = {
  "a header of 100 kB": `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(100_000)}\r\n\r\n`,
  "an address of 100 kB": `GET /health?${"a".repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  "5,000 headers": `GET /health HTTP/1.1\r\nHost: localhost\r\n${"X: a\r\n".repeat(5000)}\r\n`,
} as const

/** Bytes that are no HTTP, or a version that the server does not support. */
const FOREIGN = {
  "a TLS greeting": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "HTTP/9.9": "GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
  "no host": "GET /health HTTP/1.1\r\n\r\n",
  "NUL in a header": "GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
  "a lone carriage return in a header": "GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
} as const

/**
 * The status of the first answer to these bytes; 0 if there is none. The server must close the connection.
 */
function refusalOf(port: number, bytes: string): Promise<number> {
  const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
  let text = ""
  socket.on("data", (piece) => (text += piece))
  socket.on("error", () => undefined)
  return new Promise((resolve) => {
    socket.on("close", () => resolve(Number(/^HTTP\/1\.\d (\d+)/.exec(text)?.[1] ?? 0)))
  })
}

let server: TestServer
const portOf = (url: string): number => Number(new URL(url).port)

const itemsOf = async (): Promise<number> => {
  const { queue }: { queue: unknown[] } = await (await server.api("GET", "/queue")).json()
  return queue.length
}

beforeAll(async () => {
  server = await start({ args: ["--open", "--requests-per-address", "0"] })
})

afterAll(() => server.end("SIGKILL"))

test.each(Object.entries(AMBIGUOUS))(
  "a request with %s is refused, and hides no other one",
  async (_name, [headers, body]) => {
    const bytes = `POST /api/v1/queue/1/cancel HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`
    expect([400, 415]).toContain(await refusalOf(portOf(server.url), bytes))
    expect(await itemsOf()).toBe(0)
  },
)

test.each(Object.entries(OVERSIZED))("%s is refused", async (_name, bytes) => {
  expect(await refusalOf(portOf(server.url), bytes)).toBe(431)
})

test.each(Object.entries(FOREIGN))("%s is refused, and the connection closed", async (_name, bytes) => {
  expect([400, 505]).toContain(await refusalOf(portOf(server.url), bytes.padEnd(64)))
})

const nginx = nginxOrWhy()
if ("why" in nginx) console.warn(`skipped: ${nginx.why}`)

describe.skipIf("why" in nginx)("through nginx", () => {
  test("no request that can be understood in two ways hides another one", async () => {
    await using proxy = await Nginx.start("path" in nginx ? nginx.path : "", [{ upstream: server.url }])
    const [port = 0] = proxy.ports
    const statuses = await Promise.all(
      Object.values(AMBIGUOUS).map(([headers, body]) => {
        const head = `POST /api/v1/queue/1/cancel HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`
        return refusalOf(port, `${head}${headers}\r\n\r\n${body}`)
      }),
    )
    expect(statuses.filter((status) => status >= 200 && status < 300)).toEqual([])
    expect(await itemsOf()).toBe(0)
  })
})
