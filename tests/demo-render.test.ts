import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { Reader } from "./reader.ts"
import { expectWholeRender, history, itemOf, Script, seenIn } from "./script.ts"
import { start, temporaryFolder, type TestServer } from "./server.ts"

// A render takes its time on a busy machine, and the first one may have to install ffmpeg.
setDefaultTimeout(240_000)

const canInstall = process.getuid?.() === 0 && Bun.which("apt-get") !== null
const withFfmpeg = test.skipIf(Bun.which("ffmpeg") === null && !canInstall)

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
    expect(script.lines("viewer").at(-1)).toBe("# failed")
    expect(readdirSync(folder.path)).toEqual([])
  })
})

/**
 * A replacement for ffmpeg: it writes something at once, prints each block when the test allows it, and ends
 * as the test decides.
 */
class FakeFfmpeg {
  /** Makes a script find it before the real one. */
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

  /** Lets it print its next block, or end, when it waits for that. */
  async next(): Promise<void> {
    const release = await this.#asking.promise
    this.#asking = Promise.withResolvers()
    release()
  }

  /** The files that are left in its folder, apart from its own. */
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

describe("whatever ffmpeg prints, demo-render.sh", () => {
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

  test("reports its last error line when it breaks off", async () => {
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
  test("renders on while the server is away, and reports the end when it is back", async () => {
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
    expect(script.lines("viewer").at(-1)).toBe("# completed")
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
    expect(script.lines("viewer").at(-1)).toBe("# cancelled")
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
