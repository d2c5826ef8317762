import { expect, spyOn, test } from "bun:test"

import { ServerError } from "../../src/client/client.ts"
import { RetryPauses } from "../../src/runner/retry-pauses.ts"
import {
  isDenied,
  isFinalRefusal,
  isMissing,
  isRefused,
  isUnreachable,
  rest,
} from "../../src/runner/server-errors.ts"

const KINDS = { isUnreachable, isDenied, isMissing, isFinalRefusal, isRefused }

test.each<[string, ServerError, readonly (keyof typeof KINDS)[]]>([
  ["no answer", new ServerError(0, "away"), ["isUnreachable"]],
  ...["ConnectionRefused", "ECONNREFUSED"].map(
    (code): [string, ServerError, readonly (keyof typeof KINDS)[]] => [
      `no program at the address (${code})`,
      new ServerError(0, "away", {}, { cause: Object.assign(new Error("refused"), { code }) }),
      ["isUnreachable", "isRefused"],
    ],
  ),
  ["a refusal for now", new ServerError(503, "busy", { code: "unavailable" }), ["isUnreachable"]],
  ["the page of a proxy", new ServerError(404, "not here"), ["isUnreachable"]],
  ["no token", new ServerError(401, "who?", { code: "unauthorized" }), ["isDenied"]],
  ["too few rights", new ServerError(403, "no", { code: "forbidden" }), ["isDenied"]],
  ["another host name", new ServerError(421, "not my name", { code: "misdirected" }), ["isDenied"]],
  ["an unknown item", new ServerError(404, "none", { code: "not_found" }), ["isMissing", "isFinalRefusal"]],
  ["a deleted item", new ServerError(410, "gone", { code: "gone" }), ["isFinalRefusal"]],
  ["a lost lease", new ServerError(409, "lost", { code: "lease_lost" }), ["isFinalRefusal"]],
])("%s is an error of its kinds, and of no other", (_, error, kinds) => {
  const found = Object.entries(KINDS).flatMap(([kind, is]) => (is(error) ? [kind] : []))
  expect(found.toSorted()).toEqual([...kinds].toSorted())
})

test("what is no answer of a server is neither a refusal nor a missing item", () => {
  for (const error of [new Error("out of memory"), { status: 404, code: "not_found" }, undefined])
    expect([isMissing(error), isFinalRefusal(error)]).toEqual([false, false])
})

test("a worker that is denied access waits for ten seconds, or for as long as it has, and others wait briefly", async () => {
  using timers = spyOn(globalThis, "setTimeout")
  const waited = async (error: unknown, mostMs?: number): Promise<number> => {
    timers.mockClear()
    const leave = new AbortController()
    const over = rest(error, new RetryPauses(), leave.signal, mostMs)
    leave.abort()
    await over
    return Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))
  }
  const denied = new ServerError(403, "no", { code: "forbidden" })
  expect([await waited(denied), await waited(denied, 400), await waited(denied, 60_000)]).toEqual([
    10_000, 400, 10_000,
  ])
  for (const error of [new ServerError(0, "away"), new Error("broken")])
    expect(await waited(error)).toBeWithin(75, 126)
})
