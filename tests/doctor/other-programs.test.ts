import { describe, expect, test } from "bun:test"

import { arrivalAt } from "../../src/doctor/answering-server.ts"
import { cachesOn } from "../../src/doctor/caches.ts"
import { examined } from "../../src/doctor/doctor.ts"
import { heldOf } from "../../src/doctor/held-answers.ts"
import { pageFinding } from "../../src/doctor/page.ts"
import { requestHeadersOf } from "../../src/doctor/request-headers.ts"
import { accountOf, originsOf, refusalsOf } from "../../src/doctor/requests.ts"
import { hostOf, type Patient, saidIn, sendRequest } from "../../src/doctor/send-request.ts"
import { arrivalOf, compressionOf, idlenessOf, resumptionOf } from "../../src/doctor/streams.ts"
import { pausesOf, uploadsOf } from "../../src/doctor/uploads.ts"
import { socketOf } from "../../src/doctor/websockets.ts"
import { busy } from "../../src/http/busy-event-source.ts"
import { found, refused } from "./answering.ts"

const page = (status = 200, body = "<p>hello</p>"): Response =>
  new Response(body, { status, headers: { "content-type": "text/html" } })
const silent = (): Promise<Response> => new Promise<Response>(() => undefined)
const soon =
  <T>(find: (patient: Patient) => Promise<T>) =>
  (patient: Patient): Promise<T> =>
    find({ ...patient, patienceMs: 50, idleMs: 200 })

test("an IPv6 address is connected to without its brackets", () => {
  expect(hostOf(new URL("http://[::1]:80"))).toBe("::1")
})

test("an answer is read no longer than it may take, and any JSON in it is an object", async () => {
  const answer = await found(silent, (patient) => sendRequest(patient, { path: "/queue", mostMs: 50 }))
  expect(answer).toMatchObject({ status: 0, end: "late" })
  expect(Object.keys(saidIn({ ...answer, text: "null" }))).toEqual([])
})

test("a token that would be sent in the clear to another machine is worth a note, before anything is sent", async () => {
  const first = async (at: string) => {
    const settings = { token: "tsk_one", patienceMs: 50, idleMs: 0, now: Date.now }
    for await (const finding of examined({ url: new URL(at), ...settings })) return finding
    return undefined
  }
  expect(await first("http://192.0.2.1")).toMatchObject({ about: "encryption", verdict: "note" })
  expect(await first("http://127.0.0.1:1")).toMatchObject({ fault: "unreachable" })
})

test("who answers in place of the server is said, and whether a proxy is in between", async () => {
  const ours = (headers = {}) => Response.json({ service: "track-studio-orchestrator" }, { headers })
  expect(await found(() => ours({ via: "1.1 squid" }), arrivalAt)).toMatchObject({ isProxied: true })
  expect(await found(() => ours(), arrivalAt)).toMatchObject({ isReached: true, isProxied: false })
  const finding = async (answer: () => Response) => (await found(answer, arrivalAt)).finding
  expect(await finding(() => page(403))).toMatchObject({ fault: "kept_out" })
  expect(await finding(() => refused("misdirected", 421))).toMatchObject({ fault: "host_refused" })
})

test("a host name that the server refuses is the proxy's fault if nobody asked for it", async () => {
  const finding = async (name: string) => {
    const says = `this server does not answer to the host name "${name}"; if it is its name, start it with`
    return (await found(() => refused("misdirected", 421, says), arrivalAt)).finding
  }
  expect(await finding("studio.example")).toMatchObject({
    fault: "host_changed",
    says: expect.stringContaining("asked for studio.example, and not for 127.0.0.1"),
  })
  expect(await finding("127.0.0.1")).toMatchObject({ fault: "host_refused" })
})

