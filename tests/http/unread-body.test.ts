import { expect, test } from "bun:test"

import { bodyTimeLimit } from "../../src/http/body-time-limit.ts"
import type { RefusalCounts } from "../../src/http/request-counts.ts"
import { dropBody, hasUnreadBody } from "../../src/http/unread-body.ts"
import { raw } from "../raw.ts"
import { start } from "../server.ts"

const JSON_BODY = "Host: localhost\r\nContent-Type: application/json\r\n"

const PREFLIGHT = "Origin: http://localhost\r\nAccess-Control-Request-Method: PUT\r\n"

/** Heads of requests whose bodies nobody reads, with the status of their answers. */
const heads = (id: number) =>
  [
    ["POST /api/v1/queue HTTP/1.1\r\nHost: localhost\r\n", 415],
    [`POST /nowhere HTTP/1.1\r\n${JSON_BODY}`, 404],
    [`PUT /api/v1/queue HTTP/1.1\r\n${JSON_BODY}`, 405],
    [`POST /api/v1/queue HTTP/1.1\r\n${JSON_BODY}Origin: http://evil.example\r\n`, 403],
    [`POST /api/v1/queue/999999/ingest/lines HTTP/1.1\r\n${JSON_BODY}`, 404],
    [`DELETE /api/v1/queue/${id} HTTP/1.1\r\n${JSON_BODY}`, 200],
    [`GET /api/v1/queue HTTP/1.1\r\n${JSON_BODY}`, 200],
    [`GET /nowhere HTTP/1.1\r\n${JSON_BODY}`, 404],
    [`OPTIONS /api/v1/queue HTTP/1.1\r\n${JSON_BODY}${PREFLIGHT}`, 204],
  ] as const

test("a connection whose request is answered before its body has ended is closed", async () => {
  await using server = await start()
  const asked: Promise<void>[] = []
  const ask = async (head: string, body: string, status: number): Promise<void> => {
    const said = await raw(server.url, head + body)
    expect([head, Number(said.slice(9, 12))]).toEqual([head, status])
    expect([head, /^connection: close\r$/im.test(said)]).toEqual([head, true])
  }
  const startedMs = performance.now()
  for (const body of ["Content-Length: 60000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]) {
    const id = await server.add()
    asked.push(...heads(id).map(([head, status]) => ask(head, body, status)))
  }
  await Promise.all(asked)
  // Bun itself ends a silent connection after a minute, and one that sends never.
  expect(performance.now() - startedMs).toBeLessThan(30_000)
})

/** Asks for a last answer on the connection of a request. */
const LAST = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

test("a connection whose refused request has ended is used again", async () => {
  await using server = await start()
  for (const refused of [
    `POST /nowhere HTTP/1.1\r\n${JSON_BODY}Content-Length: 2\r\n\r\n{}`,
    `POST /api/v1/queue HTTP/1.1\r\n${JSON_BODY}Content-Length: 2\r\n\r\n{}`,
    `POST /api/v1/queue HTTP/1.1\r\n${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    `DELETE /api/v1/queue/999999 HTTP/1.1\r\n${JSON_BODY}Content-Length: 2\r\n\r\n{}`,
    `GET /nowhere HTTP/1.1\r\n${JSON_BODY}Content-Length: 0\r\n\r\n`,
  ]) {
    const said = await raw(server.url, refused, LAST)
    expect([refused, said.match(/HTTP\/1.1 4\d\d |HTTP\/1.1 200 /g)?.length]).toEqual([refused, 2])
  }
})

/** A request with a body of one byte each 10 ms; without `most` it never ends. */
function slowly(most = Number.POSITIVE_INFINITY): Request {
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await Bun.sleep(10)
      if (sent++ < most) controller.enqueue(new Uint8Array(1))
      else controller.close()
    },
  })
  return new Request("http://localhost/", { method: "POST", body })
}

test("the rest of an unwanted body is read if it comes soon, and not for ever", async () => {
  const [short, endless] = [slowly(5), slowly()]
  await Promise.all([short, endless].map(dropBody))
  expect([hasUnreadBody(short), hasUnreadBody(endless)]).toEqual([false, true])
})

test("a body may take its time unless few descriptors are left, and then it is refused", async () => {
  let refused = 0
  const counts: unknown = { of: () => ({ add: () => void (refused += 1) }) }
  const [never, { promise, resolve }] = [new Promise<never>(() => undefined), Promise.withResolvers<string>()]
  let areFew = false
  const inTime = bodyTimeLimit(() => areFew, counts as RefusalCounts, 40)
  const slow = inTime(promise)
  await Bun.sleep(80)
  resolve("read")
  expect(await slow).toBe("read")
  const stalled = inTime(never)
  // They may become few after its first time is over.
  await Bun.sleep(80)
  areFew = true
  expect(await stalled.catch((error: unknown) => error)).toMatchObject({
    code: "unavailable",
    retryAfterMs: 5000,
  })
  // The body that was read is waited for no more.
  await Bun.sleep(50)
  expect(refused).toBe(1)
})

test("a body that somebody else is reading is left to them", async () => {
  const request = slowly(1)
  const reader = request.body?.getReader()
  await dropBody(request)
  expect((await reader?.read())?.value).toHaveLength(1)
})
