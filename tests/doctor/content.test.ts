import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"

import { answerHeadersOf } from "../../src/doctor/answer-headers.ts"
import { replacedRefusalsOf, unavailableOf } from "../../src/doctor/replaced-refusals.ts"
import { rewritingOf } from "../../src/doctor/rewriting.ts"
import type { Patient } from "../../src/doctor/send-request.ts"
import { REFUSALS, REFUSALS_ON_DEMAND } from "../../src/errors.ts"
import { start } from "../server.ts"
import { found, refused } from "./answering.ts"

test("an answer has the digest of its content if the client asks for it, and only then", async () => {
  await using server = await start()
  await server.add({ song_id: "first", title: "Füße 🎬" })
  const list = `${server.url}/api/v1/queue`
  const asked = await fetch(list, { headers: { "want-content-digest": "sha-256=10" } })
  const digest = createHash("sha256")
    .update(await asked.text())
    .digest("base64")
  expect(asked.headers.get("content-digest")).toBe(`sha-256=:${digest}:`)
  expect((await fetch(list)).headers.has("content-digest")).toBe(false)
  // The preference 0 stands for a digest that is not acceptable.
  const unwanted = await fetch(list, { headers: { "want-content-digest": "sha-512=10, sha-256=0" } })
  expect(unwanted.headers.has("content-digest")).toBe(false)
})

describe("the content of answers", () => {
  test("is unknown if a server of an older version shows no digest", async () => {
    expect(await found(() => Response.json({ queue: [] }), rewritingOf)).toMatchObject({
      about: "content",
      verdict: "unknown",
    })
  })

  test("that is not what the server signed was changed, also if its length is right", async () => {
    const signed = (text: string) => () =>
      new Response(text, {
        headers: {
          "content-digest": `sha-256=:${createHash("sha256").update('{"queue":[]}').digest("base64")}:`,
        },
      })
    expect(await found(signed('{"queue":[]}'), rewritingOf)).toMatchObject({ verdict: "good" })
    expect(await found(signed('{"queue":{}}'), rewritingOf)).toMatchObject({ fault: "rewritten" })
  })

  test("was not changed if only a part of it came in time, of an answer or a stream", async () => {
    await using server = await start()
    await server.add()
    const { port } = new URL(server.url)
    const passing = (isCut: (path: string) => boolean) => async (path: string, request: Request) => {
      const url = Object.assign(new URL(request.url), { port })
      const { body, headers } = await fetch(url, { headers: request.headers })
      if (!isCut(path)) return new Response(body, { headers })
      const isStream = path.startsWith("/progress")
      let text = ""
      for await (const bytes of body ?? []) {
        text += Buffer.from(bytes).toString()
        if (/data: ./.test(text) || !isStream) break
      }
      const part = text.slice(0, isStream ? text.indexOf("data: ") + "data: {".length : 9)
      return new Response(new ReadableStream({ start: (to) => to.enqueue(part) }), { headers })
    }
    const soon = (patient: Patient) => rewritingOf({ ...patient, patienceMs: 1000 })
    const cutAnswer = await found(
      passing((path) => path === "/queue"),
      soon,
    )
    expect(cutAnswer).toMatchObject({ verdict: "unknown" })
    const cutStream = await found(
      passing((path) => path.startsWith("/progress/stream")),
      soon,
    )
    expect(cutStream.verdict).not.toBe("fault")
  })
})

describe("a refusal for now", () => {
  const health = () => Response.json({ service: "track-studio-orchestrator" })
  const later = () =>
    Response.json(
      { error: "no", code: "unavailable" },
      { status: 503, headers: { "retry-after": "1", "access-control-expose-headers": "retry-after" } },
    )

  test("after which nobody reaches the server any more takes it out", async () => {
    let isOut = false
    const passive = (path: string) => {
      if (isOut) return new Response("", { status: 502 })
      if (path === "/health") return health()
      isOut = true
      return later()
    }
    expect(await found(passive, unavailableOf)).toMatchObject({ fault: "taken_out" })
    const right = (path: string) => (path === "/health" ? health() : later())
    expect(await found(right, unavailableOf)).toMatchObject({ verdict: "good" })
  })

  test("is unknown if nobody answers afterwards", async () => {
    let isOut = false
    const silent = (path: string): Response | Promise<Response> => {
      if (isOut) return new Promise<Response>(() => undefined)
      if (path === "/health") return health()
      isOut = true
      return later()
    }
    const soon = (patient: Patient) => unavailableOf({ ...patient, patienceMs: 300 })
    expect(await found(silent, soon)).toMatchObject({ verdict: "unknown" })
  })

  test("is unknown behind a limit, and with a server of an older version", async () => {
    expect(await found(() => new Response("", { status: 503 }), unavailableOf)).toMatchObject({
      verdict: "unknown",
    })
    const older = (path: string) => (path === "/health" ? health() : refused("method_not_allowed", 405))
    expect(await found(older, unavailableOf)).toMatchObject({ verdict: "unknown" })
  })
})

