import { expect, test } from "bun:test"

import { exchange } from "../../src/doctor/exchange.ts"

test("an answer without an end is read no further than the longest expected answer", async () => {
  const piece = new Uint8Array(1024 * 1024).fill(32)
  using endless = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) })),
  })
  const url = new URL(`http://127.0.0.1:${endless.port}`)
  const answer = await exchange(
    { url, token: undefined, patienceMs: 10_000, idleMs: 0, now: Date.now },
    { path: "/queue" },
  )
  expect(answer).toMatchObject({ status: 200, end: "enough" })
  expect(answer.text.length).toBeLessThan(10 * 1024 * 1024)
}, 30_000)
