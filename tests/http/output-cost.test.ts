import { expect, spyOn, test } from "bun:test"

import type { Gate } from "../../src/access/gate.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import { Limits } from "../../src/http/limits.ts"
import type { OutputEvent } from "../../src/queue/output.ts"

test("output that is read costs as much as it is long, each byte once", async () => {
  const limits = new Limits({ perAddress: 1000, perToken: 1000, perLease: 1000, held: 1, steadyMs: () => 0 })
  const charge = spyOn(limits, "charge")
  const caller = { role: "admin", token: undefined, client: "someone", ended: undefined }
  const gate: unknown = { caller: () => caller }
  async function* pieces(): AsyncGenerator<OutputEvent> {
    for (let at = 0; at < 20; at += 1) {
      const [from, text] = [at * 16_384, "x".repeat(16_384)]
      yield { type: "piece", attempt: 1, missing: 0, from, to: from + text.length, text }
    }
    yield { type: "end", attempt: 1, status: "completed" }
  }
  const parts: unknown = {
    ...{ host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" },
    ...{ gate: gate as Gate, limits, output: { read: async () => pieces() } },
  }
  const app = createApp(parts as AppParts)
  const answer = await app.handle(new Request("http://127.0.0.1/api/v1/queue/1/output"))
  const { length } = await answer.text()
  const charged = charge.mock.calls.map(([, bytes]) => bytes)
  expect(length).toBeGreaterThan(20 * 16_384 - 1)
  expect(charged.reduce((sum, bytes) => sum + bytes, 0)).toBeWithin(length - 65_536, length + 1)
})
