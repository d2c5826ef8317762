import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"
import { faultsOf, finished, historyOf, itemOf, processesWith, Program, until } from "./programs.ts"

setDefaultTimeout(20_000)

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "worker.sh": ["bash", "examples/worker.sh"],
  "worker.py": ["python3", "examples/worker.py"],
  "worker.ts": ["bun", "examples/worker.ts"],
}

/** A worker that runs a script for each item. */
const working = (server: TestServer, worker: readonly string[], script: string): Program =>
  new Program([...worker, "bash", "-c", script], server.url, { env: { WORKER_NAME: "example" } })

async function stopped(worker: Program): Promise<number> {
  worker.kill("SIGTERM")
  return worker.ends()
}

describe.each(Object.entries(EXAMPLES))("%s", (name, command) => {
  const skipped = Bun.which(command[0] ?? "") === null

  test.skipIf(skipped)("renders items, whatever is in them, and shows how far it is", async () => {
    await using server = await start()
    const ids = [
      await server.add({ song_id: 3, title: 'A "title": {"lease":{"token":"abc"}}\nä' }),
      await server.add({ song_id: 4, metadata: { id: 99, directive: "cancel", lease: { token: "abc" } } }),
    ]
    // It is slow enough for workers that report four times a second.
    await using worker = working(server, command, "for i in 10 40 70; do echo image $i%; sleep 0.3; done")
    for (const id of ids) {
      expect(await finished(server, id)).toMatchObject({ status: "completed", worker: "example", attempt: 1 })
      const history = await historyOf(server, id)
      expect(faultsOf(history)).toEqual([])
      const shares = history.map(({ progress }) => progress)
      // If it is slow, the latest report counts.
      expect(shares).toContain(70)
      expect(new Set(shares).size).toBeGreaterThan(3)
    }
    expect(await stopped(worker)).toBe(0)
    expect((await worker.stdout).toString()).toBe("image 10%\nimage 40%\nimage 70%\n".repeat(2))
  })

  test.skipIf(skipped)(
    "tells its command which item it renders, and nothing that ffmpeg would take for keys",
    async () => {
      await using server = await start()
      const id = await server.add({ song_id: 3, title: "Midnight Boutique" })
      await using worker = working(
        server,
        command,
        'echo "$TRACK_STUDIO_ITEM_ID, song $TRACK_STUDIO_SONG_ID"; cat',
      )
      expect(await finished(server, id)).toMatchObject({ status: "completed" })
      expect(await stopped(worker)).toBe(0)
      expect((await worker.stdout).toString()).toBe(`${id}, song 3\n`)
    },
  )

  test.skipIf(skipped)("tells of a failure, and goes on", async () => {
    await using server = await start()
    const [bad, good] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
    const once = join(folder.path, `${name}-once`)
    await using worker = working(server, command, `[ -e ${once} ] || { touch ${once}; exit 3; }`)
    expect(await finished(server, good)).toMatchObject({ status: "completed" })
    expect(await itemOf(server, bad)).toMatchObject({
      status: "retrying",
      error_message: "the command ended with code 3",
    })
    expect(await stopped(worker)).toBe(0)
  })

  test.skipIf(skipped)(
    "stops the command of an item that is cancelled, and all that it started",
    async () => {
      await using server = await start()
      const [long, next] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
      const once = join(folder.path, `${name}-long`)
      const mark = `66${process.pid}`
      const script = `[ -e ${once} ] || { touch ${once}; echo 20%; sleep ${mark}; echo late; }`
      await using worker = working(server, command, script)
      await until(server, long, ({ progress }) => progress === 20)
      const startedMs = performance.now()
      await server.api("POST", `/queue/${long}/cancel`)
      expect(await finished(server, long)).toMatchObject({ outcome: "cancelled" })
      expect(performance.now() - startedMs).toBeLessThan(5000)
      expect(processesWith(`sleep ${mark}`).filter((line) => line.startsWith("sleep"))).toEqual([])
      expect(await finished(server, next)).toMatchObject({ status: "completed" })
      expect(await stopped(worker)).toBe(0)
    },
  )

  test.skipIf(skipped)("finishes its items when it is asked to stop, and takes nothing more", async () => {
    await using server = await start()
    const [first, second] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
    const go = join(folder.path, `${name}-go`)
    await using worker = working(
      server,
      command,
      `echo 19%; while [ ! -e ${go} ]; do echo 20%; sleep 0.05; done`,
    )
    await until(server, first, ({ progress }) => progress === 20)
    worker.kill("SIGTERM")
    await Bun.write(go, "")
    expect(await worker.ends()).toBe(0)
    expect(await itemOf(server, first)).toMatchObject({ status: "completed" })
    expect(await itemOf(server, second)).toMatchObject({ status: "queued", attempt: 0 })
  })

  test.skipIf(skipped)("ends at once while it waits for an item", async () => {
    await using server = await start()
    const id = await server.add()
    await using worker = working(server, command, "true")
    await finished(server, id)
    await worker.prints("ended with code 0")
    const startedMs = performance.now()
    expect(await stopped(worker)).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })

  test.skipIf(skipped)("outlives a restart of the server", async () => {
    await using server = await start()
    const id = await server.add()
    const go = join(folder.path, `${name}-back`)
    await using worker = working(
      server,
      command,
      `echo 19%; echo 20%; while [ ! -e ${go} ]; do sleep 0.02; done; while [ ! -e ${go}2 ]; do echo 30%; sleep 0.05; done`,
    )
    await until(server, id, ({ progress }) => progress === 20)
    await server.end("SIGKILL")
    await Bun.write(go, "")
    // One was tried when the next is read.
    await worker.prints("30%\n30%")
    const port = new URL(server.url).port
    await using back = await start({ args: ["--port", port], database: server.database })
    await until(back, id, ({ progress }) => progress === 30)
    await Bun.write(`${go}2`, "")
    expect(await finished(back, id)).toMatchObject({ status: "completed", attempt: 1 })
    expect(faultsOf(await historyOf(back, id))).toEqual([])
    const later = await back.add()
    expect(await finished(back, later)).toMatchObject({ status: "completed" })
    expect(await stopped(worker)).toBe(0)
  })
})

