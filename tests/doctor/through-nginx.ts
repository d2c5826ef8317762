import { afterAll, beforeAll, describe, expect, test } from "bun:test"

import { examined } from "../../src/doctor/doctor.ts"
import type { Finding } from "../../src/doctor/finding.ts"
import { Nginx, nginxOrWhy, type Site } from "../nginx.ts"
import { run, start, type TestServer } from "../server.ts"
import type { Case } from "./case.ts"

/** Without it, a server on loopback accepts changes from every page of this machine. */
const STUDIO = "https://studio.example"

/** How many cases are examined at once. More of them would take each other's time, and look like delays of a proxy. */
const AT_ONCE = 18
const LONGEST_MS = 180_000

/** The servers that cases need, each with an item but for the empty and the protected one. */
async function startedServers(): Promise<Map<Case["server"], TestServer>> {
  const servers = new Map<Case["server"], TestServer>()
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
  return servers
}

/** What runs for the cases. */
interface Running {
  /** The port of the site of each case. */
  readonly portOf: (one: Case | undefined) => number
  /** The server that everybody may use. */
  readonly server: () => TestServer | undefined
}

/** Registers a test for each case: the doctor looks through an nginx that is misconfigured in that way, and finds it. */
export function throughNginx(
  cases: readonly Case[],
  more: (running: Running) => void = () => undefined,
): void {
  const nginx = nginxOrWhy()
  if ("why" in nginx) console.warn(`skipped: ${nginx.why}`)

  describe.skipIf("why" in nginx)("through nginx", () => {
    const found = new Map<string, Finding[]>()
    let servers = new Map<Case["server"], TestServer>()
    let proxy: Nginx | undefined
    const portOf = (one: Case | undefined): number => proxy?.ports[one ? cases.indexOf(one) : -1] ?? 0

    beforeAll(async () => {
      servers = await startedServers()
      const sites = cases.map(({ change, server }): Site => ({
        upstream: servers.get(server)?.url ?? "",
        ...(change && { change }),
      }))
      proxy = await Nginx.start("path" in nginx ? nginx.path : "", sites)
      const examine = async (one: Case): Promise<void> => {
        const { name, path = "", idleMs = 12_000, now = Date.now } = one
        const url = new URL(`http://127.0.0.1:${portOf(one)}${path}`)
        const findings = examined({ url, token: undefined, patienceMs: 8000, idleMs, now })
        found.set(name, await Array.fromAsync(findings))
      }
      const left = [...cases]
      const examineNext = async (): Promise<void> => {
        for (let one = left.shift(); one; one = left.shift()) await examine(one)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, examineNext))
    }, LONGEST_MS)

    afterAll(async () => {
      await proxy?.[Symbol.asyncDispose]()
      for (const server of servers.values()) await server[Symbol.asyncDispose]()
    })

    test.each([...cases])("if $name, it finds that fault, and no other", ({ name, faults, unknown }) => {
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

    more({ portOf, server: () => servers.get(undefined) })
  })
}
