import { describe, expect, test } from "bun:test"

import { cachesOn } from "../../src/doctor/caches.ts"
import { heldOf } from "../../src/doctor/held-answers.ts"
import { accountOf, foreignHost, originsOf, queriesOf, refusalsOf } from "../../src/doctor/requests.ts"
import type { Answer, Patient } from "../../src/doctor/send-request.ts"
import { arrivalOf, idlenessOf } from "../../src/doctor/streams.ts"
import { uploadsOf } from "../../src/doctor/uploads.ts"
import { wholeBodiesOf } from "../../src/doctor/whole-bodies.ts"
import { found, NOW_MS, refused } from "./answering.ts"

describe("the clock of a server", () => {
  const clockOf = async (timestamp: unknown) =>
    (await found(() => Response.json({ timestamp }), accountOf)).findings.at(-1)
  const shown = (offS: number): string => new Date(NOW_MS + offS * 1000).toISOString()

  test("that differs is said to be ahead or behind, and by how much", async () => {
    expect(await clockOf(shown(3600))).toMatchObject({
      fault: "clock_off",
      says: "the server's is 3600 s ahead of this machine's",
    })
    expect((await clockOf(shown(-3600)))?.says).toBe("the server's is 3600 s behind this machine's")
    expect((await clockOf(shown(8)))?.says).toBe("the server's is 8 s ahead of this machine's")
    expect(await clockOf(shown(0))).toMatchObject({ verdict: "good" })
  })

  test("is not blamed for the time that its answer took", async () => {
    const slow = async (): Promise<Response> => {
      await Bun.sleep(300)
      return Response.json({ timestamp: shown(-4.7) })
    }
    expect((await found(slow, accountOf)).findings.at(-1)).toMatchObject({ verdict: "good" })
  })

  test("that is not shown is unknown", async () => {
    expect(await clockOf(undefined)).toMatchObject({ about: "clock", verdict: "unknown" })
  })
})

test.each([429, 503])(
  "a stream that another program refuses with %d counts as limited by a proxy",
  async (status) => {
    expect(await found(() => new Response("", { status }), arrivalOf)).toMatchObject([{ fault: "limited" }])
  },
)

test("an error without a code counts as one of another program, whatever it says", async () => {
  const other = () => Response.json({ error: "slow down" }, { status: 429 })
  expect(await found(other, arrivalOf)).toMatchObject([{ fault: "limited" }])
})

test("a stream that is answered with another page was not sent by the server", async () => {
  expect(await found(() => new Response("", { status: 404 }), arrivalOf)).toMatchObject([
    { fault: "not_ours" },
  ])
})

describe("a stream on which nothing comes", () => {
  const idle = (text: string, end: Answer["end"], lastMs: number): Promise<Answer> =>
    Promise.resolve({ status: 200, headers: {}, text, headMs: 5000, lastMs, end, reason: "" })
  const verdictOf = async (text: string, end: Answer["end"], idleMs = 26_000) => {
    const settings = { url: new URL("http://127.0.0.1"), token: undefined, patienceMs: 1, now: Date.now }
    return idlenessOf({ ...settings, idleMs }, idle(text, end, idleMs))
  }
  const LIVE = "event: live\n\n"

  test("is cut if it ends, but not if the server was stopped", async () => {
    expect(await verdictOf(LIVE, "whole")).toMatchObject({ fault: "cut" })
    expect(await verdictOf(`${LIVE}event: shutdown\n\n`, "whole")).toMatchObject({ verdict: "unknown" })
  })

  test("is good with a keepalive, and without one it is lost", async () => {
    expect(await verdictOf(`${LIVE}: keepalive\n\n`, "late")).toMatchObject({ verdict: "good" })
    expect(await verdictOf(LIVE, "late")).toMatchObject({ fault: "keepalive_lost" })
  })

  test("is not judged before a busy server has sent its first keepalive, counted from its first byte", async () => {
    for (const idleMs of [24_000, 25_000])
      expect(await verdictOf(LIVE, "late", idleMs)).toMatchObject({ verdict: "unknown" })
  })
})