test("a token that is missing on arrival was lost, and another refusal is the server's own", async () => {
  const account = async (answer: Response) =>
    (
      await found(
        () => answer,
        (patient) => accountOf({ ...patient, token: "tsk_one" }),
      )
    ).findings[0]
  expect(await account(refused("unauthorized", 401, "this needs a token"))).toMatchObject({
    fault: "token_lost",
  })
  expect(await account(refused("unauthorized", 401, "it was revoked"))).toMatchObject({ fault: "not_let_in" })
  expect(await account(refused("too_many_requests", 429))).toMatchObject({ fault: "not_let_in" })
})

test("a server that refuses every change alike does not see where a change comes from", async () => {
  expect(await found(() => refused("forbidden", 403), originsOf)).toMatchObject([
    { about: "its own page", verdict: "good" },
    { fault: "origin_open" },
  ])
})

test("what is not answered cannot be checked", async () => {
  expect(await found(silent, soon(refusalsOf))).toMatchObject({
    verdict: "unknown",
    says: "POST /queue/ID/cancel: there is no answer",
  })
  expect(await found(silent, soon(compressionOf))).toMatchObject({ verdict: "unknown" })
  const nobody = { url: new URL("http://127.0.0.1:1"), token: undefined, patienceMs: 5000, idleMs: 0 }
  expect((await uploadsOf({ ...nobody, now: Date.now }))[0]).toMatchObject({ verdict: "unknown" })
})

test("a refusal of the proxy that comes only with a body is a limit on bodies, whatever its status", async () => {
  const limited = async (path: string, request: Request) => {
    if ((await request.text()).length > 1000) return page(502)
    if (path === "/queue/doctor") return refused("invalid", 422)
    return refused("not_found", 404)
  }
  expect(await found(limited, refusalsOf)).toMatchObject({
    fault: "body_limited",
    says: "POST /queue: the answer is 502: a body of 64 kB is refused on its way",
  })
})

test("a body that a proxy's limit keeps away says nothing of bodies", async () => {
  expect((await found(() => page(429), uploadsOf))[0]).toMatchObject({ verdict: "unknown" })
})

test("a WebSocket that a proxy's limit refuses is limited", async () => {
  expect(await found(() => page(429), socketOf)).toMatchObject({ fault: "limited" })
  // It is not waited for until all patience is over.
}, 15_000)

test("a WebSocket says which program opens it, as proxies refuse those that do not", async () => {
  const agents: (string | null)[] = []
  const noted = (_path: string, { headers }: Request) => {
    agents.push(headers.get("user-agent"))
    return page(429)
  }
  await found(noted, socketOf)
  expect(agents).toEqual(["track-studio doctor", "track-studio doctor"])
}, 15_000)

describe("of a stream", () => {
  const stream = (text: string): Response =>
    new Response(text, { headers: { "content-type": "text/event-stream" } })

  test("that stays open, the beginning is enough", async () => {
    const open = () =>
      new Response(new ReadableStream({ start: (to) => to.enqueue("event: live\n\n") }), {
        headers: { "content-type": "text/event-stream" },
      })
    const soon = (patient: Patient) => arrivalOf({ ...patient, patienceMs: 10_000 })
    const [begins] = await found(open, soon)
    expect(begins).toMatchObject({ about: "streams", verdict: "good" })
    // Without that it would be read for as long as an answer may take.
    expect(Number(/begin after (\d+) ms/.exec(begins?.says ?? "")?.[1])).toBeLessThan(10_000)
  }, 60_000)

  test("a page in its place shows nothing of resuming or idleness", async () => {
    expect(await found(() => page(), resumptionOf)).toMatchObject({ verdict: "unknown" })
    const idle = (patient: Patient) => idlenessOf(patient, sendRequest(patient, { path: "/" }))
    expect(await found(() => page(), idle)).toMatchObject({ verdict: "unknown" })
  })

  test("of a busy server the reason is shown, and of one that is held back how much came", async () => {
    const full = () => busy("too many streams", 1000)
    expect(await found(full, arrivalOf)).toMatchObject([{ verdict: "unknown", says: "too many streams" }])
    const pauses = (patient: Patient) => pausesOf(patient, sendRequest(patient, { path: "/idle" }))
    const waiting = (_path: string, { method }: Request) => (method === "POST" ? page(500) : full())
    expect(await found(waiting, pauses)).toMatchObject({ says: "the request got no stream" })
    const says = expect.stringMatching(/^only part/)
    expect(await found(() => stream(": hello\n\n"), arrivalOf)).toMatchObject([{ fault: "buffered", says }])
    const none = expect.stringMatching(/^no part/)
    expect(await found(silent, soon(arrivalOf))).toMatchObject([{ fault: "buffered", says: none }])
  })

  test("one that ends because the server was stopped shows nothing of bodies that pause", async () => {
    const paused = (get: () => Response) =>
      found(
        (_path, { method }) => (method === "POST" ? page(500) : get()),
        (patient) => pausesOf(patient, sendRequest(patient, { path: "/idle" })),
      )
    const stopped = () => stream("event: live\n\nevent: shutdown\n\n")
    expect(await paused(stopped)).toMatchObject({ says: "the server was stopped meanwhile" })
    expect(await paused(() => page(404))).toMatchObject({ verdict: "unknown", says: "the answer is 404" })
  })
})

