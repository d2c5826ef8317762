import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"

import { start, temporaryFolder } from "./server.ts"

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

/** An application that shows all items and the first one, and tells its test what a reader would see. */
const APP = `
import { createRoot } from "react-dom/client"
import { ProgressMonitor, QueueItemCard } from ${JSON.stringify(join(import.meta.dir, "../examples/nextjs-progress-monitor.tsx"))}

const baseUrl = new URL(location.href).searchParams.get("server") ?? ""
const root = document.querySelector("main")
let telling = Promise.resolve()
new MutationObserver(() => {
  const body = JSON.stringify({ text: root.innerText, bars: [...root.querySelectorAll("progress")].map((bar) => bar.value) })
  telling = telling.then(() => fetch("/told", { method: "POST", body }))
}).observe(root, { subtree: true, childList: true, characterData: true, attributes: true })
createRoot(root).render(<><ProgressMonitor baseUrl={baseUrl} /><QueueItemCard queueId={1} baseUrl={baseUrl} /></>)
`

interface Shown {
  readonly text: string
  readonly bars: readonly number[]
}

async function bundled(): Promise<Blob> {
  const entry = join(folder.path, "app.tsx")
  await Bun.write(entry, APP)
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    root: join(import.meta.dir, ".."),
    define: {
      "process.env.NEXT_PUBLIC_TRACK_STUDIO_URL": "undefined",
      "process.env.NODE_ENV": '"production"',
    },
    plugins: [
      {
        // The application is in a folder without packages of its own.
        name: "packages of this project",
        setup: (build) =>
          void build.onResolve({ filter: /^react/ }, ({ path }) => ({
            path: Bun.resolveSync(path, import.meta.dir),
          })),
      },
    ],
  })
  const [app] = outputs
  if (!app) throw new Error("nothing was built")
  return app
}

const chromium = Bun.which("chromium")

test.skipIf(chromium === null)(
  "the React example connects, shows updates, outlives a restart of the server, and shows a gap",
  async () => {
    let shown: Shown = { text: "", bars: [] }
    let changed: () => void = () => undefined
    const app = await bundled()
    await using pages = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname } = new URL(request.url)
        if (pathname === "/told") {
          shown = await request.json()
          changed()
          return new Response()
        }
        if (pathname === "/app.js")
          return new Response(app, { headers: { "content-type": "text/javascript" } })
        const html = '<!doctype html><main></main><script type="module" src="/app.js"></script>'
        return new Response(html, { headers: { "content-type": "text/html" } })
      },
    })
    const until = async (fits: (shown: Shown) => boolean): Promise<void> => {
      while (!fits(shown)) await new Promise<void>((resolve) => (changed = resolve))
    }
    const says = (...texts: readonly string[]): Promise<void> =>
      until(({ text }) => texts.every((one) => text.includes(one)))

    const database = join(folder.path, "test.db")
    const before = await start({ database })
    const args = ["--port", new URL(before.url).port]
    await before.add({ song_id: 1, title: "Northern Lights" })
    await before.add({ song_id: 2 })
    const browser = Bun.spawn(
      [
        chromium ?? "",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-component-update",
        "--disable-sync",
        `--user-data-dir=${join(folder.path, "profile")}`,
        "--remote-debugging-port=0",
        `http://127.0.0.1:${pages.port}/?server=${encodeURIComponent(before.url)}`,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    )
    try {
      await says("#1 Northern Lights", "#2 Song 2", "Live", "Waiting")
      await before.put(1, { status: "processing", progress: 30, current_step: "Rendering video" })
      await until(({ bars }) => bars.filter((value) => value === 30).length === 2)
      await says("In progress · Rendering video")

      await before.end("SIGKILL")
      await says("Connection lost, reconnecting…")
      const again = await start({ database, args })
      await again.put(1, { progress: 60 })
      await until(({ bars, text }) => bars.includes(60) && !text.includes("reconnecting"))
      expect(shown.text).not.toContain("missed")
      await again.end()

      // Another database at the same address, whose event IDs mean something else.
      await using other = await start({ args })
      await other.add({ song_id: 3, title: "Of another history" })
      await says("Of another history", "Some updates were missed; the state was refreshed.")
      await other.put(1, { status: "processing" })
      await other.put(1, { status: "completed" })
      await says("Completed")
      await other.connectedClients(1)
    } finally {
      browser.kill()
      await browser.exited
    }
  },
  180_000,
)