test("a server that takes reports and never answers holds the command of worker.sh up once, not for each line", async () => {
  const answers: Readonly<Record<string, () => Response | Promise<Response>>> = {
    claim: () => Response.json({ item: { id: 1, song_id: 3, title: "" }, lease: { token: "ab-12" } }),
    progress: () => new Promise(() => undefined),
  }
  let claims = 0
  await using server = Bun.serve({
    port: 0,
    fetch: ({ url }) => {
      const what = /\w+$/.exec(new URL(url).pathname)?.[0] ?? ""
      if (what === "claim" && (claims += 1) > 1) return new Promise(() => undefined)
      return answers[what]?.() ?? Response.json({ directive: "continue" })
    },
  })
  const env = { WORKER_NAME: "example" }
  const script = "for i in 1 2 3 4 5 6 7 8; do echo 10%; done; echo 11%"
  const command = ["bash", "examples/worker.sh", "bash", "-c", script]
  await using worker = new Program(command, server.url.origin, { env })
  const startedMs = performance.now()
  await worker.prints("11%")
  expect(performance.now() - startedMs).toBeLessThan(8000)
  expect(await stopped(worker)).toBe(0)
})

const units = readdirSync("packaging").filter((file) => file.endsWith(".service"))

test.skipIf(Bun.which("systemd-analyze") === null)("systemd understands our units", async () => {
  // It also checks that the program exists.
  const program = join(folder.path, "track-studio")
  writeFileSync(program, "#!/bin/sh\n")
  chmodSync(program, 0o755)
  const copies = units.map((file) => {
    const copy = join(folder.path, file)
    const unit = readFileSync(join("packaging", file), "utf8")
    writeFileSync(copy, unit.replaceAll("/usr/local/bin/track-studio", program))
    return copy
  })
  const verify = Bun.spawn(["systemd-analyze", "verify", ...copies], { stdout: "pipe", stderr: "pipe" })
  expect(units).toHaveLength(2)
  expect(await new Response(verify.stderr).text()).toBe("")
  expect(await verify.exited).toBe(0)
})