test("a page is broken without its files or behind a failure, and unknown behind a limit", async () => {
  expect(await found(() => page(500), pageFinding)).toMatchObject({ fault: "page_broken" })
  expect(await found(() => page(503), pageFinding)).toMatchObject({ verdict: "unknown" })
  expect(await found(silent, soon(pageFinding))).toMatchObject({ fault: "page_broken" })
  const all = () => page(200, '<title>Track Studio</title><script src="./assets/page.js"></script>')
  expect(await found(all, pageFinding)).toMatchObject({
    fault: "page_broken",
    says: expect.stringContaining("another page"),
  })
})

test("a server that gets too many requests has no fault for that", async () => {
  const limited = () => refused("too_many_requests", 429, "too many requests")
  const expected = { verdict: "unknown", says: expect.stringMatching(/too many requests|429/) }
  expect(await found(limited, pageFinding)).toMatchObject(expected)
  expect(await found(limited, originsOf)).toMatchObject([expected])
  expect(await found(limited, socketOf)).toMatchObject(expected)
  const text = '<title>Track Studio</title><script src="./assets/page.js"></script>'
  const forFiles = (_path: string, { url }: Request) =>
    url.includes("/assets/") ? limited() : page(200, text)
  expect(await found(forFiles, pageFinding)).toMatchObject(expected)
})

test("a server that does not show the headers of a request leaves open which of them arrive", async () => {
  expect(await found(() => Response.json({}), requestHeadersOf)).toMatchObject({ verdict: "unknown" })
})

test("an item that is finished, or that may not be read, shows nothing of held answers", async () => {
  const held = (completed_at: string | null, then: Response) =>
    found((path) => (path === "/queue" ? Response.json({ queue: [{ id: 7, completed_at }] }) : then), heldOf)
  const says = expect.stringContaining("no item is unfinished")
  expect(await held("2026-05-12", page(504))).toMatchObject({ verdict: "unknown", says })
  expect(await held(null, refused("unavailable", 503))).toMatchObject({ verdict: "unknown", says: "no" })
  expect((await held(null, page(504))).says).toContain("answered with 504")
})

test("a list that may not be read, and an item that does not exist, show whether answers are kept", async () => {
  const asked: string[] = []
  const answer = (queue: Response) => (path: string) => {
    asked.push(path)
    if (path === "/progress/stats") return Response.json({ timestamp: crypto.randomUUID() }, { headers })
    return path === "/queue" ? queue.clone() : refused("not_found", 404)
  }
  const headers = { "cache-control": "no-store" }
  expect(await found(answer(refused("forbidden", 403)), cachesOn)).toMatchObject({ verdict: "unknown" })
  expect(await found(answer(Response.json({ queue: [] }, { headers })), cachesOn)).toMatchObject({
    verdict: "good",
  })
  expect(asked.at(-1)).toBe("/queue/9007199254740991")
})
