import { describe, expect, test } from "bun:test"

import type { Report } from "../../src/item/item.ts"
import { renderer } from "../../src/renderers/renderer.ts"

const SECONDS = 1

/**
 * A server that reads ffmpeg's output as it comes, or refuses it, and an ffmpeg that takes as long as its
 * sound.
 */
function start({ input = `sine=duration=${SECONDS}`, status = 200 } = {}) {
  const heard: Report[] = []
  const first = Promise.withResolvers<void>()
  const body = Promise.withResolvers<"ended" | "broken">()
  const listener = renderer("ffmpeg", { total: SECONDS })
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (status !== 200) return new Response("no", { status })
      const decoder = new TextDecoder()
      try {
        for await (const piece of request.body ?? []) {
          heard.push(...listener.push(decoder.decode(piece, { stream: true })))
          first.resolve()
        }
        body.resolve("ended")
      } catch {
        body.resolve("broken")
      }
      return new Response()
    },
  })
  const url = new URL("/ingest/ffmpeg?total=1", server.url)
  const options = ["-v", "quiet", "-nostdin", "-nostats", "-stats_period", "0.1", "-progress", url.href]
  const ffmpeg = Bun.spawn(["ffmpeg", ...options, "-re", "-f", "lavfi", "-i", input, "-f", "null", "-"])
  return {
    heard,
    first: first.promise,
    body: body.promise,
    ffmpeg,
    listener,
    server,
    async [Symbol.asyncDispose]() {
      ffmpeg.kill("SIGKILL")
      await server.stop(true)
    },
  }
}

describe.skipIf(Bun.which("ffmpeg") === null)("ffmpeg reports by itself", () => {
  test("while it renders, to its end", async () => {
    await using run = start()
    await run.first
    expect(run.ffmpeg.exitCode).toBeNull()
    expect(await run.ffmpeg.exited).toBe(0)
    expect(await run.body).toBe("ended")
    expect(run.heard.length).toBeGreaterThan(4)
    expect(run.heard.at(-1)).toMatchObject({ progress: 100 })
    expect(run.listener.evidence.hasEnded).toBe(true)
    expect(run.listener.evidence.reached).toBe(1)
  })

  test("after a SIGTERM as well, and a clean end of its body is no success", async () => {
    await using run = start()
    await run.first
    run.ffmpeg.kill("SIGTERM")
    expect(await run.ffmpeg.exited).toBe(255)
    expect(await run.body).toBe("ended")
    expect(run.listener.evidence.hasEnded).toBe(true)
    expect(run.listener.evidence.reached).toBeLessThan(0.98)
  })

  test("until it is killed, which breaks its body", async () => {
    await using run = start()
    await run.first
    run.ffmpeg.kill("SIGKILL")
    expect(await run.body).toBe("broken")
    expect(run.listener.evidence.hasEnded).toBe(false)
  })

  test("without a word, and with a broken body, when it cannot start", async () => {
    await using run = start({ input: "no-such-source" })
    expect(await run.ffmpeg.exited).toBe(1)
    expect(await run.body).toBe("broken")
    expect(run.heard).toEqual([])
  })

  test("and renders on when the server refuses it", async () => {
    await using run = start({ status: 409 })
    expect(await run.ffmpeg.exited).toBe(0)
  })

  test("and renders on when the server goes away", async () => {
    await using run = start()
    await run.first
    await run.server.stop(true)
    expect(await run.ffmpeg.exited).toBe(0)
  })

  test("and does not start without a server", async () => {
    await using run = start({ input: "sine=duration=0.1" })
    await run.ffmpeg.exited
    await run.server.stop(true)
    const arguments_ = [
      "-v",
      "quiet",
      "-progress",
      run.server.url.href,
      "-f",
      "lavfi",
      "-i",
      "sine=duration=0.1",
    ]
    expect(await Bun.spawn(["ffmpeg", ...arguments_, "-f", "null", "-"]).exited).toBe(1)
  })
})
