import { expect, test } from "bun:test"
import { getEventListeners } from "node:events"

import { ClientLimits } from "../../src/http/client-limits.ts"
import { hold } from "../../src/http/time-limit-of-held-answer.ts"

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
