import { expect, test } from "bun:test"

import { type Caller, EVERYBODY } from "../../src/access/authorize.ts"
import type { AppError } from "../../src/errors.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { whileIn } from "../../src/http/revoked-meanwhile.ts"
import { UNPROTECTED } from "./unprotected.ts"

test("who may no longer come in leaves at once, also if the token was revoked before anybody waited for that", () => {
  const left: string[] = []
  const leave = ({ code }: AppError): void => void left.push(code)
  using _before = whileIn({ ...EVERYBODY, ended: AbortSignal.abort() }, leave)
  expect(left).toEqual(["unauthorized"])
  const ended = new AbortController()
  using _later = whileIn({ ...EVERYBODY, ended: ended.signal }, leave)
  expect(left).toHaveLength(1)
  ended.abort()
  expect(left).toEqual(["unauthorized", "unauthorized"])
})

test("who has left by then does not hear of it", () => {
  const ended = new AbortController()
  let refusals = 0
  whileIn({ ...EVERYBODY, ended: ended.signal }, () => void (refusals += 1))[Symbol.dispose]()
  ended.abort()
  expect(refusals).toBe(0)
})

test("who waits for the end of an item, and may no longer come in, does not get the item", async () => {
  const ended = new AbortController()
  const held = (signal: AbortSignal): Promise<object> =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve({}))
      ended.abort()
    })
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
    ...UNPROTECTED,
    authorizer: { caller: (): Caller => ({ ...EVERYBODY, ended: ended.signal }) },
    queue: { get: async () => ({}) },
    forecasts: { of: async () => new Map() },
    streams: { finished: (_id: number, signal: AbortSignal) => held(signal) },
  }
  const app = createApp(parts as AppParts)
  const answer = await app.handle(new Request("http://127.0.0.1/api/v1/queue/7?wait=finished"))
  expect([answer.status, ended.signal.aborted]).toEqual([401, true])
})
