import { afterAll, describe, expect, test } from "bun:test"

import { raw } from "../raw.ts"
import { invalid, JSON_TYPE, type Refusal, Refusals } from "../refusals.ts"
import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** An item that nothing here may change. */
const id = await server.add({ song_id: 5, priority: 3, title: "Untouched", metadata: { a: 1 } })
const refusals = new Refusals(server, id)
const KIB_64 = 64 * 1024
const STATUSES = "one of queued, processing, completed, failed, retrying"
const ITEM = `/queue/${id}`

describe("ids", () => {
  const ids = [
    "0",
    "-1",
    "abc",
    "1e9",
    "9223372036854775808",
    "01",
    "1.0",
    "+1",
    "%20",
    "%00",
    "1%2F2",
    "%zz",
    "NaN",
  ]
  const routes = [
    ["GET", ""],
    ["GET", "/updates"],
    ["GET", "?wait=finished"],
    ["PUT", ""],
    ["PUT", "/flag"],
    ["DELETE", ""],
  ] as const
  for (const bad of ids) {
    test(`the id ${bad} is refused wherever an id stands`, async () => {
      const wanted = invalid(/^id must be a positive integer of at most 16 digits, not "/)
      for (const [method, rest] of routes) {
        const body =
          method === "PUT" ? { body: rest === "" ? "{}" : '{"flag":null}', headers: JSON_TYPE } : {}
        await refusals.expect(`/queue/${bad}${rest}`, { method, ...body }, wanted)
      }
      await refusals.expect(`/progress/stream/${bad}`, {}, wanted)
    })
  }

  test("an id in a body that is larger than any id, and a kind that no kind can be, are refused", async () => {
    for (const huge of [2 ** 53, 2 ** 63, 1e308]) {
      const bodies = [
        [`${ITEM}/move`, "before", { before: huge }],
        ["/queue/claim", "id", { worker: "w", id: huge }],
        ["/queue/batch", "ids.0", { act: "cancel", ids: [huge] }],
      ] as const
      for (const [path, name, body] of bodies) {
        const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) }
        await refusals.expect(path, init, invalid(`${name} must be a positive integer, not ${huge}`))
      }
    }
    await refusals.expect("/kinds/%00/runs", { method: "DELETE" }, invalid(/^kind must be /))
  })

  test("an id that no item has is not found, and the sentence names it", async () => {
    const wanted = { status: 404, code: "not_found", error: "queue item 123456789 does not exist" }
    for (const [method, rest] of routes) {
      const body = method === "PUT" ? { body: rest === "" ? "{}" : '{"flag":null}', headers: JSON_TYPE } : {}
      await refusals.expect(`/queue/123456789${rest}`, { method, ...body }, wanted)
    }
    await refusals.expect("/progress/stream/123456789?until=finished", {}, wanted)
    expect((await server.api("GET", "/queue/9999999999999999")).status).toBe(404)
  })
})

describe("parameters", () => {
  const lines: readonly (readonly [string, string | RegExp])[] = [
    ["/queue?nope=1", 'the query has the unknown key "nope"; it can have status, song_id, limit, after, q'],
    [
      "/queue?__proto__=1",
      'the query has the unknown key "__proto__"; it can have status, song_id, limit, after, q',
    ],
    ["/queue?status=done", `status must be ${STATUSES}, not "done"`],
    ["/queue?song_id=0", "song_id must be a positive integer, not 0"],
    ["/queue?limit=0", /^limit must be from 1 to 1000 \(more counts as 1000\), not /],
    ["/queue?limit=-5", /^limit must be from 1 to 1000 \(more counts as 1000\), not /],
    ["/queue?limit=ten", /^limit must be from 1 to 1000 \(more counts as 1000\), not /],
    ["/queue?after=", 'after "" is not the "next" of a page'],
    ["/queue?after=1", 'after "1" is not the "next" of a page'],
    ["/queue?after=9.0.1", 'after "9.0.1" is not the "next" of a page'],
    [`${ITEM}?wait=done`, 'wait must be finished, not "done"'],
    [
      `${ITEM}?wait=finished&timeout=-1`,
      "timeout must be from 0 to 3600 seconds (more counts as 3600), not -1",
    ],
    [`${ITEM}?wait=finished&timeout=soon`, /^timeout must be from 0 to 3600 seconds/],
    [`${ITEM}?verbose=1`, 'the query has the unknown key "verbose"; it can have wait, timeout'],
    [`${ITEM}/updates?after=-1`, "after must be an event ID, or 0, not -1"],
    [`${ITEM}/updates?limit=1e3`, /^limit must be from 1 to 1000 \(more counts as 1000\), not /],
    ["/progress/stream?nope=1", /^the query has the unknown key "nope"; it can have format, /],
    ["/progress/stream?until=finished", /^the query has the unknown key "until"/],
    [
      "/progress/stream?ids=1,x",
      /^ids must be at most 256 ids of queue items, separated by commas, not "1,x"$/,
    ],
    ["/progress/stream?format=xml", 'format must be one of sse, ndjson, text, not "xml"'],
    [`/progress/stream/${id}?song_id=1`, /^the query has the unknown key "song_id"/],
    [`/progress/stream/${id}?until=later`, 'until must be finished, not "later"'],
    [`/progress/stream/${id}?snapshot=no`, 'snapshot must be one of true, false, not "no"'],
  ]
  for (const [path, error] of lines)
    test(`GET ${path} is refused`, () => refusals.expect(path, {}, invalid(error)))

  for (const key of ["", "two words", "ü", "k".repeat(256)]) {
    test(`the idempotency key "${key.slice(0, 20)}" of ${key.length} characters is refused`, () =>
      refusals.expect(
        "/queue",
        { method: "POST", body: '{"song_id":1}', headers: { ...JSON_TYPE, "idempotency-key": key } },
        invalid("Idempotency-Key must be 1 to 255 printable ASCII characters without spaces"),
      ))
  }
})

