import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"

import { type AppParts, createApp } from "../../src/http/app.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"
import { hold } from "../../src/http/time-limit-of-held-answer.ts"
import { UNPROTECTED } from "./unprotected.ts"

const HOUR_MS = 3_600_000

test("an answer is held until its client leaves, its token has ended, or its time is over", async () => {
  const [client, token] = [new AbortController(), new AbortController()]
  using waiting = hold(client.signal, HOUR_MS, token.signal)
  using open = hold(client.signal, HOUR_MS)
  using short = hold(new AbortController().signal, 0)
  expect([waiting, open].map(({ signal }) => signal.aborted)).toEqual([false, false])
  token.abort()
  expect([waiting, open].map(({ signal }) => signal.aborted)).toEqual([true, false])
  client.abort()
  expect(open.signal.aborted).toBe(true)
  if (!short.signal.aborted) await new Promise((resolve) => short.signal.addEventListener("abort", resolve))
})

test("the time limit of an answer that was given has no effect any more", async () => {
  const held = hold(new AbortController().signal, 1)
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

test("the connection of a claim that waits is not cut because nothing is sent on it meanwhile", async () => {
  const parts: unknown = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none", ...UNPROTECTED },
    workers: { claim: async () => null, presence: { isDraining: () => false } },
  }
  const app = createApp(parts as AppParts)
  const limits: number[] = []
  const server: unknown = {
    timeout: (_request: Request, seconds: number) => limits.push(seconds),
    requestIP: () => null,
  }
  app.server = server as typeof app.server
  const claim = async (wait: object): Promise<number> => {
    const body = JSON.stringify({ worker: "gpu-1", ...wait })
    const headers = { "content-type": "application/json" }
    const request = new Request("http://127.0.0.1/api/v1/queue/claim", { method: "POST", headers, body })
    return (await app.handle(request)).status
  }
  expect([await claim({}), limits]).toEqual([204, []])
  expect([await claim({ wait: 60 }), limits]).toEqual([204, [0]])
})
