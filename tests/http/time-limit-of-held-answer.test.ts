import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"

import { AppError } from "../../src/errors.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"
import { timeLimit } from "../../src/http/time-limit-of-held-answer.ts"
import { UNPROTECTED } from "./unprotected.ts"

const HOUR_MS = 3_600_000

test("an answer is held until its client leaves, its token has ended, or its time is over", async () => {
  const [client, token] = [new AbortController(), new AbortController()]
  using waiting = timeLimit(client.signal, HOUR_MS, token.signal)
  using open = timeLimit(client.signal, HOUR_MS)
  using short = timeLimit(new AbortController().signal, 0)
  expect([waiting, open].map(({ signal }) => signal.aborted)).toEqual([false, false])
  token.abort()
  expect([waiting, open].map(({ signal }) => signal.aborted)).toEqual([true, false])
  client.abort()
  expect(open.signal.aborted).toBe(true)
  if (!short.signal.aborted) await new Promise((resolve) => short.signal.addEventListener("abort", resolve))
})

test("the time limit of an answer that was given has no effect any more", async () => {
  const held = timeLimit(new AbortController().signal, 1)
  held[Symbol.dispose]()
  // A timer that began later has ended.
  await new Promise((resolve) => setTimeout(resolve, 2))
  expect(held.signal.aborted).toBe(false)
})

test("the place of an answer that was given listens no longer to its signal, which may last as long as a token", () => {
  const limits = new ClientLimits({ perAddress: 0, perToken: 0, perLease: 0, held: 1, steadyMs: () => 0 })
  const { signal } = new AbortController()
  const caller = { role: "viewer", token: undefined, client: "10.0.0.1", ended: undefined } as const
  const place = limits.hold(caller, "answer", signal)
  expect(getEventListeners(signal, "abort")).toHaveLength(1)
  place[Symbol.dispose]()
  expect(getEventListeners(signal, "abort")).toEqual([])
})

/** The time limits of the connection of a request, in seconds; 0 for none. Each thing that it asks for is unavailable. */
async function limitsOf(request: Request): Promise<number[]> {
  const away = (): never => {
    throw new AppError("unavailable", "away")
  }
  const parts: unknown = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none", ...UNPROTECTED },
    workers: { claim: away, heartbeat: away, presence: { isDraining: () => false } },
    streams: { changes: away, finished: away },
    queue: { get: away, unleased: away },
    output: {
      async *read() {},
      writer: () => ({ begin: async () => undefined, push: away, end: away }),
    },
  }
  const app = createApp(parts as AppParts)
  const limits: number[] = []
  const server: unknown = {
    timeout: (_request: Request, seconds: number) => limits.push(seconds),
    requestIP: () => null,
  }
  app.server = server as typeof app.server
  await (await app.handle(request)).text()
  return limits
}

const asked = (method: string, path: string, body?: string | object): Request =>
  new Request(`http://127.0.0.1/api/v1/queue${path}`, {
    ...{
      method,
      headers: { lease: "t", "content-type": typeof body === "string" ? "text/plain" : "application/json" },
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })

test.each([
  ["a claim that waits", asked("POST", "/claim", { worker: "gpu-1", wait: 60 }), [0]],
  ["a claim that does not wait", asked("POST", "/claim", { worker: "gpu-1" }), []],
  ["a heartbeat that waits", asked("POST", "/7/heartbeat?wait=60"), [0]],
  ["a heartbeat that does not wait", asked("POST", "/7/heartbeat"), []],
  ["a wait for the end of an item", asked("GET", "/7?wait=finished"), [0]],
  ["an output that is followed as text", asked("GET", "/7/output?follow=true"), [0]],
  [
    "an output that is followed as events, with keepalives",
    asked("GET", "/7/output?follow=true&format=sse"),
    [],
  ],
  ["an output that is sent while it is printed", asked("POST", "/7/output", "text"), [0]],
  ["an output that is read for its progress", asked("POST", "/7/ingest/lines", "text"), [0]],
])(
  "the time for which nothing is sent has a limit, except where nothing may come for long: %s",
  async (_, request, limits) => {
    expect(await limitsOf(request)).toEqual(limits)
  },
)