describe("size", () => {
  const tooLarge: Refusal = {
    status: 413,
    code: "too_large",
    error: "the body is larger than 65536 bytes, the most that is allowed",
  }
  const valid = (bytes: number): string => '{"song_id":1}'.padEnd(bytes)
  const chunked = (text: string): ReadableStream => {
    const pieces = text.match(/[^]{1,10000}/g) ?? []
    return new ReadableStream({
      async pull(to) {
        await new Promise(setImmediate)
        const piece = pieces.shift()
        if (piece === undefined) to.close()
        else to.enqueue(Buffer.from(piece))
      },
    })
  }
  for (const [what, wrap] of [
    ["a stated length", (text: string): string => text],
    ["chunks", chunked],
  ] as const) {
    test(`a body of more than 64 KiB with ${what} is refused`, async () => {
      for (const bytes of [KIB_64 + 1, 1_000_000, 10_000_000]) {
        await refusals.expect(
          "/queue",
          { method: "POST", body: wrap(valid(bytes)), headers: JSON_TYPE },
          tooLarge,
        )
      }
    })

    test(`a body of exactly 64 KiB with ${what} is taken`, async () => {
      const answer = await fetch(`${server.url}/api/v1/queue`, {
        method: "POST",
        body: wrap(valid(KIB_64)),
        headers: JSON_TYPE,
      })
      expect(answer.status).toBe(201)
    })
  }
})

test("a body of 200 MB is refused before it comes, with the envelope and CORS", async () => {
  const said = await raw(
    server.url,
    "POST /api/v1/queue HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
      "Content-Length: 200000000\r\nConnection: close\r\n\r\n{",
  )
  expect(said).toStartWith("HTTP/1.1 413 ")
  expect(said).toContain("Access-Control-Allow-Origin: *\r\n")
  expect(said).toContain(
    '{"error":"the body is larger than 65536 bytes, the most that is allowed","code":"too_large"',
  )
})

