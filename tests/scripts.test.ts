import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { Reader } from "./reader.ts"
import { start, temporaryFolder, type TestServer } from "./server.ts"

// A render takes its time on a busy machine, and the first one may have to install ffmpeg.
setDefaultTimeout(240_000)

const canInstall = process.getuid?.() === 0 && Bun.which("apt-get") !== null
const withFfmpeg = test.skipIf(Bun.which("ffmpeg") === null && !canInstall)

/** A script under way. */
class Script {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">
  stdout = ""
  stderr = ""
  /** Resolves with the exit code, once all output is there. */
  readonly ended: Promise<number>
  #changed: () => void = () => undefined

  constructor(name: string, args: readonly string[], url: string, env: Record<string, string> = {}) {
    this.child = Bun.spawn([`scripts/${name}`, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TRACK_STUDIO_SERVER: url, ...env },
    })
    const output = [
      this.#read(this.child.stdout, (text) => (this.stdout += text)),
      this.#read(this.child.stderr, (text) => (this.stderr += text)),
    ]
    this.ended = Promise.all(output).then(() => this.child.exited)
  }

  /** Resolves once the output contains a text. */
  async until(text: string): Promise<void> {
    let isOver = false
    const over = this.ended.then(() => (isOver = true))
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      if (isOver) throw new Error(`it ended without "${text}":\n${this.stdout}${this.stderr}`)
      const more = new Promise<void>((resolve) => {
        this.#changed = resolve
      })
      await Promise.race([more, over])
    }
  }

  /** The lines of standard output that begin with this word, without it. */
  lines(word: string): string[] {
    return this.stdout
      .split("\n")
      .filter((line) => line.startsWith(word))
      .map((line) => line.slice(word.length).trim())
  }

  async #read(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }))
      this.#changed()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM")
    await this.ended
  }
}

interface Update {
  readonly status: string
  readonly progress: number
  readonly current_step: string
  readonly message: string
  readonly error_message?: string
}

interface Item extends Update {
  readonly video_file_path: string
  readonly video_file_size: number
}

const history = async (server: TestServer, id: number): Promise<Update[]> => {
  const body: { updates: Update[] } = await (await server.api("GET", `/queue/${id}/updates`)).json()
  return body.updates
}

const itemOf = async (server: TestServer, id: number): Promise<Item> =>
  (await server.api("GET", `/queue/${id}`)).json()

/** Status and percentage of each update in lines of `?format=text`. */
const seenIn = (lines: readonly string[]): [status: string, progress: number][] =>
  lines.flatMap((line) => {
    const [, status = "", progress] = /^\d\d:\d\d:\d\d #\d+ .*? {2}([a-z]+) +(\d+)%/.exec(line) ?? []
    return progress === undefined ? [] : [[status, Number(progress)]]
  })

/** From 0 to 100, never down, through the legal states, and complete only at the end. */
function expectWholeRender(seen: readonly [status: string, progress: number][]): void {
  const shares = seen.map(([, progress]) => progress)
  expect(shares[0]).toBe(0)
  expect(shares.at(-1)).toBe(100)
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  expect(shares.indexOf(100)).toBe(shares.length - 1)
  const states = seen.map(([status]) => status).filter((status, at, all) => status !== all[at - 1])
  expect(states).toEqual(["queued", "processing", "completed"])
}

/** An address where nothing listens. */
async function nowhere(): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() })
  const url = `http://127.0.0.1:${server.port}`
  await server.stop(true)
  return url
}

const NAMES = ["test-sse.sh", "demo-sse.sh", "demo-render.sh"] as const

describe.each(NAMES)("%s", (name) => {
  test("explains itself", async () => {
    await using script = new Script(name, ["--help"], "")
    expect(await script.ended).toBe(0)
    expect(script.stdout).toStartWith(`scripts/${name} `)
    expect(script.stdout).toContain("TRACK_STUDIO_SERVER")
    expect(script.stderr).toBe("")
  })

  test("refuses an option it does not know, in one line", async () => {
    await using script = new Script(name, ["--wrong"], "")
    expect(await script.ended).toBe(2)
    expect(script.stderr).toMatch(/^.*there is no option --wrong.*\n$/)
  })

  test("says in one line that no server answers, and how to start one", async () => {
    const url = await nowhere()
    await using script = new Script(name, [], url)
    expect(await script.ended).toBe(1)
    const errors = script.stderr.split("\n").filter((line) => line.startsWith(name.slice(0, -3)))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(`no server answers at ${url}; start one with "dist/track-studio serve"`)
  })

  test.skipIf(Bun.which("shellcheck") === null)("passes shellcheck", async () => {
    const check = Bun.spawn(["shellcheck", `scripts/${name}`], { stdout: "inherit" })
    expect(await check.exited).toBe(0)
  })
})

