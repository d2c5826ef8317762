import { describe, expect, spyOn, test } from "bun:test"

import { type Client, ServerError } from "../../src/client/client.ts"
import { blank } from "../../src/item/blank-item.ts"
import { planned } from "../../src/runner/progress-arguments.ts"
import { RetryPauses } from "../../src/runner/retry-pauses.ts"
import { Worker } from "../../src/runner/worker.ts"

/** A worker with this client, which has the methods that the test needs. */
const workerOf = (client: unknown, concurrency = 1): Worker =>
  new Worker({
    client: client as Client,
    ...{ server: "http://127.0.0.1:1", worker: "box", version: "0", leaseS: 60, reportWithinMs: 5000 },
    ...{ plan: planned(["true"]), tags: [], kind: undefined, steps: ["Video"], concurrency },
    stateFolder: undefined,
  })

const untilOver = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

test("an item whose steps the server does not accept is rendered without them", async () => {
  const item = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z"), status: "processing" }
  const answer = { directive: "continue", item }
  const { promise: completed, resolve } = Promise.withResolvers<void>()
  let claims = 0
  const worker = workerOf({
    claim: async (_request: object, signal: AbortSignal) => {
      claims += 1
      return claims === 1 ? { item, lease: { token: "t" } } : untilOver(signal)
    },
    declareSteps: async () => {
      throw new ServerError(404, "no such route", { code: "not_found" })
    },
    heartbeat: (_held: object, _waitS: number | undefined, signal: AbortSignal) => untilOver(signal),
    report: async () => answer,
    print: async (_held: object, bytes: Uint8Array) => ({ attempt: 1, end: bytes.length }),
    complete: async () => {
      resolve()
      return answer
    },
  })
  const running = worker.run()
  await Promise.race([completed, running])
  worker.signal()
  await running
  expect(claims).toBeGreaterThan(0)
}, 180_000)

test("after an answer without an item the next claim comes at once, unless the server answered sooner than it should", async () => {
  let laterMs = 0
  const now = Date.now
  using _clock = spyOn(Date, "now").mockImplementation(() => now() + laterMs)
  const done: string[] = []
  using _pauses = spyOn(RetryPauses.prototype, "wait").mockImplementation(async () => void done.push("pause"))
  const waitsMs = [0, 30_000, 1100, 0]
  const worker = workerOf({
    claim: async () => {
      const waitMs = waitsMs.shift() ?? 0
      if (waitsMs.length === 0) worker.signal()
      done.push(`claim ${waitMs}`)
      laterMs += waitMs
      return null
    },
  })
  await worker.run()
  expect(done).toEqual(["claim 0", "pause", "claim 30000", "claim 1100", "claim 0", "pause"])
})

test.each([
  [7000, 7000],
  [24 * 3_600_000, 300_000],
])(
  "a claim that is refused for %d ms is sent again after that time, five minutes at most",
  async (retryAfterMs, waitMs) => {
    using _stderr = spyOn(process.stderr, "write").mockImplementation(() => true)
    using timers = spyOn(globalThis, "setTimeout")
    let claims = 0
    const worker = workerOf({
      claim: async ({ again = false }: { readonly again?: boolean }) => {
        // A worker that stops asks once more for what an unanswered claim may have got.
        if (!again) claims += 1
        setImmediate(() => worker.signal())
        throw new ServerError(503, "closed for maintenance", { retryAfterMs })
      },
    })
    await worker.run()
    expect(claims).toBe(1)
    expect(timers.mock.calls.map(([, ms]) => ms)).toContain(waitMs)
  },
)

test.each([
  ["asks for what a claim without an answer may have got, to give it back", "ECONNRESET", 1],
  ["asks for nothing if its claim reached no server", "ECONNREFUSED", 0],
])("a worker that is stopped %s", async (_what, code, times) => {
  let asked = 0
  const cause = Object.assign(new Error("no connection"), { code })
  const worker = workerOf({
    claim: async ({ again }: { again?: boolean }) => {
      if (again) asked += 1
      else worker.signal()
      if (again) return null
      throw new ServerError(0, "no answer", { code: "unreachable" }, { cause })
    },
  })
  await worker.run()
  expect(asked).toBe(times)
})

test("a worker that is drained in several claims at once says so once", async () => {
  const said: string[] = []
  using _stderr = spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0)
  await workerOf({ claim: async () => "drain" }, 2).run()
  expect(said).toEqual(["track-studio: drained: stopping\n"])
})

describe("a token that may not claim", () => {
  const refused = new ServerError(403, "the role viewer may not do this", { code: "forbidden" })
  const me = async () => ({ role: "viewer", item: null, expires_at: null, may: ["read", "figures"] })

  test("ends a worker at its start, with the reason, and does not say that it tries again", async () => {
    using stderr = spyOn(process.stderr, "write").mockImplementation(() => true)
    let asked = 0
    const worker = workerOf(
      {
        claim: async () => Promise.reject(refused),
        me: (signal: AbortSignal) => (asked++ === 0 ? me() : untilOver(signal)),
      },
      2,
    )
    await expect(worker.run()).rejects.toThrow("the role viewer may not do this")
    expect(stderr.mock.calls).toEqual([])
  })

  test("is said by a worker that says already that it waits for the server", async () => {
    using stderr = spyOn(process.stderr, "write").mockImplementation(() => true)
    using _pauses = spyOn(RetryPauses.prototype, "wait").mockResolvedValue()
    const away = new ServerError(503, "away", { code: "unavailable" })
    const errors = [away, away, refused]
    const worker = workerOf({
      claim: () => Promise.reject(errors.shift()),
      me: async () => {
        setTimeout(() => worker.signal())
        throw away
      },
    })
    await worker.run()
    expect(stderr.mock.calls.map(([text]) => String(text).trim())).toEqual([
      "track-studio: away; waiting for the server",
      "track-studio: the role viewer may not do this; trying again every 10 s",
    ])
  })

  test("ends no worker that was admitted before, and none while the server answers nobody", async () => {
    for (const answers of [[null], [] as null[]]) {
      const tries: string[] = []
      const isAdmitted = answers.length > 0
      const worker = workerOf({
        claim: async () => {
          const answer = answers.shift()
          if (answer === null) return null
          tries.push("claim")
          setImmediate(() => worker.signal())
          throw refused
        },
        me: () => (isAdmitted ? me() : Promise.reject(refused)),
      })
      await worker.run()
      expect(tries).toEqual(["claim"])
    }
  })
})
