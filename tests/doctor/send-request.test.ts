import { expect, test } from "bun:test"

import { sendRequest } from "../../src/doctor/send-request.ts"
import { found } from "./answering.ts"

test("an answer without an end is read no further than the longest expected answer", async () => {
  const piece = new Uint8Array(1024 * 1024).fill(32)
  using endless = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) })),
  })
  const url = new URL(`http://127.0.0.1:${endless.port}`)
  const answer = await sendRequest(
    { url, token: undefined, patienceMs: 10_000, idleMs: 0, now: Date.now },
    { path: "/queue" },
  )
  expect(answer).toMatchObject({ status: 200, end: "enough" })
  expect(answer.text.length).toBeLessThan(10 * 1024 * 1024)
}, 180_000)

test("an idle stream is watched from its beginning, however late that comes", async () => {
  const begun = async (): Promise<Response> => {
    await Bun.sleep(300)
    return new Response(new ReadableStream({ start: (controller) => controller.enqueue(": hello\n\n") }))
  }
  const answer = await found(begun, (patient) =>
    sendRequest(patient, { path: "/progress/stream", mostMs: 20_000, watchMs: 200 }),
  )
  expect(answer).toMatchObject({ status: 200, end: "late" })
  expect(answer.lastMs - (answer.headMs ?? answer.lastMs)).toBeWithin(190, 10_000)
}, 180_000)
