import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import type { Finding } from "../../src/doctor/finding.ts"
import { Authority } from "../certificates.ts"
import { known } from "../http/tokens.ts"
import { Nginx, nginxOrWhy, type Site } from "../nginx.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

const nginx = nginxOrWhy()
if ("why" in nginx) console.warn(`skipped: ${nginx.why}`)

const withoutScheme = (config: string): string =>
  config.replace("proxy_set_header X-Forwarded-Proto $scheme;", "")
/** As behind a second proxy, which alone uses https. */
const asPlain = (config: string): string =>
  config.replace("X-Forwarded-Proto $scheme;", "X-Forwarded-Proto http;")
const withoutToken = (config: string): string =>
  config.replace("proxy_http_version 1.1;", 'proxy_http_version 1.1; proxy_set_header Authorization "";')

describe.skipIf("why" in nginx)("through nginx with TLS", () => {
  const folder = temporaryFolder()
  const authority = new Authority(folder.path)
  const certificate = authority.sign("localhost", 90)
  let [server, open, proxy]: [TestServer?, TestServer?, Nginx?] = []
  let token = ""

  /** The program's exit code, and what it found. */
  async function doctor(at: number, trusts = true): Promise<readonly [number, readonly Finding[]]> {
    const url = `https://localhost:${proxy?.ports[at]}`
    const env = { TRACK_STUDIO_TOKEN: token, ...(trusts && { NODE_EXTRA_CA_CERTS: authority.file }) }
    const { code, stdout } = await run(["doctor", url, "--idle", "4", "--json"], env)
    const { findings }: { findings: Finding[] } = JSON.parse(stdout)
    return [code, findings]
  }

  const faultsOf = (findings: readonly Finding[]): unknown[] => findings.flatMap(({ fault }) => fault ?? [])

  beforeAll(async () => {
    // Without `--cors-origin`, a server on loopback accepts changes from every page of this machine.
    const strict = ["--trusted-proxy", "127.0.0.1", "--cors-origin", "https://studio.example"]
    server = await start({ args: ["--keepalive-ms", "500", ...strict] })
    open = await start({ args: ["--open", "--keepalive-ms", "500", ...strict] })
    await server.add()
    const { stdout } = await run(["token", "create", "--role", "viewer", "--database", server.database])
    token = stdout.trim()
    await known(server, token)
    const upstream = server.url
    const sites: Site[] = [
      { upstream, certificate },
      { upstream, certificate: authority.sign("localhost", 5) },
      { upstream, certificate: authority.sign("localhost", 0) },
      { upstream, certificate: authority.sign("other.example", 90) },
      { upstream, certificate, change: withoutScheme },
      { upstream, certificate, change: withoutToken },
      { upstream: open.url, certificate, change: asPlain },
    ]
    proxy = await Nginx.start("path" in nginx ? nginx.path : "", sites)
  })

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await open?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  test("the shipped configuration has no fault, with a token", async () => {
    const [code, findings] = await doctor(0)
    expect(findings.filter(({ verdict }) => verdict !== "good")).toEqual([])
    expect([code, findings.length]).toEqual([0, 28])
  })

  test.concurrent.each(["http to a port of https", "https to a port of http"])(
    "%s is seen",
    async (which) => {
      const url =
        which === "http to a port of https"
          ? `http://localhost:${proxy?.ports[0]}`
          : (server?.url.replace("http:", "https:") ?? "")
      const { code, stdout } = await run(["doctor", url, "--idle", "0"])
      expect([code, stdout]).toEqual([1, expect.stringContaining("give the address with the other scheme")])
    },
  )

  test.concurrent.each([
    ["signed by nobody whom this machine knows", 0, false, "certificate_bad"],
    ["ends within two weeks", 1, true, "certificate_ends"],
    ["has ended", 2, true, "certificate_bad"],
    ["is for another name", 3, true, "certificate_bad"],
  ] as const)("a certificate that %s is a fault", async (_name, at, trusts, fault) => {
    const [code, findings] = await doctor(at, trusts)
    expect([code, faultsOf(findings)]).toEqual([1, [fault]])
    // No token is sent to a program that cannot prove that it is the server.
    expect(findings.length === 1).toBe(fault === "certificate_bad")
    if (at === 3)
      expect(findings[0]?.says).toBe("clients refuse it: it is for other names (DNS:other.example)")
  })

  test.concurrent("a page that is not known to have come by https may change nothing", async () => {
    const [code, findings] = await doctor(4)
    expect([code, faultsOf(findings)]).toEqual([1, ["scheme_lost"]])
  })

  test.concurrent(
    "a page that is not known to have come by https may not open a WebSocket without a token",
    async () => {
      const [code, findings] = await doctor(6)
      expect([code, faultsOf(findings)]).toEqual([1, ["scheme_lost", "scheme_lost"]])
    },
  )

  test.concurrent("a token that is taken out is a fault", async () => {
    const [code, findings] = await doctor(5)
    expect([code, faultsOf(findings)]).toEqual([1, ["token_lost"]])
  })
})
