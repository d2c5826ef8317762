import { expect, setDefaultTimeout, test } from "bun:test"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"

import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { finished, itemOf, Program, until } from "./programs.ts"

setDefaultTimeout(180_000)

/** A way to the server that cuts the connection in place of the first answers that hold an item. */
async function cutting(server: TestServer, cuts: number) {
  let left = cuts
  const way = createServer(
    (request, answer) => void pass(request, answer).catch(() => request.socket.destroy()),
  )
  const pass = async (request: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const { host: _, connection: _own, ...headers } = request.headers
    const body = pieces.length > 0 ? Buffer.concat(pieces) : null
    const method = request.method ?? "GET"
    const given = await fetch(`${server.url}${request.url}`, {
      method,
      headers: headers as Record<string, string>,
      body,
    })
    const bytes = Buffer.from(await given.arrayBuffer())
    if (request.url?.endsWith("/claim") && given.status === 200 && left-- > 0)
      return void request.socket.destroy()
    answer
      .writeHead(given.status, { "content-type": given.headers.get("content-type") ?? "text/plain" })
      .end(bytes)
  }
  await new Promise<void>((resolve) => way.listen(0, "127.0.0.1", resolve))
  const { port } = way.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void way.close() }
}

test("a worker that is stopped while its claim is answered gives the item back at once", async () => {
  await using server = await start()
  const id = await server.add()
  const stopped = Promise.withResolvers<void>()
  let isFirst = true
  // It keeps the first answer to itself until the worker has left.
  await using way = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const { method, headers } = request
      const body = method === "GET" ? null : await request.text()
      const answer = await fetch(`${server.url}${pathname}`, { method, headers, body })
      if (!pathname.endsWith("/claim") || !isFirst) return answer
      isFirst = false
      worker.kill("SIGTERM")
      request.signal.addEventListener("abort", () => stopped.resolve())
      await stopped.promise
      return answer
    },
  })
  const worker = new Program([...PROGRAM, "work", "--exec", "true"], `http://127.0.0.1:${way.port}`)
  expect(await worker.ends()).toBe(0)
  expect(await server.item(id)).toMatchObject({ status: "queued", attempt: 1 })
})

test("a worker that is stopped before its claim reaches the server takes no item", async () => {
  await using server = await start()
  const id = await server.add()
  const stopped = Promise.withResolvers<void>()
  let claims = 0
  await using way = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const { method, headers } = request
      const body = method === "GET" ? null : await request.text()
      if (!pathname.endsWith("/claim") || ++claims > 1)
        return fetch(`${server.url}${pathname}`, { method, headers, body })
      worker.kill("SIGTERM")
      request.signal.addEventListener("abort", () => stopped.resolve())
      await stopped.promise
      return new Response("", { status: 502 })
    },
  })
  const worker = new Program([...PROGRAM, "work", "--exec", "true"], `http://127.0.0.1:${way.port}`)
  expect(await worker.ends()).toBe(0)
  expect(claims).toBe(2)
  expect(await server.item(id)).toMatchObject({ status: "queued", attempt: 0 })
})

test("a worker that is stopped while its own item, lost by an outage, comes back to it by a claim goes on with it", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const id = await server.add()
  const stopped = Promise.withResolvers<void>()
  let [isCut, claims] = [false, 0]
  // Once it is cut, only the claim that waits at the server goes on, and its answer comes when the worker has left.
  await using way = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      if (isCut) return new Response("", { status: 502 })
      const { pathname, search } = new URL(request.url)
      const { method, headers } = request
      const body = method === "GET" ? null : await request.text()
      const isClaim = pathname.endsWith("/claim")
      if (isClaim) claims += 1
      const answer = await fetch(`${server.url}${pathname}${search}`, { method, headers, body })
      if (!isCut) return answer
      if (!isClaim) return new Response("", { status: 502 })
      worker.kill("SIGTERM")
      request.signal.addEventListener("abort", () => stopped.resolve())
      isCut = false
      await stopped.promise
      return answer
    },
  })
  const file = join(folder.path, "go")
  const command = `until [ -e ${file} ]; do sleep 0.1; done`
  const worker = new Program(
    [...PROGRAM, "work", "--concurrency", "2", "--lease", "1", "--exec", command],
    `http://127.0.0.1:${way.port}`,
  )
  await worker.prints(`queue item ${id}: started`)
  while (claims < 2) await Bun.sleep(5)
  isCut = true
  await worker.prints("finishing 1 item")
  await until(server, id, ({ attempt }) => attempt === 2)
  await Bun.write(file, "")
  expect(await worker.ends()).toBe(0)
  expect(await itemOf(server, id)).toMatchObject({ status: "completed", attempt: 2 })
})

const WORKERS: readonly (readonly [string, readonly string[]])[] = [
  ["work", [...PROGRAM, "work", "--exec", "true"]],
  ["worker.sh", ["bash", "examples/worker.sh", "true"]],
  ["worker.py", ["python3", "examples/worker.py", "true"]],
  ["worker.ts", ["bun", "examples/worker.ts", "true"]],
]

test.each(WORKERS.filter(([, [program = ""]]) => Bun.which(program) !== null))(
  "%s renders an item in its first attempt though the answers to its claims were cut",
  async (_name, command) => {
    await using server = await start()
    using way = await cutting(server, 2)
    const id = await server.add()
    const worker = new Program(command, way.url)
    try {
      expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
    } finally {
      worker.kill("SIGTERM")
      expect(await worker.ends()).toBe(0)
    }
  },
)