describe("test-sse.sh", () => {
  test("shows all items byte for byte, and ends cleanly at Ctrl-C", async () => {
    await using server = await start()
    await using script = new Script("test-sse.sh", [], server.url)
    await script.until("event: live")
    expect(script.stderr).toContain(`Following all queue items at ${server.url}/api/v1/progress/stream `)
    const id = await server.add()
    await server.put(id, { status: "processing", current_step: "Testing", progress: 50 })
    await server.put(id, { status: "completed" })
    await script.until('"progress":100')
    expect(script.stdout).toMatch(/\nid: 2\ndata: \{"queue_id":1,.*"progress":50,.*\}\n\n/)
    script.child.kill("SIGINT")
    expect(await script.ended).toBe(0)
    await server.connectedClients(0)
  })

  test("shows one item alone, as text when asked", async () => {
    await using server = await start()
    const [other, watched] = [await server.add(), await server.add()]
    await using script = new Script("test-sse.sh", ["--format", "text", String(watched)], server.url)
    await script.until("# live")
    await server.put(other, { status: "processing", progress: 10 })
    await server.put(watched, { status: "processing", progress: 20 })
    await script.until("20%")
    expect(script.stdout).not.toContain(`#${other} `)
  })

  test("shows why the server refuses", async () => {
    await using server = await start()
    await using script = new Script("test-sse.sh", ["7"], server.url)
    expect(await script.ended).toBe(1)
    expect(script.stdout).toContain("queue item 7 does not exist")
  })

  test("says that the server ended the stream", async () => {
    await using server = await start()
    await using script = new Script("test-sse.sh", [], server.url)
    await script.until("event: live")
    await server.end()
    expect(await script.ended).toBe(0)
    expect(script.stdout).toContain("event: shutdown")
    expect(script.stderr).toEndWith("The server ended the stream.\n")
  })
})

describe("demo-sse.sh", () => {
  test("plays a render in its steps, and shows a viewer each of them", async () => {
    await using server = await start()
    await using script = new Script("demo-sse.sh", ["--pause", "0"], server.url)
    expect(await script.ended).toBe(0)
    const viewer = script.lines("viewer")
    expectWholeRender(seenIn(viewer))
    expect(viewer.at(-1)).toBe("# completed, the end")
    expect(viewer.find((line) => line.includes("45%"))).toEndWith(
      "Generating background images - Creating image 3 of 5",
    )
    const updates = await history(server, 1)
    expect(seenIn(viewer)).toEqual(updates.map(({ status, progress }) => [status, progress]))
    expect([...new Set(updates.map(({ current_step }) => current_step))]).toEqual([
      "",
      "Analyzing audio",
      "Processing lyrics",
      "Generating background images",
      "Rendering video",
      "Finishing",
      "Done",
    ])
  })

  test("leaves no item in progress when it is interrupted", async () => {
    await using server = await start()
    await using script = new Script("demo-sse.sh", ["--pause", "60"], server.url)
    await script.until("5%  Analyzing audio")
    script.child.kill("SIGINT")
    expect(await script.ended).toBe(130)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "failed",
      error_message: "The demo was interrupted",
    })
    await server.connectedClients(0)
  })
})

