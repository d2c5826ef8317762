import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { Client, type Held, ServerError } from "../../src/client/client.ts"
import { QueueClient } from "../../src/client/queue-client.ts"
import { ReadItem } from "../../src/wire/forecast.ts"
import { start, type TestServer } from "../server.ts"
import { endless, impostor, json, notOurs } from "./impostor.ts"

setDefaultTimeout(180_000)

const HELD: Held = { id: 7, token: "secret" }

/** Every request of the client that gets an answer. */
const REQUESTS: Readonly<Record<string, (client: Client, signal?: AbortSignal) => Promise<unknown>>> = {
  add: (client, signal) => client.add({ song_id: 1 }, "key", signal),
  update: (client, signal) => client.update(7, { priority: 1 }, signal),
  flag: (client, signal) => client.flag(7, null, signal),
  list: (client, signal) => client.list({}, signal),
  get: (client, signal) => client.get(7, signal),
  history: (client, signal) => client.history(7, 0, 10, signal),
  forecast: (client, signal) => client.forecast(10, signal),
  kinds: (client, signal) => client.kinds(signal),
  forgetRuns: (client, signal) => client.forgetRuns("song", signal),
  print: (client, signal) => client.print(HELD, new Uint8Array(1), 0, signal),
  take: (client, signal) => client.take(7, { worker: "w" }, undefined, signal),
  move: (client, signal) => client.move(7, 8, signal),
  retryFailed: (client, signal) => client.retryFailed(signal),
  pause: (client, signal) => client.pause(signal),
  resume: (client, signal) => client.resume(signal),
  counts: (client, signal) => client.counts("UTC", signal),
  workers: (client, signal) => client.workers(signal),
  drain: (client, signal) => client.drain("w", signal),
  undrain: (client, signal) => client.undrain("w", signal),
  claim: (client, signal) => client.claim({ worker: "w", wait: 1 }, signal),
  report: (client, signal) => client.report(HELD, { progress: 5 }, signal),
  declareSteps: (client, signal) => client.declareSteps(HELD, ["Images"], signal),
  beginStep: (client, signal) => client.beginStep(HELD, signal),
  heartbeat: (client, signal) => client.heartbeat(HELD, 1, signal),
  complete: (client, signal) => client.complete(HELD, {}, signal),
  fail: (client, signal) => client.fail(HELD, {}, signal),
  release: (client, signal) => client.release(HELD, signal),
  cancel: (client, signal) => client.cancel(7, signal),
  retry: (client, signal) => client.retry(7, signal),
  finished: (client, signal) => client.finished(7, 1, signal),
  remove: (client, signal) => client.remove(7, signal),
  stats: (client, signal) => client.stats(signal),
  openStreams: (client, signal) => client.openStreams(signal),
  me: (client, signal) => client.me(signal),
  batch: (client, signal) => client.batch("cancel", [7], signal),
  health: (client, signal) => client.health(signal),
}
const NAMES = Object.keys(REQUESTS)
/** Requests without an answer of their own, which go on: see the tests of streams and outputs. */
const STREAMS = ["watch", "output", "songOutput"]

test("every method of the client is tried here", () => {
  const methods = [Client, QueueClient]
    .flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
    .filter((name) => name !== "constructor")
  expect(methods.filter((name) => !STREAMS.includes(name)).sort()).toEqual(NAMES.toSorted())
})

/** The error that a request throws. */
async function failure(name: string, url: string, signal?: AbortSignal): Promise<unknown> {
  return await REQUESTS[name]?.(new Client(url), signal).then(
    () => "no failure",
    (error: unknown) => error,
  )
}

/** The item with this ID, as a server of the previous version returns it. */
async function recordedItem(): Promise<Record<string, unknown>> {
  const recorded = join(import.meta.dir, "../captures/previous-version.json")
  const { answers }: { answers: Record<string, Record<string, unknown>> } = await Bun.file(recorded).json()
  return { ...answers["GET /queue/1"], id: 7 }
}

test("a value that no header can carry is reported as such, and not as an unreachable server", async () => {
  await using other = impostor(() => json({}))
  const refusal = { code: "invalid", isPassing: false }
  for (const text of ["a\nb", "\u20ac"]) {
    const client = new Client(other.url, { token: text })
    await expect(client.get(7)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining("authorization"),
    })
    const held = { id: 7, token: text }
    await expect(new Client(other.url).release(held)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining("lease"),
    })
  }
  expect(other.asked).toEqual([])
})