describe("the headers of refusals", () => {
  const whole = {
    "retry-after": "1",
    "access-control-expose-headers": "retry-after",
    "www-authenticate": "Bearer",
  }
  const refusing =
    (headers: Readonly<Record<string, string>>) =>
    (path: string): Response => {
      const code = REFUSALS_ON_DEMAND.find((each) => path === `/refusals/${each}`)
      const status = code === undefined ? 404 : REFUSALS[code].status
      return Response.json({ error: "no", code: code ?? "not_found" }, { status, headers })
    }

  test("are right if all of them arrive", async () => {
    expect(await found(refusing(whole), replacedRefusalsOf)).toMatchObject({ verdict: "good" })
  })

  test.each(Object.keys(whole))("are stripped without %s", async (name) => {
    const { [name]: _, ...others }: Record<string, string> = whole
    const finding = await found(refusing(others), replacedRefusalsOf)
    expect(finding).toMatchObject({ fault: "headers_stripped", says: expect.stringContaining(name) })
  })

  test("are asked for at a server that knows how to refuse, and otherwise unknown", async () => {
    const older = () => refused("not_found", 404)
    expect(await found(older, replacedRefusalsOf)).toMatchObject({ verdict: "unknown", says: "no" })
  })
})

describe("the headers of answers", () => {
  const ours = { vary: "Origin", "content-type": "application/json" }
  const answering =
    (preflight: () => Response) =>
    (_path: string, { method }: Request): Response => {
      if (method === "OPTIONS") return preflight()
      if (method === "GET") return Response.json({ service: "track-studio-orchestrator" }, { headers: ours })
      return Response.json(
        { error: "no", code: "method_not_allowed" },
        { status: 405, headers: { ...ours, allow: "GET" } },
      )
    }

  test("are right if a proxy answers OPTIONS by itself and allows the same", async () => {
    const headers = {
      vary: "Origin",
      "access-control-allow-methods": "GET, POST, PUT, DELETE",
      "access-control-allow-headers": "Authorization, Content-Type, Lease",
    }
    const own = answering(() => new Response(null, { status: 204, headers }))
    expect(await found(own, answerHeadersOf)).toMatchObject({ verdict: "good" })
  })

  test("are asked for as a browser asks before a request: without the token", async () => {
    const tokens: (string | null)[] = []
    const right = answering(() => new Response(null, { status: 204 }))
    const heard = (path: string, request: Request): Response => {
      if (request.method === "OPTIONS") tokens.push(request.headers.get("authorization"))
      return right(path, request)
    }
    await found(heard, (patient) => answerHeadersOf({ ...patient, token: "tsk_one" }))
    expect(tokens).toEqual([null])
  })

  test("are stripped if it allows less, and unknown if it is busy", async () => {
    const bare = answering(() => new Response(null, { status: 204, headers: ours }))
    expect(await found(bare, answerHeadersOf)).toMatchObject({ fault: "headers_stripped" })
    const busy = answering(() => new Response(null, { status: 429 }))
    expect(await found(busy, answerHeadersOf)).toMatchObject({ verdict: "unknown" })
  })

  test("are unknown if no answer to a read comes, or one of a proxy", async () => {
    const right = answering(() => new Response(null, { status: 204 }))
    const limited = (path: string, request: Request): Response =>
      request.method === "GET" ? new Response("", { status: 503 }) : right(path, request)
    expect(await found(limited, answerHeadersOf)).toMatchObject({ verdict: "unknown" })
    const slow = (path: string, request: Request): Response | Promise<Response> =>
      request.method === "GET" ? new Promise<Response>(() => undefined) : right(path, request)
    const soon = (patient: Patient) => answerHeadersOf({ ...patient, patienceMs: 300 })
    expect(await found(slow, soon)).toMatchObject({ verdict: "unknown" })
  })
})
