import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"

import { found, freePort } from "../engines.ts"
import { temporaryFolder } from "../server.ts"

setDefaultTimeout(400_000)

const ROOT = join(import.meta.dir, "../..")
const isProof = process.env["TRACK_STUDIO_PROVE"] === "1"
/** Debian's libraries for arm64 programs. */
const LIBRARIES = "/usr/aarch64-linux-gnu"
const emulator = isProof && process.arch === "x64" ? found("qemu-aarch64") : null
const canRun = emulator !== null && existsSync(LIBRARIES)
if (isProof && !canRun) console.log("skipped: the arm64 binary needs qemu-user and libc6-arm64-cross to run")

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

test.skipIf(!canRun)("the binary for linux-arm64 serves a queue, renders and streams", async () => {
  const binary = join(folder.path, "track-studio")
  const built = Bun.spawnSync(["bash", "scripts/build.sh", "bun-linux-arm64", binary], { cwd: ROOT })
  expect([built.exitCode, built.exitCode === 0 ? "" : built.stderr.toString()]).toEqual([0, ""])
  const emulated = [emulator ?? "", binary]
  const url = `http://127.0.0.1:${freePort()}`
  const env = { ...process.env, QEMU_LD_PREFIX: LIBRARIES, TRACK_STUDIO_SERVER: url }

  const database = join(folder.path, "queue.db")
  const command = [...emulated, "serve", "--port", new URL(url).port, "--database", database]
  const server = Bun.spawn(command, { env, stdout: "pipe", stderr: "inherit", stdin: "ignore" })
  try {
    const log = server.stdout.getReader()
    let said = ""
    while (!said.includes('"listening"')) {
      const { value, done } = await log.read()
      if (done) throw new Error(`the server ended: ${said}`)
      said += new TextDecoder().decode(value)
    }
    const body = JSON.stringify({ song_id: 7 })
    const headers = { "content-type": "application/json" }
    expect((await fetch(`${url}/api/v1/queue`, { method: "POST", headers, body })).status).toBe(201)

    const script = "for i in 1 2 3; do echo frame $i/3; done"
    const run = Bun.spawn([...emulated, "run", "--item", "1", "--", "sh", "-c", script], { env })
    expect(await run.exited).toBe(0)
    const watched = Bun.spawn([...emulated, "watch", "1"], { env, stdout: "pipe" })
    expect(await new Response(watched.stdout).text()).toContain("completed")
    const stream = await fetch(`${url}/api/v1/progress/stream/1?until=finished`)
    expect(await stream.text()).toContain('"status":"completed"')
  } finally {
    server.kill()
  }
  expect(await server.exited).toBe(0)
})
