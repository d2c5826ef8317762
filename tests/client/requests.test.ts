import { afterAll, afterEach, expect, spyOn, test } from "bun:test"

import { Client } from "../../src/client/client.ts"

const HELD = { id: 7, token: "secret" }
const timers = spyOn(globalThis, "setTimeout")
afterEach(() => void timers.mockClear())
// The files that follow run in the same process.
afterAll(() => timers.mockRestore())

/** A server that answers 204 to everything, and the paths that it was asked for, as they came. */
function server() {
  const paths: string[] = []
  const serving = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      paths.push(new URL(request.url).pathname)
      return new Response(null, { status: 204 })
    },
  })
  return {
    paths,
    url: `http://127.0.0.1:${serving.port}`,
    client: new Client(`http://127.0.0.1:${serving.port}`),
    [Symbol.asyncDispose]: () => serving.stop(true),
  }
}

test("names reach the server whole, whatever is in them", async () => {
  await using asked = server()
  const { client, paths } = asked
  const name = "a/b c?d=e#f%é"
  for (const ask of [() => client.forgetRuns(name), () => client.drain(name), () => client.undrain(name)])
    await ask().catch(() => undefined)
  const encoded = encodeURIComponent(name)
  expect(paths).toEqual([
    `/api/v1/kinds/${encoded}/runs`,
    `/api/v1/workers/${encoded}/drain`,
    `/api/v1/workers/${encoded}/drain`,
  ])
})

test.each([
  ["", "/api/v1/queue/7"],
  ["/", "/api/v1/queue/7"],
  ["/below/", "/below/api/v1/queue/7"],
  ["/below//", "/below/api/v1/queue/7"],
])("a server whose URL ends with %j is asked for %s", async (end, path) => {
  await using asked = server()
  await new Client(`${asked.url}${end}`).get(7).catch(() => undefined)
  expect(asked.paths).toEqual([path])
})

test("the token is asked for before each request, so that another one takes its place at once", async () => {
  const sent: (string | null)[] = []
  const serving = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      sent.push(request.headers.get("authorization"))
      return new Response(null, { status: 204 })
    },
  })
  const tokens = ["one", undefined, "two"]
  const client = new Client(`http://127.0.0.1:${serving.port}`, { token: () => tokens.shift() })
  for (let request = 0; request < 3; request += 1) await client.get(7).catch(() => undefined)
  expect(sent).toEqual(["Bearer one", null, "Bearer two"])
  await serving.stop(true)
})

test("an answer may take ten seconds more than the server was asked to hold it", async () => {
  await using asked = server()
  const { client } = asked
  const longest = async (ask: () => Promise<unknown>): Promise<number> => {
    timers.mockClear()
    await ask().catch(() => undefined)
    return Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))
  }
  expect(await longest(() => client.get(7))).toBe(10_000)
  expect(await longest(() => client.claim({ worker: "w" }))).toBe(10_000)
  expect(await longest(() => client.claim({ worker: "w", wait: 30 }))).toBe(40_000)
  expect(await longest(() => client.heartbeat(HELD, 20))).toBe(30_000)
  expect(await longest(() => client.finished(7, 3600))).toBe(3_610_000)
})

test.each([
  ["2", 2000],
  ["299", 299_000],
  ["100000", 300_000],
])(
  "a stream that is refused for %s s is asked for again after %d ms, which is five minutes at most",
  async (after, ms) => {
    const body = { error: "busy", code: "unavailable", request_id: "r" }
    const serving = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json(body, { status: 503, headers: { "retry-after": after } }),
    })
    const leave = new AbortController()
    for await (const said of new Client(`http://127.0.0.1:${serving.port}`).watch({ signal: leave.signal })) {
      expect(said).toMatchObject({ type: "offline", status: 503, retryMs: ms })
      break
    }
    leave.abort()
    await serving.stop(true)
  },
)

test("a server that asks for a longer reconnection time than five minutes is asked again after five minutes", async () => {
  const headers = { "content-type": "text/event-stream" }
  const serving = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("retry: 999999999\n\n", { headers }),
  })
  const leave = new AbortController()
  for await (const said of new Client(`http://127.0.0.1:${serving.port}`).watch({ signal: leave.signal })) {
    expect(said).toMatchObject({ type: "offline", status: 0, retryMs: 300_000 })
    break
  }
  leave.abort()
  await serving.stop(true)
})

test("once an answer has come, no timer of its request keeps the program alive", async () => {
  await using asked = server()
  const clearing = spyOn(globalThis, "clearTimeout")
  try {
    await asked.client.get(7).catch(() => undefined)
    const limits = timers.mock.results.filter((_, at) => timers.mock.calls[at]?.[1] === 10_000)
    expect(limits).toHaveLength(1)
    expect(clearing.mock.calls.some(([timer]) => timer === limits[0]?.value)).toBe(true)
  } finally {
    clearing.mockRestore()
  }
})

test("an answer whose letters arrive in pieces is read whole", async () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ error: "é 한 😀", code: "c", request_id: "r" }))
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  const answered = Promise.resolve(new Response(body, { status: 500 }))
  using _fetch = spyOn(globalThis, "fetch").mockReturnValue(answered)
  await expect(new Client("http://127.0.0.1:1").get(7)).rejects.toThrow("é 한 😀")
})

test("the rest of an answer that is too long is not sent any more", async () => {
  let isCancelled = false
  let pulled = 0
  const body = new ReadableStream({
    pull(controller) {
      pulled += 1
      controller.enqueue(new Uint8Array(65_536))
    },
    cancel: () => void (isCancelled = true),
  })
  const answered = Promise.resolve(new Response(body, { status: 500 }))
  using _fetch = spyOn(globalThis, "fetch").mockReturnValue(answered)
  await expect(new Client("http://127.0.0.1:1").get(7)).rejects.toThrow("the server answered 500")
  expect(isCancelled).toBe(true)
  // No error of the server has more than 64 KiB.
  expect(pulled).toBeLessThan(5)
})

test("a claim for which there is no work is answered with null", async () => {
  await using asked = server()
  expect(await asked.client.claim({ worker: "box1" })).toBeNull()
})
