import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { passProxy, proxyAsInherited } from "../../src/settings/proxy.ts"
import { run, start } from "../server.ts"

setDefaultTimeout(180_000)

const seen: string[] = []
/** A program in place of a company's proxy. It answers every request itself. */
const proxy = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ url, headers }) => {
    seen.push(`${url} ${headers.get("lease") ?? ""}`)
    return new Response("Blocked by the proxy", { status: 403 })
  },
})
const server = await start()
afterAll(async () => {
  await proxy.stop(true)
  await server[Symbol.asyncDispose]()
})
const address = `http://127.0.0.1:${proxy.port}`

test("requests to this machine pass the proxy of the environment, and a command gets that as it was", async () => {
  const script = 'echo "[${NO_PROXY-none}] [${no_proxy-none}] $HTTP_PROXY"'
  for (const [env, told] of [
    [{ HTTP_PROXY: address, http_proxy: address }, "[none] [none]"],
    [{ HTTP_PROXY: address, NO_PROXY: "intranet" }, "[intranet] [none]"],
  ] as const) {
    for (const url of [server.url, server.url.replace("127.0.0.1", "0.0.0.0")]) {
      const args = ["run", "--server", url, "--song", "1", "--", "sh", "-c", script]
      const { code, stdout } = await run(args, env)
      expect([code, stdout]).toEqual([0, `${told} ${address}\n`])
    }
  }
  // Nothing listens there, so only a proxy could answer.
  const elsewhere = server.url.replace("127.0.0.1", "127.0.0.2")
  const { stderr: unanswered } = await run(["list", "--server", elsewhere], { HTTP_PROXY: address })
  expect(unanswered).toContain("no server answers")
  expect(seen).toEqual([])
  // The control: requests for another machine go through it.
  const { code, stderr } = await run(["list", "--server", "http://192.0.2.1:8080"], { HTTP_PROXY: address })
  expect([code, stderr]).toEqual([1, expect.stringContaining("the server answered 403")])
  expect(seen).toHaveLength(1)
})

test.each([
  [{ NO_PROXY: "intranet" }, "intranet,"],
  [{ no_proxy: "intranet" }, "intranet,"],
  [{ NO_PROXY: "", no_proxy: "intranet" }, "intranet,"],
  [{ NO_PROXY: "a", no_proxy: "b" }, "a,"],
  [{}, ""],
])("with a proxy and %j, what bypassed it still does, and so does this machine", (exceptions, kept) => {
  for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]) {
    const env: NodeJS.ProcessEnv = { [name]: address, ...exceptions }
    passProxy(env)
    const bypassing = `${kept}localhost,127.0.0.0/8,::1,[::1],0.0.0.0,::,[::]`
    expect(env).toEqual({ [name]: address, NO_PROXY: bypassing, no_proxy: bypassing })
    // A command gets the variables as they were.
    const inherited: object = { ...env, ...proxyAsInherited() }
    expect(inherited).toEqual({ [name]: address, NO_PROXY: undefined, no_proxy: undefined, ...exceptions })
  }
})

test("the environment is not changed without a proxy, nor if all requests already bypass it", () => {
  for (const env of [{ NO_PROXY: "intranet" }, { HTTP_PROXY: address, no_proxy: "*" }]) {
    const before = { ...env }
    passProxy(env)
    expect<object>(env).toEqual(before)
  }
})