describe("an answer that is no answer of the server", () => {
  const answers: Readonly<Record<string, () => Response>> = {
    "{}": () => json({}),
    "[]": () => json([]),
    '{"id":"7","status":"completed"}': () => json({ id: "7", status: "completed" }),
    '{"item":{},"directive":"continue"}': () => json({ item: {}, directive: "continue" }),
    "a page of a login": () => new Response("<h1>Log in to the Wi-Fi</h1>"),
    nothing: () => new Response(""),
  }
  test.each(Object.keys(answers))("%s passes for none", async (name) => {
    await using other = impostor(() => answers[name]?.() ?? new Response())
    for (const request of NAMES) {
      // An empty answer to a claim says that there is nothing to do.
      if (name === "nothing" && request === "claim") continue
      const error = await failure(request, other.url)
      expect([request, error]).toEqual([request, expect.any(ServerError)])
      expect(error).toMatchObject({
        status: 0,
        code: "",
        message: notOurs(other.url),
        isPassing: false,
      })
    }
  })

  test("a wrong type of any key that is used is noticed", async () => {
    const item = await recordedItem()
    let wrong = ""
    await using other = impostor(() =>
      json({ ...item, [wrong]: wrong === "metadata" ? "this" : { not: "this" } }),
    )
    for (wrong of Object.keys(ReadItem.properties))
      expect([wrong, await failure("get", other.url)]).toEqual([wrong, expect.any(ServerError)])
  })

  test("a key that is missing is noticed, but for those that an older server does not know", async () => {
    const item = await recordedItem()
    let missing = ""
    await using other = impostor(() => json({ ...item, [missing]: undefined }))
    const client = new Client(other.url)
    for (missing of Object.keys(item))
      await expect(client.get(7)).rejects.toThrow("is not a Track Studio server that this client knows")
    missing = ""
    expect(await client.get(7)).toMatchObject({ id: 7, kind: "" })
  })

  test("another item than the one that was asked for is noticed", async () => {
    const item = { ...(await recordedItem()), id: 8 }
    const lease = { token: "t", expires_at: "2026-11-26T07:00:00Z", renew_every: 20 }
    await using other = impostor(({ url }) =>
      json(/claim$|(progress|heartbeat|complete|fail|release|steps|next)\b/.test(url) ? answerOf() : item),
    )
    const answerOf = () => ({ item, lease, directive: "continue", step: null })
    const about = ["update", "get", "take", "move", "cancel", "retry", "finished"]
    const working = ["report", "declareSteps", "beginStep", "heartbeat", "complete", "fail", "release"]
    for (const request of [...about, ...working])
      expect([request, await failure(request, other.url)]).toEqual([request, expect.any(ServerError)])
  })

  test("a number that JSON can express but no program can hold is noticed", async () => {
    const text = JSON.stringify(await recordedItem()).replace('"priority":0', '"priority":1e999')
    await using other = impostor(() => new Response(text))
    expect(await failure("get", other.url)).toBeInstanceOf(ServerError)
  })

  test("a time that cannot be read is noticed", async () => {
    const item = await recordedItem()
    let wrong = ""
    await using other = impostor(() => json({ ...item, [wrong]: "soon" }))
    const times = Object.keys(ReadItem.properties).filter((key) => /_(at|since)$/.test(key))
    expect(times).toContain("completed_at")
    for (wrong of times)
      expect([wrong, await failure("get", other.url)]).toEqual([wrong, expect.any(ServerError)])
  })

  test("a page that leads to itself is noticed, because its reader would never come to an end", async () => {
    const item = await recordedItem()
    const page = { queue: [item], next: "2.0.1.1" }
    let answer: object = page
    await using other = impostor(() => json(answer))
    const client = new Client(other.url)
    expect(await client.list({})).toMatchObject({ next: page.next })
    await expect(client.list({ after: page.next })).rejects.toThrow(notOurs(other.url))
    answer = { ...page, queue: [] }
    await expect(client.list({})).rejects.toThrow(notOurs(other.url))
  })

  test("a lease that no later request could name is noticed", async () => {
    const item = await recordedItem()
    let token = ""
    const lease = { expires_at: "2026-11-26T07:00:00Z", renew_every: 20 }
    await using other = impostor(() => json({ item, lease: { ...lease, token } }))
    for (token of ["", "a\nb", "schl\u00fcssel", "t".repeat(129)])
      expect([token, await failure("claim", other.url)]).toEqual([token, expect.any(ServerError)])
    token = crypto.randomUUID()
    expect(await new Client(other.url).claim({ worker: "w" })).toMatchObject({ lease: { token } })
  })

  test("keys and values that this client does not know yet pass", async () => {
    await using server = await start()
    const { id } = HELD
    const added = await server.item(await server.add())
    const item = { ...added, id, status: "paused", outcome: "skipped", priority_class: "gold" }
    await using newer = impostor(({ url }) =>
      url.endsWith("/progress") ? json({ directive: "drain", item, since: 4 }) : json(item),
    )
    const client = new Client(newer.url)
    const got: object = await client.get(id)
    expect(got).toMatchObject({ status: "paused", outcome: "skipped", priority_class: "gold" })
    const answer: object = await client.report(HELD, {})
    expect(answer).toMatchObject({ directive: "drain", since: 4 })
  })
})

