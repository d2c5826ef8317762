import { afterAll, expect, test } from "bun:test"
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"

import { PROVE } from "./proof.ts"
import { start, temporaryFolder } from "./server.ts"

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

const PACKAGE = {
  private: true,
  dependencies: { next: "16.4.6", react: "19.3.0", "react-dom": "19.3.0" },
  devDependencies: { typescript: "5.9.3", "@types/node": "26.6.6", "@types/react": "19.3.0" },
}
const LAYOUT = `
export default function Layout({ children }: { children: React.ReactNode }) {
  return <html lang="en"><body>{children}</body></html>
}
`
const PAGE = `
import { ProgressMonitor, QueueItemCard } from "./nextjs-progress-monitor"

export default function Page() {
  return <main><ProgressMonitor /><QueueItemCard queueId={7} /></main>
}
`

/** Runs a command in the app. Returns its exit code and everything that it printed. */
async function run(...command: readonly string[]): Promise<readonly [code: number, printed: string]> {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" }
  const child = Bun.spawn([...command], { cwd: folder.path, env, stdout: "pipe", stderr: "pipe" })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return [await child.exited, stdout + stderr]
}

// It installs Next.js, and needs a package registry for that.
test.skipIf(!PROVE || Bun.which("node") === null)(
  "a fresh Next.js app with the example and the client that the server serves is built",
  async () => {
    await using server = await start()
    const app = join(folder.path, "app")
    mkdirSync(app)
    for (const name of ["client.js", "client.d.ts"])
      await Bun.write(join(app, `track-studio-${name}`), await (await fetch(`${server.url}/${name}`)).text())
    copyFileSync("examples/nextjs-progress-monitor.tsx", join(app, "nextjs-progress-monitor.tsx"))
    await Bun.write(join(app, "layout.tsx"), LAYOUT)
    await Bun.write(join(app, "page.tsx"), PAGE)
    await Bun.write(join(folder.path, "package.json"), JSON.stringify(PACKAGE))
    expect(await run("bun", "install")).toEqual([0, expect.any(String)])
    const [code, printed] = await run("node", "node_modules/next/dist/bin/next", "build")
    expect(printed).toContain("Compiled successfully")
    expect(code).toBe(0)
  },
  300_000,
)
