import { expect, spyOn, test } from "bun:test"

import type { Gate } from "../../src/access/gate.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { Limits } from "../../src/http/limits.ts"
import type { OutputEvent } from "../../src/queue/output.ts"

/** An app with these parts, the bytes that it charges a client for, and how it answers a path. */
function charging(some: Partial<Record<keyof AppParts, unknown>>) {
  const limits = new Limits({ perAddress: 1000, perToken: 1000, perLease: 1000, held: 1, steadyMs: () => 0 })
  const charge = spyOn(limits, "charge")
  const caller = { role: "admin", token: undefined, client: "someone", ended: undefined }
  const gate: unknown = { caller: () => caller }
  const known = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const parts: unknown = { ...known, gate: gate as Gate, limits, ...some }
  const app = createApp(parts as AppParts)
  return {
    lengthOf: async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
      (await (await app.handle(new Request(`http://127.0.0.1${path}`, { headers }))).bytes()).length,
    charged: (): number => charge.mock.calls.reduce((sum, [, bytes]) => sum + bytes, 0),
  }
}

test("output that is read costs as much as it is long, each byte once", async () => {
  async function* pieces(): AsyncGenerator<OutputEvent> {
    for (let at = 0; at < 20; at += 1) {
      const [from, text] = [at * 16_384, "x".repeat(16_384)]
      yield { type: "piece", attempt: 1, missing: 0, from, to: from + text.length, text }
    }
    yield { type: "end", attempt: 1, status: "completed" }
  }
  const { lengthOf, charged } = charging({ output: { read: async () => pieces() } })
  const length = await lengthOf("/api/v1/queue/1/output")
  expect(length).toBeGreaterThan(20 * 16_384 - 1)
  expect(charged()).toBeWithin(length - 65_536, length + 1)
})

test("a page of updates costs as much as it is long, and so does any other answer", async () => {
  const data = JSON.stringify({ message: "x".repeat(16_384) })
  const updates = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, data }))
  const app = charging({
    queue: { history: async () => ({ updates, more: false }) },
    learned: { kinds: async () => updates },
  })
  const length = await app.lengthOf("/api/v1/queue/1/updates")
  expect(length).toBeGreaterThan(20 * 16_384)
  expect(app.charged()).toBe(length)
  const both = length + (await app.lengthOf("/api/v1/kinds"))
  expect(app.charged()).toBe(both)
})

test("an answer costs as much if it is compressed, because it is made all the same", async () => {
  const data = JSON.stringify({ message: "x".repeat(16_384) })
  const updates = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, data }))
  const app = charging({
    queue: { history: async () => ({ updates, more: false }) },
    learned: { kinds: async () => updates },
  })
  for (const path of ["/api/v1/queue/1/updates", "/api/v1/kinds"]) {
    const charged = app.charged()
    const length = await app.lengthOf(path, { "accept-encoding": "gzip" })
    expect(length).toBeWithin(100, 16_384)
    expect(app.charged() - charged).toBeGreaterThan(20 * 16_384)
  }
})

test("the description of the API costs as much as it is long, each time", async () => {
  const { lengthOf, charged } = charging({})
  const length = await lengthOf("/openapi.json")
  expect(length).toBeGreaterThan(65_536)
  expect([await lengthOf("/openapi.json"), charged()]).toEqual([length, 2 * length])
})