describe("demo-render.sh", () => {
  withFfmpeg("renders a real video, and two viewers see it go from 0 to 100 %", async () => {
    using folder = temporaryFolder()
    await using server = await start()
    await using second = new Script("test-sse.sh", ["--format", "text"], server.url)
    await second.until("# live")
    const output = join(folder.path, 'a "song" \\ of mine.mp4')
    await using script = new Script("demo-render.sh", ["--duration", "3", "--output", output], server.url, {
      TMPDIR: folder.path,
    })
    expect(await script.ended).toBe(0)

    expectWholeRender(seenIn(script.lines("viewer")))
    await second.until("100%")
    expect(seenIn(second.stdout.split("\n"))).toEqual(seenIn(script.lines("viewer")))
    const messages = (await history(server, 1)).map(({ message }) => message)
    expect(
      messages.filter((message) => /^\d\.\d s of 3\.0 s(, \d+ fps)?(, \d+\.\dx)?$/.test(message)),
    ).not.toBeEmpty()

    const video = Bun.file(output)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "completed",
      video_file_path: output,
      video_file_size: video.size,
    })
    expect(await video.slice(4, 8).text()).toBe("ftyp")
    expect(readdirSync(folder.path)).toEqual(['a "song" \\ of mine.mp4'])
  })

  withFfmpeg("fails the item with ffmpeg's reason", async () => {
    using folder = temporaryFolder()
    await using server = await start()
    const output = join(folder.path, "missing", "video.mp4")
    await using script = new Script("demo-render.sh", ["--duration", "1", "--output", output], server.url, {
      TMPDIR: folder.path,
    })
    expect(await script.ended).toBe(1)
    const item = await itemOf(server, 1)
    expect(item).toMatchObject({ status: "failed", message: "Processing failed" })
    expect(item.error_message).toEndWith("No such file or directory")
    expect(script.lines("viewer").at(-1)).toBe("# failed, the end")
    expect(readdirSync(folder.path)).toEqual([])
  })
})

/** In place of ffmpeg: writes something at once, then says each block when the test lets it, and ends as it is told. */
class FakeFfmpeg {
  /** Makes a script find it first. */
  readonly env: Record<string, string>
  readonly folder = temporaryFolder()
  readonly output = join(this.folder.path, "video.mp4")
  readonly #gate
  #asking = Promise.withResolvers<() => void>()

  constructor(blocks: readonly (readonly string[])[], ending = "exit 0") {
    this.#gate = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: () =>
        new Promise<Response>((resolve) => {
          this.#asking.resolve(() => resolve(new Response()))
        }),
    })
    const wait = `curl -s http://127.0.0.1:${this.#gate.port}`
    const lines = [
      "#!/usr/bin/env bash",
      // ffmpeg's last argument is the file to write.
      'echo video >"${!#}"',
      "[[ $* == *-progress* ]] || exit 0",
      ...blocks.map((block) => `${wait}; printf '%s\\n' ${block.map((line) => `'${line}'`).join(" ")}`),
      wait,
      ending,
    ]
    const binaries = join(this.folder.path, "bin")
    mkdirSync(binaries)
    writeFileSync(join(binaries, "ffmpeg"), lines.join("\n"), { mode: 0o755 })
    this.env = { PATH: `${binaries}:${process.env["PATH"]}`, TMPDIR: this.folder.path }
  }

  /** Renders 3 s with it. */
  render(server: TestServer): Script {
    return new Script("demo-render.sh", ["--duration", "3", "--output", this.output], server.url, this.env)
  }

  /** Lets it say its next block, or end, once it waits for that. */
  async next(): Promise<void> {
    const release = await this.#asking.promise
    this.#asking = Promise.withResolvers()
    release()
  }

  /** What is left in its folder beside itself. */
  get files(): string[] {
    return readdirSync(this.folder.path).filter((name) => name !== "bin")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gate.stop(true)
    this.folder[Symbol.dispose]()
  }
}

const half = ["out_time_us=1500000", "fps=48.20", "speed=1.62x", "progress=continue"]
const whole = ["out_time_us=3000000", "progress=end"]