describe("an answer that waits until an item is finished", () => {
  const heldWith = (waited: () => Response) =>
    found(
      (path) => (path === "/queue" ? Response.json({ queue: [{ id: 7, completed_at: null }] }) : waited()),
      heldOf,
    )

  test("before the item is finished proves nothing: the server is about to stop", async () => {
    expect(await heldWith(() => Response.json({ id: 7, completed_at: null }))).toMatchObject({
      verdict: "unknown",
    })
  })

  test("is not requested if the list of items does not come, and the reason is shown", async () => {
    expect(await found(() => new Response("", { status: 503 }), heldOf)).toMatchObject({
      verdict: "unknown",
      says: "no list of items came: the answer is 503",
    })
  })

  test("of a finished item is good, and another page was not sent by the server", async () => {
    expect(await heldWith(() => Response.json({ id: 7, completed_at: "2026-05-12" }))).toMatchObject({
      verdict: "good",
    })
    expect(await heldWith(() => new Response("", { status: 504 }))).toMatchObject({ fault: "answer_cut" })
  })
})

describe("what an answer shows of the way to the server", () => {
  test("another host name is refused by all but an open server", async () => {
    expect(await found(() => Response.json({ service: "track-studio" }), foreignHost)).toMatchObject({
      fault: "host_open",
    })
    expect(await found(() => refused("misdirected", 421), foreignHost)).toMatchObject({ verdict: "good" })
  })

  test("the time of an answer that was kept stands still", async () => {
    expect(await found(() => Response.json({ timestamp: "kept" }), cachesOn)).toMatchObject({
      fault: "cached",
    })
    let asked = 0
    const timed = () =>
      Response.json({ timestamp: String((asked += 1)) }, { headers: { "cache-control": "no-store" } })
    expect(await found(timed, cachesOn)).toMatchObject({ verdict: "good" })
  })

  test("a limit that lets no list through says nothing of caches", async () => {
    const limited = (path: string) =>
      path === "/progress/stats" ? fresh(path) : new Response("", { status: 429 })
    expect(await found(limited, cachesOn)).toMatchObject({
      verdict: "unknown",
      says: "the answer is 429",
    })
  })

  const fresh = (path: string): Response => {
    const headers = { "cache-control": "no-store" }
    if (path === "/progress/stats") return Response.json({ timestamp: crypto.randomUUID() }, { headers })
    return Response.json({ queue: [{ id: 7 }] }, { headers })
  }
  const protectedBut =
    (kept: string) =>
    (path: string, { headers, url }: Request): Response =>
      headers.has("authorization") || (path === kept && !url.includes("q="))
        ? fresh(path)
        : refused("unauthorized", 401)
  const named = (patient: Patient) => cachesOn({ ...patient, token: "tsk_one" })

  test.each(["/queue", "/queue/7"])("a cache on %s alone gives its answer to strangers", async (path) => {
    const finding = await found(protectedBut(path), named)
    expect(finding.fault).toBe("cached")
    expect(finding.says).toMatch(new RegExp(`answer to ${path}.* to strangers, whom the server refuses`))
  })

  test("a server that everybody may read, or that lets in nobody without a token, has no cache", async () => {
    expect(await found(protectedBut(""), named)).toMatchObject({ verdict: "good" })
    expect(await found(fresh, named)).toMatchObject({ verdict: "good" })
    // A server that everybody may read may be busy for a moment.
    const busyOnce = (path: string, { url }: Request) =>
      url.includes("q=") ? refused("too_many_requests", 429) : fresh(path)
    expect(await found(busyOnce, named)).toMatchObject({ verdict: "good" })
  })

  test("a refusal that was given before was kept, and an answer without no-store may be", async () => {
    const kept = (path: string) =>
      path === "/queue/7" ? Response.json({ request_id: "the same" }, { status: 404 }) : fresh(path)
    expect(await found(kept, cachesOn)).toMatchObject({ fault: "cached" })
    const keptFor = (control: string) => (path: string) =>
      path === "/queue/7" ? Response.json({ id: 7 }, { headers: { "cache-control": control } }) : fresh(path)
    expect(await found(keptFor("max-age=3600"), cachesOn)).toMatchObject({
      fault: "headers_stripped",
      says: expect.stringContaining("/queue/7"),
    })
    // nginx sends this for "expires -1;".
    expect(await found(keptFor("no-cache"), cachesOn)).toMatchObject({ verdict: "good" })
  })

  test.each([
    ["POST", "/queue/9007199254740991/cancel", 404],
    ["GET", "/queue/9007199254740991", 404],
    ["GET", "/queue/doctor", 422],
    ["POST", "/health", 405],
    ["PUT", "/queue/9007199254740991", 415],
    ["POST", "/queue/9007199254740991/heartbeat", 409],
    ["POST", "/queue", 415],
    ["POST", "/queue/claim", 415],
    ["POST", "/queue/9007199254740991/fail", 401],
    ["POST", "/queue/9007199254740991/release", 403],
  ])("a page of a proxy in place of the refusal of %s %s is found", async (method, at, status) => {
    const replaced = (path: string, request: Request) =>
      path === at && request.method === method ? new Response("", { status }) : refused("invalid", 422)
    expect(await found(replaced, refusalsOf)).toMatchObject({
      fault: "answers_replaced",
      says: `${method} ${at.replace("9007199254740991", "ID")}: the answer is ${status}, not from the server`,
    })
    expect(await found(() => refused("invalid", 422), refusalsOf)).toMatchObject({ verdict: "good" })
  })

  test("a refusal with the status of another one is found, and one of a newer server is right", async () => {
    expect(await found(() => refused("not_found", 422), refusalsOf)).toMatchObject({
      fault: "answers_replaced",
    })
    expect(await found(() => refused("too_new", 418), refusalsOf)).toMatchObject({ verdict: "good" })
  })

  test("a body that another program answers does not reach the server", async () => {
    const [pieces, size] = await found(() => new Response("", { status: 404 }), uploadsOf)
    expect([pieces?.fault, size?.verdict]).toEqual(["answers_replaced", "unknown"])
  })

  test.each(["heartbeat", "progress"])("a limit on /%s alone is found", async (report) => {
    let asked = 0
    const limited = (path: string) =>
      path.endsWith(`/${report}`) && (asked += 1) > 3
        ? new Response("", { status: 503 })
        : refused("invalid", 422)
    expect(await found(limited, refusalsOf)).toMatchObject({ fault: "limited" })
  })

  test("a refusal of a foreign page that was replaced by another one is no open server", async () => {
    const replaced = (_path: string, { headers }: Request) =>
      headers.get("origin")?.includes("doctor") ? refused("not_found", 403) : refused("not_found", 404)
    expect(await found(replaced, originsOf)).toMatchObject([{ fault: "answers_replaced" }])
  })

  test.each<[string, (headers: Headers) => boolean]>([
    ["without an origin", (headers) => !headers.has("origin")],
    ["of its own page", (headers) => headers.has("origin") && !headers.has("sec-fetch-site")],
    ["that a browser calls its own", (headers) => headers.has("sec-fetch-site")],
  ])("a refusal of a change %s that was replaced is found", async (_, isReplaced) => {
    const replaced = (_path: string, { headers }: Request) =>
      isReplaced(headers) && !headers.get("origin")?.includes("doctor")
        ? refused("not_found", 403)
        : refused("not_found", 404)
    expect(await found(replaced, originsOf)).toMatchObject([{ fault: "answers_replaced" }])
  })

  test("a request with a body that is answered late, never, or without its body is a fault, and a limit is not", async () => {
    const whole = (answer: () => Response | Promise<Response>) =>
      found(answer, (patient) => wholeBodiesOf({ ...patient, patienceMs: 600 }))
    const late = (status: number) => Bun.sleep(1050).then(() => new Response("", { status }))
    expect(await whole(() => late(503))).toMatchObject({ fault: "body_lost" })
    expect(await whole(() => new Promise<Response>(() => undefined))).toMatchObject({ fault: "body_lost" })
    expect(await whole(() => refused("malformed_json", 400))).toMatchObject({ fault: "body_lost" })
    expect(await whole(() => new Response("", { status: 503 }))).toMatchObject({ verdict: "unknown" })
    expect(await whole(() => refused("invalid", 422))).toMatchObject({ verdict: "good" })
  })

  test("a body that pauses and is answered with 408, as Apache does, is cut", async () => {
    const [pieces] = await found(() => new Response("", { status: 408 }), uploadsOf)
    expect(pieces).toMatchObject({ fault: "body_cut" })
  })

  test("a query that arrives is refused, one that is lost is not", async () => {
    expect(await found(() => refused("invalid", 400), queriesOf)).toMatchObject({ verdict: "good" })
    expect(await found(() => Response.json({}), queriesOf)).toMatchObject({ fault: "query_lost" })
    expect(await found(() => new Response("", { status: 502 }), queriesOf)).toMatchObject({
      verdict: "unknown",
    })
  })

  test("a body that is too large for the proxy is refused by it", async () => {
    const [, limited] = await found(() => new Response("", { status: 413 }), uploadsOf)
    expect(limited).toMatchObject({ fault: "body_limited" })
    const taken = await found(() => refused("not_found", 404), uploadsOf)
    expect(taken).toMatchObject([{ verdict: "good" }, { verdict: "good" }])
  })

  test("a body that is answered only after its end counts as held back on the way", async () => {
    const silent = async (patient: Patient) => uploadsOf({ ...patient, patienceMs: 100 })
    const never = () => new Promise<Response>(() => undefined)
    const [pieces, size] = await found(never, silent)
    expect([pieces?.fault, size?.verdict]).toEqual(["body_buffered", "unknown"])
  })

  test("a body that arrives is not held back if only its answer waits for its end, as with Varnish", async () => {
    let streams = 0
    const before = (isHolding: boolean) => (path: string, request: Request) => {
      if (path === "/progress/stats") return Response.json({ streams: { item: streams } })
      if (request.method === "GET" && !isHolding) streams += 1
      return new Promise<Response>(() => undefined)
    }
    const hasty = async (patient: Patient) => uploadsOf({ ...patient, patienceMs: 300 })
    expect((await found(before(false), hasty))[0]).toMatchObject({ about: "ingest", verdict: "good" })
    expect((await found(before(true), hasty))[0]).toMatchObject({ fault: "body_buffered" })
  })

  test("of two bodies at once a limit lets one through", async () => {
    let asked = 0
    const limited = () => ((asked += 1) === 1 ? refused("not_found", 404) : new Response("", { status: 429 }))
    expect(await found(limited, uploadsOf)).toMatchObject([{ about: "ingest", fault: "limited" }])
  })

  test("a list is given for another query, or health for statistics, by a cache", async () => {
    const lists = (path: string) => (path === "/queue" ? fresh(path) : refused("invalid", 422))
    expect(await found(lists, queriesOf)).toMatchObject({ fault: "query_lost" })
    const health = () => Response.json({ service: "track-studio-orchestrator" })
    expect(await found(health, accountOf)).toMatchObject({ isIn: false, findings: [{ fault: "cached" }] })
  })

  test("a header that is sent twice is refused by browsers", async () => {
    const stream = (origin: string): Response =>
      new Response("event: live\n\n", {
        headers: {
          "content-type": "text/event-stream",
          "cache-control": "no-transform",
          "x-content-type-options": "nosniff",
          "access-control-allow-origin": origin,
          vary: "*",
        },
      })
    const twice = await found(() => stream("https://a.example, *"), arrivalOf)
    expect(twice.map(({ fault }) => fault)).toEqual([undefined, "cors_doubled", undefined])
    const once = await found(() => stream("*"), arrivalOf)
    expect(once.map(({ verdict }) => verdict)).toEqual(["good", "good"])
  })
})

test("whether other host names are refused is asked by an address that no cache on the way knows", async () => {
  const asked = new Set<string>()
  const noted = (_path: string, { url }: Request): Response => {
    asked.add(new URL(url).search)
    return refused("misdirected", 421)
  }
  for (let time = 0; time < 2; time += 1) await found(noted, foreignHost)
  expect(asked.size).toBe(2)
})
