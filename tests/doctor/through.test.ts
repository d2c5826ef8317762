import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { examined } from "../../src/doctor/doctor.ts"
import type { Finding } from "../../src/doctor/finding.ts"
import { seenAs } from "../../src/doctor/requests.ts"
import { Nginx, nginxOrWhy, SHIPPED_CONFIGS, type Site } from "../nginx.ts"
import { Reader } from "../reader.ts"
import { run, start, type TestServer } from "../server.ts"
import type { Case } from "./case.ts"
import { CASES } from "./misconfigured.ts"

setDefaultTimeout(60_000)

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

/** Without it, a server on loopback accepts changes from every page of this machine. */
const STUDIO = "https://studio.example"

// nginx ends a body on which nothing comes for a minute, and a frame may take longer.
test.each(Object.entries(SHIPPED_CONFIGS))("%s lets a renderer be silent for an hour", (_name, config) => {
  for (const limit of ["client_body_timeout", "proxy_read_timeout", "proxy_send_timeout"])
    expect(config).toMatch(new RegExp(`^ *${limit} 1h;$`, "m"))
})

const nginx = nginxOrWhy()
if ("why" in nginx) console.warn(`skipped: ${nginx.why}`)

describe.skipIf("why" in nginx)("through nginx", () => {
  const found = new Map<string, Finding[]>()
  const servers = new Map<Case["server"], TestServer>()
  let proxy: Nginx | undefined

  beforeAll(async () => {
    const base = ["--requests-per-address", "0", "--cors-origin", STUDIO]
    const args = [...base, "--keepalive-ms", "500"]
    const believing = ["--open", "--trusted-proxy", "127.0.0.1"]
    const locked = await start({ args })
    servers.set(undefined, await start({ args: [...args, ...believing] }))
    servers.set("trusting nobody", await start({ args: [...args, "--open"] }))
    servers.set("quiet", await start({ args: [...base, ...believing, "--keepalive-ms", "20000"] }))
    const always = ["--requests-per-address", "0", "--keepalive-ms", "500"]
    servers.set("for all pages", await start({ args: [...always, ...believing] }))
    servers.set("empty", await start({ args: [...args, ...believing] }))
    for (const [name, server] of servers) if (name !== "empty") await server.add()
    // From source, the page is bundled when it is first needed.
    const html = { headers: { accept: "text/html" } }
    await Promise.all([...servers.values()].map(async ({ url }) => (await fetch(url, html)).text()))
    servers.set("protected", locked)
    expect((await run(["token", "create", "--role", "viewer", "--database", locked.database])).code).toBe(0)
    const sites = CASES.map(({ change, server }): Site => ({
      upstream: servers.get(server)?.url ?? "",
      ...(change && { change }),
    }))
    proxy = await Nginx.start("path" in nginx ? nginx.path : "", sites)
    const examine = async (
      { name, path = "", idleMs = 12_000, now = Date.now }: Case,
      port: number,
    ): Promise<void> => {
      const url = new URL(`http://127.0.0.1:${port}${path}`)
      const findings = examined({ url, token: undefined, patienceMs: 8000, idleMs, now })
      found.set(name, await Array.fromAsync(findings))
    }
    await Promise.all(CASES.map((one, at) => examine(one, proxy?.ports[at] ?? 0)))
  })

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    for (const server of servers.values()) await server[Symbol.asyncDispose]()
  })

  test.each([...CASES])("if $name, it finds that fault, and no other", ({ name, faults, unknown }) => {
    const findings = found.get(name) ?? []
    expect(findings.length).toBeGreaterThan(0)
    const bad = findings.filter(({ verdict }) => verdict === "fault")
    expect(bad.flatMap(({ fault }) => fault ?? []).toSorted()).toEqual([...faults].toSorted())
    for (const { remedy } of bad) expect(remedy.length).toBeGreaterThan(0)
    // A fault may hide others.
    if (faults.length > 0 && unknown === undefined) return
    const others = findings.filter(({ verdict }) => verdict !== "good" && verdict !== "fault")
    expect(others.map(({ about }) => about)).toEqual([...(unknown ?? [])])
  })

  test("through the shipped configuration viewers see a render's output while it is sent", async () => {
    const id = await servers.get(undefined)?.add()
    const url = `http://127.0.0.1:${proxy?.ports[0]}/api/v1`
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