describe("whatever ffmpeg says, demo-render.sh", () => {
  test("reports a percentage that never goes down and stays below 100 until the end", async () => {
    await using server = await start()
    await using ffmpeg = new FakeFfmpeg([
      ["out_time_us=N/A", "fps=0.00", "speed=N/A", "progress=continue"],
      ["out_time_us=-21333", "speed=   0x", "progress=continue"],
      half,
      ["out_time_us=900000", "progress=continue"],
      ["out_time_us=-9223372036854775807", "fps=", "speed=", "progress=continue"],
      ["out_time_us=3190000", "out_time_ms=99999999999", "speed=1.2e+03x", "progress=end"],
    ])
    await using script = ffmpeg.render(server)
    const stream = await Reader.open(`${server.url}/api/v1/progress/stream`)
    for (let block = 1; block <= 6; block++) {
      await ffmpeg.next()
      await stream.until(
        (seen) => seen.filter(({ data }) => String(data["message"]).includes(" s of ")).length === block,
      )
    }
    await ffmpeg.next()
    expect(await script.ended).toBe(0)
    stream.leave()
    const told = (await history(server, 1)).map(({ progress, message }) => `${progress}% ${message}`)
    expect(told).toEqual([
      "0% Queue item created",
      "0% Making a tone and a picture",
      "0% Starting ffmpeg",
      "0% 0.0 s of 3.0 s",
      "0% 0.0 s of 3.0 s",
      "50% 1.5 s of 3.0 s, 48 fps, 1.6x",
      "50% 1.5 s of 3.0 s, 48 fps, 1.6x",
      "50% 1.5 s of 3.0 s",
      "99% 3.0 s of 3.0 s, 1200.0x",
      "99% Render done",
      "100% Processing completed successfully",
    ])
  })

  test("tells its last error line when it breaks off", async () => {
    const complaint = String.raw`[libx264 @ 0x55d0c0de] The "pipe" \\ brokeü\t\033[31m`
    await using server = await start()
    await using ffmpeg = new FakeFfmpeg([half], `echo first >&2; printf '${complaint}\\n\\n' >&2; exit 187`)
    await using script = ffmpeg.render(server)
    await ffmpeg.next()
    await ffmpeg.next()
    expect(await script.ended).toBe(1)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "failed",
      progress: 50,
      error_message: String.raw`The "pipe" \ brokeü  [31m`,
    })
    expect(ffmpeg.files).toEqual([])
  })

  test("takes no truncated video for a complete one", async () => {
    await using server = await start()
    await using ffmpeg = new FakeFfmpeg([[...half.slice(0, -1), "progress=end"]])
    await using script = ffmpeg.render(server)
    await ffmpeg.next()
    await ffmpeg.next()
    expect(await script.ended).toBe(1)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "failed",
      error_message: "The video ends after 1 s of 3 s",
    })
    expect(ffmpeg.files).toEqual([])
  })
})

describe("whatever happens to the queue, demo-render.sh", () => {
  test("renders on while the server is away, and tells it the end when it is back", async () => {
    using folder = temporaryFolder()
    const database = join(folder.path, "test.db")
    const before = await start({ database })
    await using ffmpeg = new FakeFfmpeg([half, whole])
    await using script = ffmpeg.render(before)
    await script.until("viewer  # live")
    await before.end("SIGKILL")
    await ffmpeg.next()
    await script.until("the server did not answer a report")
    await using after = await start({ args: ["--port", new URL(before.url).port], database })
    await ffmpeg.next()
    await ffmpeg.next()
    expect(await script.ended).toBe(0)
    expect(await itemOf(after, 1)).toMatchObject({ status: "completed", video_file_path: ffmpeg.output })
    expect(script.lines("viewer").at(-1)).toBe("# completed, the end")
    expect(ffmpeg.files).toEqual(["video.mp4"])
  })

  test("stops ffmpeg when the item is deleted", async () => {
    await using server = await start()
    await using ffmpeg = new FakeFfmpeg([half, half, half])
    await using script = ffmpeg.render(server)
    await ffmpeg.next()
    await script.until("50%")
    expect((await server.api("DELETE", "/queue/1")).status).toBe(200)
    await ffmpeg.next()
    expect(await script.ended).toBe(1)
    expect(script.stderr).toContain("queue item 1 was cancelled; the render is stopped")
    expect(script.lines("viewer").at(-1)).toBe("# failed, the end")
    expect(ffmpeg.files).toEqual([])
  })

  test("leaves no item in progress, no process and no file when it is interrupted", async () => {
    await using server = await start()
    await using ffmpeg = new FakeFfmpeg([half, half])
    await using script = ffmpeg.render(server)
    await ffmpeg.next()
    await script.until("50%")
    script.child.kill("SIGINT")
    expect(await script.ended).toBe(130)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "failed",
      error_message: "The render was interrupted",
    })
    await server.connectedClients(0)
    expect(ffmpeg.files).toEqual([])
  })
})
