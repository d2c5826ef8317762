import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"

import { start, temporaryFolder } from "../server.ts"

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

/** The client as one file for browsers and Node. */
const bundle = (async (): Promise<string> => {
  const entry = join(import.meta.dir, "../../src/client/client.ts")
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser", outdir: folder.path })
  const [file] = outputs
  if (!file) throw new Error("nothing was built")
  return file.path
})()

/**
 * Watches, prints what is said as JSON, and ends after the second `live`. Node and browsers run the same
 * code.
 */
const PROGRAM = (url: string, tell: string): string => `
  const client = new Client("${url}")
  const item = await client.add({ song_id: 1, title: "from elsewhere" })
  let lives = 0
  for await (const said of client.watch()) {
    ${tell}(JSON.stringify(said.type === "control" ? said.control.event : said.type === "update" ? said.id : "offline"))
    if (said.type === "control" && said.control.event === "live" && ++lives === 2) break
  }
  ${tell}(JSON.stringify((await client.get(item.id)).title))
`

/**
 * Lets a program in another runtime watch while the server is restarted. Returns what the program reported,
 * in order.
 */
async function elsewhere(run: (url: string, told: (line: string) => void) => Promise<Disposable>) {
  using home = temporaryFolder()
  const database = join(home.path, "queue.db")
  const first = await start({ database })
  const lines: unknown[] = []
  let changed: () => void = () => undefined
  const told = (line: string): void => {
    lines.push(JSON.parse(line))
    changed()
  }
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) await new Promise<void>((resolve) => (changed = resolve))
  }
  using _running = await run(first.url, told)
  await until(() => lines.includes("live"))
  await first.put(1, { progress: 5 })
  await until(() => lines.length === 3)
  await first.end("SIGKILL")
  await using second = await start({ database, args: ["--port", new URL(first.url).port] })
  await second.put(1, { progress: 6 })
  await until(() => lines.includes("from elsewhere"))
  return lines.filter((line) => line !== "offline")
}

/** A web server of another origin. */
function pages(fetch: (request: Request) => Promise<Response>) {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch })
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) }
}

const SAID: readonly unknown[] = [1, "live", 2, 3, "live", "from elsewhere"]

const node = Bun.which("node")
test.skipIf(node === null)(
  "the client runs in Node, over a restart of the server",
  async () => {
    const script = join(folder.path, "watch.mjs")
    const said = await elsewhere(async (url, told) => {
      const program = `import { Client } from ${JSON.stringify(await bundle)}\n${PROGRAM(url, "console.log")}`
      await Bun.write(script, program)
      const child = Bun.spawn([node ?? "", script], { stdout: "pipe", stderr: "inherit" })
      void (async () => {
        let rest = ""
        for await (const chunk of child.stdout) {
          const lines = (rest + new TextDecoder().decode(chunk)).split("\n")
          rest = lines.pop() ?? ""
          lines.forEach(told)
        }
      })()
      return { [Symbol.dispose]: () => child.kill() }
    })
    expect(said).toEqual([...SAID])
  },
  180_000,
)

const chromium = Bun.which("chromium")
test.skipIf(chromium === null)(
  "the client runs in a browser, on a page of another origin",
  async () => {
    let url = ""
    let tell: (line: string) => void = () => undefined
    await using page = pages(async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname === "/told") {
        tell(await request.text())
        return new Response()
      }
      if (pathname === "/client.js") return new Response(Bun.file(await bundle))
      const script = `import { Client } from "/client.js"
      const tell = (line) => fetch("/told", { method: "POST", body: line })
      ${PROGRAM(url, "await tell")}`
      return new Response(`<script type="module">${script}</script>`, {
        headers: { "content-type": "text/html" },
      })
    })
    const said = await elsewhere(async (server, told) => {
      url = server
      tell = told
      const args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-component-update",
        "--disable-sync",
      ]
      const profile = `--user-data-dir=${join(folder.path, "profile")}`
      const child = Bun.spawn([chromium ?? "", ...args, profile, "--remote-debugging-port=0", page.url], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      })
      return { [Symbol.dispose]: () => child.kill() }
    })
    expect(said).toEqual([...SAID])
  },
  180_000,
)

test("the client names nothing that is peculiar to one runtime", async () => {
  const code = await Bun.file(await bundle).text()
  expect(code).not.toMatch(/\bBun\b|\bprocess\b|\bBuffer\b|node:|require\(/)
  expect(code).toContain("class Client")
})

test("the client is small, as the server serves it", async () => {
  const entry = join(import.meta.dir, "../../src/client/client.ts")
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "browser", minify: true })
  const served = (await outputs[0]?.text()) ?? ""
  expect(served).toMatch(/export\{\w+ as Client,/)
  expect(served.length).toBeLessThan(18_000)
})
