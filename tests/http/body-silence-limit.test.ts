import { expect, test } from "bun:test"

import { limitSilence, piecesOf } from "../../src/http/body-silence-limit.ts"
import { hasUnreadBody } from "../../src/http/unread-body.ts"
import { raw } from "../raw.ts"

test("a body whose sender has lost its power ends after a silence, and one that goes on does not", async () => {
  const [texts, unread]: [string[], boolean[]] = [[], []]
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request, own) => {
      own.timeout(request, 0)
      for await (const bytes of piecesOf(request, 300)) texts.push(Buffer.from(bytes).toString())
      unread.push(hasUnreadBody(request))
      return new Response("ended")
    },
  })
  const head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
  // The last piece never comes, and the connection stays open.
  expect(await raw(server.url.href, `${head}3\r\none\r\n`)).toContain("ended")
  expect([texts, unread]).toEqual([["one"], [true]])
  const pieces = new ReadableStream<Uint8Array>({
    async start(controller) {
      for (let i = 0; i < 6; i += 1) {
        await Bun.sleep(100)
        controller.enqueue(new Uint8Array([i]))
      }
      controller.close()
    },
  })
  const seen: number[] = []
  const request = new Request(server.url, { method: "POST", body: pieces })
  for await (const [byte = -1] of piecesOf(request, 400)) seen.push(byte)
  expect([seen, hasUnreadBody(request)]).toEqual([[0, 1, 2, 3, 4, 5], false])
})

test("a limit of silence that was disposed of ends nothing", async () => {
  let given = 0
  {
    using _ = limitSilence(() => (given += 1), 1)
  }
  await Bun.sleep(20)
  expect(given).toBe(0)
})
