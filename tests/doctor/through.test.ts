import { expect, setDefaultTimeout, test } from "bun:test"

import { seenAs } from "../../src/doctor/requests.ts"
import { SHIPPED_CONFIGS } from "../nginx.ts"
import { Reader } from "../reader.ts"
import { run } from "../server.ts"
import { CASES } from "./misconfigured.ts"
import { throughNginx } from "./through-nginx.ts"

setDefaultTimeout(180_000)

test("a client elsewhere that is seen as this machine itself is hidden by a proxy", () => {
  expect(seenAs("127.0.0.1", false)).toMatchObject({ verdict: "fault", fault: "client_hidden" })
  expect(seenAs("::1", false)).toMatchObject({ fault: "client_hidden" })
  expect(seenAs("192.0.2.7", false)).toMatchObject({ verdict: "good" })
  expect(seenAs("127.0.0.1", true)).toMatchObject({ verdict: "good" })
})

test("silent connections are watched for longer than the minute after which proxies end them by default", async () => {
  const { stdout } = await run(["doctor", "--help"])
  expect(Number(/--idle .*?default (\d+)/s.exec(stdout)?.[1])).toBeGreaterThan(60)
})

// nginx ends a body on which nothing comes for a minute, and a frame may take longer.
test.each(Object.entries(SHIPPED_CONFIGS))("%s lets a renderer be silent for an hour", (_name, config) => {
  for (const limit of ["client_body_timeout", "proxy_read_timeout", "proxy_send_timeout"])
    expect(config).toMatch(new RegExp(`^ *${limit} 1h;$`, "m"))
})

throughNginx(CASES, ({ portOf, server }) => {
  test("through the shipped configuration viewers see a render's output while it is sent", async () => {
    const id = await server()?.add()
    const url = `http://127.0.0.1:${portOf(CASES.find(({ change }) => !change))}/api/v1`
    const reader = await Reader.open(`${url}/progress/stream/${id}`)
    const body = new TransformStream<Uint8Array, Uint8Array>()
    const answer = fetch(`${url}/queue/${id}/ingest/ffmpeg?total=10&finish=true`, {
      method: "POST",
      body: body.readable,
    })
    const writer = body.writable.getWriter()
    await writer.write(Buffer.from("out_time_us=5000000\nprogress=continue\n"))
    await reader.until((seen) => seen.some(({ data }) => data["progress"] === 50))
    await writer.write(Buffer.from("out_time_us=10000000\nprogress=end\n"))
    await writer.close()
    expect((await answer).status).toBe(200)
    await reader.until((seen) => seen.some(({ data }) => data["status"] === "completed"))
  })
})
