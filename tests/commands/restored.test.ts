import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { Browser, hasChromium, HOST, type Tab } from "../dashboard/browser.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"

// The first run may have to install Chromium.
setDefaultTimeout(300_000)

const browser = hasChromium ? await Browser.start() : undefined
afterAll(async () => browser?.stop())

/** A webhook that remembers its requests, and answers with `status`. */
class Receiver {
  readonly heard: string[] = []
  status = 200
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { type, data }: { type: string; data: { queue_id: number } } = await request.json()
      this.heard.push(`${type} ${data.queue_id}`)
      return new Response(null, { status: this.status })
    },
  })

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop(true)
  }
}

async function until(fits: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await fits())) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function finished(server: TestServer, id: number): Promise<void> {
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
}

const LIVE = `document.querySelector("#badge").dataset.state === "live"`
const ROWS = `[...document.querySelectorAll("[data-item]")].map(({ dataset }) => dataset.item).sort().join()`

/** A command that renders until a file is there. */
const rendering = (file: string): string[] => ["--", "sh", "-c", `until [ -e ${file} ]; do sleep 0.05; done`]

test("a backup that is put back is right for an open page, for renders that run, and for a webhook", async () => {
  await using receiver = new Receiver()
  using folder = temporaryFolder()
  const [database, file, go] = ["queue.db", "copy.db", "go"].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ]
  const args = ["--webhook", receiver.url]
  const renders: Promise<{ code: number; stderr: string }>[] = []
  let tab: Tab | undefined
  let port = "0"
  {
    await using server = await start({ database, args })
    port = new URL(server.url).port
    const [early, later, done] = [
      await server.add({ song_id: 1, title: "Early" }),
      await server.add({ song_id: 2, title: "Later" }),
      await server.add({ song_id: 3, title: "Done" }),
    ]
    const render = (id: number): void => {
      renders.push(run(["run", "--item", `${id}`, "--server", server.url, ...rendering(go)]))
    }
    render(early)
    await until(async () => (await server.item(early)).status === "processing")
    // The webhook gets the notice of one item, but its answer has not come when the backup is made.
    receiver.status = 500
    await finished(server, done)
    await until(() => receiver.heard.length > 0)
    await run(["backup", file, "--database", database])
    receiver.status = 200
    // The backup does not contain what follows.
    render(later)
    await until(async () => (await server.item(later)).status === "processing")
    const lost = await server.add({ song_id: 4, title: "Lost" })
    await finished(server, lost)
    const timesOf = (id: number): number => receiver.heard.filter((one) => one === `completed ${id}`).length
    await until(() => timesOf(lost) > 0 && timesOf(done) > 1)
    tab = await browser?.open(server.url.replace("127.0.0.1", HOST))
    await tab?.until(LIVE)
    await tab?.until(`${ROWS} === "1,2,3,4"`)
    await server.end()
  }
  const told = [...receiver.heard]
  expect((await run(["restore", file, "--database", database])).stderr).toBe("")
  await using server = await start({ database, args: [...args, "--port", port] })
  await tab?.until(LIVE)
  await tab?.until(`${ROWS} === "1,2,3"`)
  for (const id of [1, 2]) await until(async () => (await server.item(id)).status === "processing")
  await tab?.until(`!document.body.textContent.includes("Lost")`)
  writeFileSync(go, "")
  for (const { code, stderr } of await Promise.all(renders))
    expect([stderr, code]).toEqual([expect.anything(), 0])
  expect([(await server.item(1)).status, (await server.item(2)).status]).toEqual(["completed", "completed"])
  // Deliveries that were pending are due at the start, before everything that happens later.
  await until(() => ["completed 1", "completed 2"].every((one) => receiver.heard.includes(one)))
  expect(receiver.heard.slice(told.length).sort()).toEqual(["completed 1", "completed 2"])
  expect(tab?.complaints ?? []).toEqual([])
  await tab?.close()
})
