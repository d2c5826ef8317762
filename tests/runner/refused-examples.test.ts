import { expect, setDefaultTimeout, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"
import { finished, Program } from "./programs.ts"

setDefaultTimeout(180_000)

const WORKERS: readonly (readonly [string, readonly string[]])[] = [
  ["worker.sh", ["bash", "examples/worker.sh", "true"]],
  ["worker.py", ["python3", "examples/worker.py", "true"]],
  ["worker.ts", ["bun", "examples/worker.ts", "true"]],
]
const installed = WORKERS.filter(([, [program = ""]]) => Bun.which(program) !== null)

const refusal = (status: number): Response =>
  Response.json({ error: "try again in 1 s", code: "too_many" }, { status, headers: { "retry-after": "1" } })

/**
 * A way to a server that refuses the first claim and the first result, and that says after the second claim that the worker
 * is to take no more items.
 */
function refusing(server: TestServer, status: number) {
  const asked = { claims: 0, results: 0, tokens: new Set<string | null>() }
  const way = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { headers, method, url } = request
      asked.tokens.add(headers.get("authorization"))
      headers.delete("authorization")
      const { pathname, search } = new URL(url)
      if (pathname.endsWith("/claim") && (asked.claims += 1) !== 2) {
        return asked.claims === 1
          ? refusal(status)
          : new Response(null, { status: 204, headers: { drain: "true" } })
      }
      if (pathname.endsWith("/complete") && (asked.results += 1) === 1) return refusal(status)
      return fetch(`${server.url}${pathname}${search}`, { method, headers, body: await request.text() })
    },
  })
  return { asked, url: `http://127.0.0.1:${way.port}`, [Symbol.dispose]: () => void way.stop(true) }
}

test.concurrent.each(installed)(
  "%s tries again what the server refuses only for now",
  async (_name, command) => {
    await using server = await start()
    const id = await server.add()
    using way = refusing(server, 429)
    await using worker = new Program(command, way.url)
    await worker.prints("ended with code 0")
    expect(way.asked.results).toBe(2)
    expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
  },
)

test.concurrent.each(installed)(
  "%s sends its token, waits while that is refused, and ends when it is drained",
  async (_name, command) => {
    await using server = await start()
    await server.add()
    using way = refusing(server, 401)
    await using worker = new Program(command, way.url, { env: { TRACK_STUDIO_TOKEN: "tsk_example" } })
    expect(await worker.ends()).toBe(0)
    expect(way.asked).toEqual({ claims: 3, results: 2, tokens: new Set(["Bearer tsk_example"]) })
  },
)

test.concurrent.each(installed)(
  "the command of %s does not get its token",
  async (_name, [program = "", file = ""]) => {
    await using server = await start()
    await server.add()
    using way = refusing(server, 429)
    const script = 'echo "token: ${TRACK_STUDIO_TOKEN:-none}"'
    const env = { TRACK_STUDIO_TOKEN: "tsk_example" }
    await using worker = new Program([program, file, "bash", "-c", script], way.url, { env })
    expect(await worker.ends()).toBe(0)
    expect((await worker.stdout).toString()).toBe("token: none\n")
  },
)

test("worker.sh takes items with a curl from before 7.84, and ends when it is drained", async () => {
  using folder = temporaryFolder()
  // Such a curl prints what it does not know as it stands.
  const older = `#!/usr/bin/env bash\nexec ${Bun.which("curl")} "\${@//%header/%%header}"\n`
  writeFileSync(join(folder.path, "curl"), older, { mode: 0o755 })
  await using server = await start()
  const id = await server.add()
  using way = refusing(server, 429)
  const env = { PATH: `${folder.path}:${process.env["PATH"]}` }
  await using worker = new Program(["bash", "examples/worker.sh", "true"], way.url, { env })
  expect(await worker.ends()).toBe(0)
  expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
})