test("nonsense in the Host header is not accepted as a name of the server", async () => {
  for (const host of ["a b<>", "[::1"]) {
    const said = await raw(
      server.url,
      `GET /api/v1/queue HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    )
    expect(said).toStartWith("HTTP/1.1 421 ")
  }
})

test("what a refusal quotes is never cut within a character", async () => {
  const long = `x${"\u{1F3B5}".repeat(70)}`
  const said = await Promise.all([
    server.api("POST", "/queue", { song_id: 1, tags: [long] }).then((answer) => answer.json()),
    server.api("POST", "/queue", { song_id: 1, [long]: 1 }).then((answer) => answer.json()),
    server
      .api("GET", `/queue?${encodeURIComponent(long)}=1&${encodeURIComponent(long)}=2`)
      .then((answer) => answer.json()),
  ])
  for (const { error } of said)
    expect([error.includes("x\u{1F3B5}"), error.isWellFormed()]).toEqual([true, true])
})

test("a request without a Host header is answered like other requests", async () => {
  for (const line of ["HTTP/1.0", "HTTP/1.0\r\nAccept: */*"]) {
    const said = await raw(server.url, `GET /api/v1/nope ${line}\r\nConnection: close\r\n\r\n`)
    expect(said).toStartWith("HTTP/1.1 404 ")
    expect(said).toContain('{"error":"there is nothing at /api/v1/nope","code":"not_found","request_id":"')
    const listed = await raw(server.url, `GET /api/v1/queue?limit=1 ${line}\r\nConnection: close\r\n\r\n`)
    expect(listed).toStartWith("HTTP/1.1 200 ")
    expect(listed).toContain('{"queue":[')
  }
  const said = await raw(server.url, "PATCH /api/v1/queue HTTP/1.0\r\n\r\n")
  expect(said).toContain("allow: GET, POST\r\n")
})

test("a fragment counts as part of the path, so the answer says that there is no such path", async () => {
  const said = await raw(
    server.url,
    "GET /api/v1/queue#x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  )
  expect(said).toStartWith("HTTP/1.1 404 ")
  expect(said).toContain('"error":"there is nothing at /api/v1/queue#x"')
})

describe("content type", () => {
  const unsupported = (found: string): Refusal => ({
    status: 415,
    code: "unsupported_media_type",
    error: `the body must be application/json; ${found}`,
  })
  const ways = [
    ["POST", "/queue", '{"song_id":1}'],
    ["PUT", ITEM, '{"progress":1}'],
    ["PUT", `${ITEM}/flag`, '{"flag":null}'],
  ] as const
  for (const [method, path, body] of ways) {
    test(`${method} ${path} refuses a body that is not said to be JSON`, async () => {
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/jsonx",
      ]) {
        const request = { method, body, headers: { "content-type": `${type}; charset=utf-8` } }
        await refusals.expect(path, request, unsupported(`it is ${type}`))
      }
      const none = unsupported("there is no content-type")
      await refusals.expect(path, { method, body: new TextEncoder().encode(body) }, none)
      await refusals.expect(path, { method }, none)
      const { error } = unsupported("it is multipart/form-data")
      await refusals.expect(path, { method, body: new FormData() }, { ...none, error })
    })
  }

  test("JSON is JSON with any case and any parameter of its content type", async () => {
    for (const type of [
      "application/json",
      "Application/JSON",
      "application/json;charset=UTF-8",
      "APPLICATION/json ; x=1",
    ]) {
      const answer = await fetch(`${server.url}/api/v1/queue`, {
        method: "POST",
        body: '{"song_id":1}',
        headers: { "content-type": type },
      })
      expect(answer.status).toBe(201)
    }
  })

  test("a DELETE needs no body and no content type, and ignores what it is given", async () => {
    for (const request of [
      {},
      { headers: JSON_TYPE },
      { body: "", headers: JSON_TYPE },
      { body: "{", headers: JSON_TYPE },
      { body: "text", headers: { "content-type": "text/plain" } },
    ]) {
      const own = await server.add()
      const answer = await fetch(`${server.url}/api/v1/queue/${own}`, { method: "DELETE", ...request })
      expect([answer.status, await answer.json()]).toEqual([200, { message: "Queue item deleted" }])
    }
  })
})

describe("routes and methods", () => {
  const routes: readonly (readonly [string, string])[] = [
    ["/queue", "GET, POST"],
    [ITEM, "DELETE, GET, PUT"],
    [`${ITEM}/flag`, "PUT"],
    [`${ITEM}/updates`, "GET"],
    ["/progress/stream", "GET"],
    [`/progress/stream/${id}`, "GET"],
    ["/progress/stats", "GET"],
    ["/songs/7/output", "GET"],
    ["/workers/box/drain", "DELETE, POST"],
    ["/../../health", "GET"],
    ["/../../", "GET"],
  ]
  for (const [path, allow] of routes) {
    test(`${path} names the methods it takes`, async () => {
      const { pathname } = new URL(`${server.url}/api/v1${path}`)
      for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
        if (allow.split(", ").includes(method)) continue
        const answer = await refusals.expect(
          path,
          { method, ...(method !== "GET" && { body: "{}", headers: JSON_TYPE }) },
          { status: 405, code: "method_not_allowed", error: `${pathname} takes ${allow}, not ${method}` },
        )
        expect(answer.headers.get("allow")).toBe(allow)
      }
    })
  }

  const nowhere = [
    "",
    "/",
    "/nope",
    "/queues",
    "/queuex",
    `${ITEM}/nope`,
    `${ITEM}/flag/x`,
    "/progress",
    "/queue//1",
  ]
  for (const path of [...nowhere, "/../../queue", "/../v2/queue", "/../../health/x", "/%2e%2e%2f"]) {
    test(`there is nothing at ${path || "the base itself"}`, async () => {
      const { pathname } = new URL(`${server.url}/api/v1${path}`)
      for (const method of ["GET", "POST", "DELETE", "PATCH"]) {
        const body = method === "POST" ? { body: "{", headers: JSON_TYPE } : {}
        const error = `there is nothing at ${pathname}`
        await refusals.expect(path, { method, ...body }, { status: 404, code: "not_found", error })
      }
    })
  }

  test("HEAD is answered as GET without a body, and leaves no stream behind", async () => {
    for (const path of ["/queue", ITEM, "/progress/stats", "/progress/stream"]) {
      const answer = await server.api("HEAD", path)
      expect([answer.status, await answer.text()]).toEqual([200, ""])
    }
    for (const path of ["/progress/stream", `/progress/stream/${id}`]) {
      // An address with dots takes another way through the framework.
      const head = `HEAD /x/../api/v1${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`
      expect((await raw(server.url, head)).slice(0, 15)).toBe("HTTP/1.1 200 OK")
    }
    await server.connectedClients(0)
  })
})
