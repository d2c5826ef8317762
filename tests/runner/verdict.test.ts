import { expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { deliver } from "../../src/runner/verdict.ts"

test("an older server, which cannot cancel a failed attempt, gets it as a failure", async () => {
  const bodies: unknown[] = []
  using server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      bodies.push(await request.json())
      const refusal = { error: 'unknown key "cancelled"', code: "invalid", request_id: "1" }
      return Response.json(refusal, { status: 422 })
    },
  })
  const client = new Client(`http://127.0.0.1:${server.port}`)
  const failure = { error_message: "stopped", retryable: false, cancelled: true } as const
  await expect(deliver(client, { id: 7, token: "t" }, { end: "fail", failure })).rejects.toThrow(
    "unknown key",
  )
  expect(bodies).toEqual([failure, { error_message: "stopped", retryable: false }])
})