describe("a redirect", () => {
  test.each(NAMES)("of %s is not followed, and is named in the error", async (name) => {
    await using target = impostor(() => json({}))
    for (const status of [301, 302, 303, 307, 308]) {
      await using other = impostor(
        () => new Response(null, { status, headers: { location: `${target.url}/elsewhere` } }),
      )
      expect(await failure(name, other.url)).toMatchObject({
        status,
        message: `${other.url} redirects to ${target.url}/elsewhere, which is not followed; give the server's own address`,
        isPassing: false,
      })
    }
    // No lease token was sent there.
    expect(target.asked).toEqual([])
  })

  test("of a stream that has begun does not end it, nor does anything else that a proxy answers", async () => {
    const live = 'event: live\ndata: {"last_event_id":1,"history":"h"}\nretry: 1\n\n'
    const answers = [
      () => new Response(live, { headers: { "content-type": "text/event-stream" } }),
      () => new Response(null, { status: 302, headers: { location: "/login" } }),
      () => new Response("404 page not found", { status: 404 }),
      () => new Response("<h1>Back soon</h1>", { headers: { "content-type": "text/html" } }),
      () => new Response(live, { headers: { "content-type": "text/event-stream" } }),
      () => Response.json({ error: "gone", code: "gone", request_id: "r" }, { status: 410 }),
    ]
    await using other = impostor(() => answers.shift()?.() ?? new Response(null, { status: 204 }))
    const types: string[] = []
    const watched = (async () => {
      for await (const each of new Client(other.url).watch()) types.push(each.type)
    })()
    await expect(watched).rejects.toThrow("gone")
    expect(types).toEqual(["control", "offline", "offline", "offline", "offline", "control", "offline"])
  })

  test("to an invalid address is reported with that address, too", async () => {
    await using other = impostor(
      () => new Response(null, { status: 302, headers: { location: "http://[no address" } }),
    )
    expect(await failure("get", other.url)).toMatchObject({
      status: 302,
      message: `${other.url} redirects to http://[no address, which is not followed; give the server's own address`,
    })
  })

  test("of a stream ends it with the same words", async () => {
    await using other = impostor(() => new Response(null, { status: 302, headers: { location: "/login" } }))
    const first = await new Client(other.url)
      .watch()
      .next()
      .catch((error: unknown) => error)
    expect(first).toMatchObject({
      status: 302,
      message: `${other.url} redirects to ${other.url}/login, which is not followed; give the server's own address`,
    })
  })
})

describe("an answer without an end", () => {
  test("is given up at 64 MB", async () => {
    await using other = impostor(() => endless(" "))
    expect(await failure("list", other.url)).toMatchObject({
      message: `the answer from ${other.url} is larger than 64 MB`,
    })
  })

  test("that refuses is read only up to the length of a server's error", async () => {
    await using other = impostor(() => endless("no", { status: 500 }))
    expect(await failure("get", other.url)).toMatchObject({ status: 500, message: "the server answered 500" })
  })
})

describe("a refusal", () => {
  test("is reported in the server's words", async () => {
    const envelope = { error: "use --allowed-host box.lan", code: "misdirected", request_id: "r1" }
    for (const status of [403, 421]) {
      await using other = impostor(() => Response.json(envelope, { status }))
      expect(await failure("get", other.url)).toMatchObject({
        status,
        message: "use --allowed-host box.lan",
        code: "misdirected",
        requestId: "r1",
        isPassing: false,
      })
    }
  })

  test("of another program, with its own message, is not regarded as the server's", async () => {
    const body = { error: "Not Found", code: "not_found", directive: "cancel" }
    await using other = impostor(() => Response.json(body, { status: 404 }))
    expect(await failure("get", other.url)).toMatchObject({
      message: "the server answered 404: Not Found",
      code: "",
      directive: "continue",
    })
  })

  test("of a proxy is reported clearly as well", async () => {
    let status = 403
    await using other = impostor(() => new Response("<h1>no</h1>", { status }))
    expect(await failure("get", other.url)).toMatchObject({
      message: "the server answered 403: it does not allow this client",
    })
    status = 421
    expect(await failure("get", other.url)).toMatchObject({
      message: "the server answered 421: it does not serve this host name",
    })
  })

  test.each([
    ["12", 12_000],
    ["0", 0],
    ["Wed, 25 Nov 2026 12:00:30 GMT", 30_000],
    ["Wed, 25 Nov 2026 11:59:00 GMT", 0],
    ["soon", 0],
    ["-5", 0],
  ])("whose Retry-After is %p asks for a wait of %d ms, by its own clock", async (said, waitMs) => {
    const headers = { "retry-after": said, date: "Wed, 25 Nov 2026 12:00:00 GMT" }
    await using other = impostor(() => new Response("", { status: 503, headers }))
    expect(await failure("get", other.url)).toMatchObject({ status: 503, retryAfterMs: waitMs })
  })
})

describe("an abort", () => {
  let server: TestServer
  beforeAll(async () => {
    server = await start()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  test.each(NAMES)("ends %s at once, with the signal's reason", async (name) => {
    const asked = Promise.withResolvers<void>()
    await using other = impostor(async () => {
      asked.resolve()
      return await new Promise<Response>(() => undefined)
    })
    const stop = new AbortController()
    const reason = new Error("no longer wanted")
    const failed = failure(name, other.url, stop.signal)
    await asked.promise
    stop.abort(reason)
    expect(await failed).toBe(reason)
    // If the signal has aborted before, no request is sent.
    expect(await failure(name, server.url, AbortSignal.abort(reason))).toBe(reason)
  })
})
