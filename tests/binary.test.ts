import { describe, expect, test } from "bun:test"
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import packageFile from "../package.json"
import { temporaryFolder, textOf } from "./server.ts"
import { SocketReader } from "./sockets.ts"

const named = process.env["TRACK_STUDIO_BINARY"]
const BINARY = resolve(named ?? "")

/** A run of the binary alone: in a chosen folder, and with no environment except what the test gives. */
class Running {
  readonly startedMs = performance.now()
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">
  /** What was logged at the start. */
  readonly log: Promise<Readonly<Record<string, string>>>

  constructor(
    cwd: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    binary = BINARY,
  ) {
    this.child = Bun.spawn([binary, "--port", "0", ...args], {
      cwd,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    this.log = this.#firstLine()
  }

  async url(): Promise<string> {
    return (await this.log)["url"] ?? ""
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL")
    await this.child.exited
  }

  async #firstLine(): Promise<Record<string, string>> {
    const decoder = new TextDecoder()
    let text = ""
    for await (const chunk of this.child.stdout) {
      text += decoder.decode(chunk, { stream: true })
      if (text.includes("\n")) return JSON.parse(text.split("\n")[0] ?? "")
    }
    throw new Error(`it did not start: ${text}${await textOf(this.child.stderr)}`)
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

async function post(url: string, body: object): Promise<number> {
  const answer = await fetch(`${url}/api/v1/queue`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  await answer.arrayBuffer()
  return answer.status
}

describe.skipIf(named === undefined)("the binary", () => {
  test("answers within 200 ms of its start, on a new database and on one it knows", async () => {
    using folder = temporaryFolder()
    for (const database of ["new", "known"]) {
      const took: number[] = []
      for (let i = 0; i < 7; i += 1) {
        const file = join(folder.path, database === "new" ? `${i}.db` : "0.db")
        await using running = new Running(folder.path, ["--database", file])
        expect((await fetch(`${await running.url()}/health`)).status).toBe(200)
        took.push(performance.now() - running.startedMs)
      }
      expect(median(took)).toBeLessThan(200)
    }
  })

  test("shows the version and the commit it was built from", async () => {
    using folder = temporaryFolder()
    const child = Bun.spawn([BINARY, "--version"], { cwd: folder.path, env: {}, stdout: "pipe" })
    const said = await textOf(child.stdout)
    const [, version, commit] = /^track-studio (\S+) \((\S+)\)\n$/.exec(said) ?? []
    expect(version).toBe(packageFile.version)
    expect(commit).toMatch(/^([0-9a-f]{7,40}|unknown)$/)
    await using running = new Running(folder.path)
    expect(await running.log).toMatchObject({ version, commit })
    expect(await (await fetch(`${await running.url()}/health`)).json()).toMatchObject({ version, commit })
  })

  test("runs from any folder with everything inside, and keeps its database below that folder", async () => {
    using folder = temporaryFolder()
    const binary = join(folder.path, "moved")
    copyFileSync(BINARY, binary)
    const cwd = join(folder.path, "some where")
    mkdirSync(cwd)
    await using running = new Running(cwd, [], {}, binary)
    expect(await running.log).toMatchObject({
      database: join(cwd, "data", "track-studio.db"),
      found: "nothing; database created",
    })
    const url = await running.url()
    expect(await post(url, { song_id: 1 })).toBe(201)
    const { queue }: { queue: object[] } = await (await fetch(`${url}/api/v1/queue`)).json()
    expect(queue).toMatchObject([{ id: 1, song_id: 1, status: "queued" }])
  })

  test("holds no path of the machine that built it", async () => {
    const bytes = Buffer.from(await Bun.file(BINARY).arrayBuffer())
    expect(bytes.includes(resolve(import.meta.dir, "..", "src"))).toBeFalse()
  })

  test("ignores the settings for Bun in its working folder", async () => {
    using folder = temporaryFolder()
    const trap = join(folder.path, "sprung")
    const poison = `require("fs").writeFileSync(${JSON.stringify(trap)}, "")\n`
    const setting = "TRACK_STUDIO_CORS_ORIGIN=https://trap.example\nTRACK_STUDIO_DATABASE=./trap.db\n"
    const files = {
      ".env": setting,
      ".env.local": setting,
      ".env.production": setting,
      ".env.development": setting,
      "bunfig.toml": 'preload = ["./preload.ts"]\n',
      "preload.ts": poison,
      "package.json": '{"type": "commonjs", "name": "trap"',
      "tsconfig.json": "{",
      "node_modules/elysia/index.js": poison,
      "node_modules/elysia/package.json": '{"name": "elysia", "main": "index.js"}',
    }
    mkdirSync(join(folder.path, "node_modules", "elysia"), { recursive: true })
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content)
    await using running = new Running(folder.path)
    expect(await running.log).toMatchObject({ database: join(folder.path, "data", "track-studio.db") })
    const answer = await fetch(`${await running.url()}/health`, {
      headers: { origin: "https://else.example" },
    })
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
    expect(existsSync(trap)).toBeFalse()
  })

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`drains on ${signal}: streams end cleanly, and it exits with 0 within 2 s`, async () => {
      using folder = temporaryFolder()
      await using running = new Running(folder.path)
      const url = await running.url()
      expect(await post(url, { song_id: 1 })).toBe(201)
      const streams = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          SocketReader.open(url, i % 2 === 0 ? "/progress/stream" : "/progress/stream/1"),
        ),
      )
      for (const stream of streams) await stream.first("live")
      const held = fetch(`${url}/api/v1/queue/1?wait=finished&timeout=3600`)
      // A request and its answer show that the update has arrived.
      for (let i = 0; i < 3; i += 1) expect(await post(url, { song_id: 2 })).toBe(201)
      const stuck = await SocketReader.open(url, "/progress/stream")
      stuck.pause()
      const startedMs = performance.now()
      running.child.kill(signal)
      expect(await running.child.exited).toBe(0)
      expect(performance.now() - startedMs).toBeLessThan(6000)
      expect(await Promise.all(streams.map((stream) => stream.ended))).toEqual(Array(100).fill(true))
      for (const { seen } of streams) expect(seen.at(-1)?.event).toBe("shutdown")
      expect(await (await held).json()).toMatchObject({ id: 1, status: "queued" })
      expect(await textOf(running.child.stderr)).toBe("")
      // Everything is in the one file, and nothing must be recovered.
      expect(existsSync(join(folder.path, "data", "track-studio.db-wal"))).toBeFalse()
    })
  }
})
