import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { ProcessTree } from "../../src/runner/process-tree.ts"
import { start, temporaryFolder } from "../server.ts"
import { asked } from "../worker.ts"
import {
  faultsOf,
  ffmpegProgram,
  finished,
  historyOf,
  itemOf,
  latestOf,
  processesWith,
  Program,
  studio,
  until,
  video,
} from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
const folder = temporaryFolder()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const ffmpeg = ffmpegProgram()
let videos = 0
const videoFile = (): string => join(folder.path, `video-${(videos += 1)}.mp4`)
const run = (...args: string[]): Program => studio(server, ["run", ...args])
const added = (song: number): Promise<number> => latestOf(server, song)

describe.skipIf(ffmpeg === null)("a render by ffmpeg", () => {
  test("is shown from its start to its end", async () => {
    const id = await server.add({ song_id: 1 })
    await using render = run(
      "--item",
      String(id),
      "--total",
      "2",
      "--worker",
      "box",
      "--",
      "ffmpeg",
      ...video(2, videoFile(), true),
    )
    expect(await render.ends()).toBe(0)
    const history = await historyOf(server, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.filter(({ status }) => status === "completed")).toHaveLength(1)
    expect(history.at(-1)).toMatchObject({ status: "completed", progress: 100, worker: "box" })
    const reports = history.filter(({ media }) => media !== undefined)
    expect(reports.length).toBeGreaterThanOrEqual(3)
    for (const { media, progress } of reports) {
      expect(media?.total).toBe(2)
      expect(progress).toBe(Math.min(99, Math.floor((media?.out_time ?? 0) * 50)))
    }
    expect(reports.at(-1)?.progress).toBeGreaterThanOrEqual(95)
  })

  test("prints what it prints without us", async () => {
    const raw = [
      "-v",
      "error",
      "-stats",
      "-f",
      "lavfi",
      "-i",
      "testsrc=s=160x90:r=10",
      "-t",
      "2",
      "-f",
      "rawvideo",
      "-",
    ]
    await using plain = new Program(["ffmpeg", ...raw], "")
    await using render = run("--song", "2", "--", "ffmpeg", ...raw)
    expect((await render.stdout).equals(await plain.stdout)).toBe(true)
    const shape = (text: Buffer): string =>
      text
        .toString()
        // A measured value of the first moments may still be unknown.
        .replace(/=\s*(-?[\d.]+\S*|N\/A)/g, "=0")
        .replace(/[\d.]+/g, "0")
        .replace(/ +/g, " ")
    expect(shape(await render.stderr)).toBe(shape(await plain.stderr))
    expect(await render.ends()).toBe(0)
  })

  test("is stopped by a cancel at once, not by force, and nothing is left of it", async () => {
    const file = videoFile()
    await using render = run("--song", "3", "--total", "60", "--", "ffmpeg", ...video(60, file, true))
    await render.prints("Output #0")
    const id = await added(3)
    await until(server, id, ({ media }) => media !== undefined)
    const startedMs = performance.now()
    await server.api("POST", `/queue/${id}/cancel`)
    await render.ends()
    expect(performance.now() - startedMs).toBeLessThan(5000)
    expect(processesWith(file)).toEqual([])
    expect(await itemOf(server, id)).toMatchObject({ status: "failed", outcome: "cancelled" })
    expect((await render.stderr).toString()).toContain(`queue item ${id} was cancelled`)
  })

  test.each(["SIGTERM", "SIGINT"] as const)("that %s ends halfway is not completed", async (signal) => {
    const file = videoFile()
    await using render = run("--song", "4", "--total", "60", "--", "ffmpeg", ...video(60, file, true))
    await render.prints("Output #0")
    const id = await added(4)
    await until(server, id, ({ media }) => media !== undefined)
    render.kill(signal)
    expect(await render.ends()).toBe(255)
    expect(processesWith(file)).toEqual([])
    const item = await itemOf(server, id)
    // Ctrl-C is no failure: somebody did not want this render any more.
    expect(item).toMatchObject({ status: "failed", outcome: signal === "SIGINT" ? "cancelled" : "failed" })
    expect(item.error_message).toStartWith(`the command ended with code 255 after ${signal}\n`)
    expect(item.error_message).toContain("Exiting normally, received signal")
  })

  test("that is asked to quit halfway is not completed, though it ends with 0", async () => {
    const args = ["run", "--song", "5", "--total", "60", "--", "ffmpeg", ...video(60, videoFile(), true)]
    await using render = studio(server, args, { stdin: "pipe" })
    await render.prints("Output #0")
    const id = await added(5)
    await until(server, id, ({ media }) => (media?.out_time ?? 0) > 0)
    render.type("q")
    expect(await render.ends()).toBe(1)
    expect(await itemOf(server, id)).toMatchObject({
      status: "failed",
      error_message: expect.stringMatching(/^the command ended with code 0 at \d+(\.\d)? % of its total\n/),
    })
  })

  test("that fails tells why", async () => {
    await using render = run(
      "--song",
      "6",
      "--total",
      "2",
      "--",
      "ffmpeg",
      "-i",
      join(folder.path, "none.wav"),
      videoFile(),
    )
    expect(await render.ends()).toBe(1)
    const item = await finished(server, await added(6))
    expect(item.error_message).toStartWith("the command ended with code 1\n")
    expect(item.error_message).toEndWith("none.wav: No such file or directory")
  })

  test("keeps the -progress that it was given", async () => {
    const file = videoFile()
    await using render = run(
      "--song",
      "7",
      "--total",
      "2",
      "--",
      "ffmpeg",
      "-v",
      "error",
      "-progress",
      "-",
      ...video(2, file),
    )
    expect(await render.ends()).toBe(0)
    expect((await render.stdout).toString()).toEndWith("progress=end\n")
    const history = await historyOf(server, await added(7))
    expect(history.at(-2)).toMatchObject({ progress: 95, media: { total: 2 } })
  })

  test("may be run by another program", async () => {
    await using render = run(
      "--song",
      "8",
      "--total",
      "2",
      "--",
      "nice",
      "-n",
      "1",
      "ffmpeg",
      ...video(2, videoFile()),
    )
    expect(await render.ends()).toBe(0)
    expect((await historyOf(server, await added(8))).some(({ media }) => media?.total === 2)).toBe(true)
  })
})

describe("a render by Blender", () => {
  test("tells its frames; how many there are is on its command line", async () => {
    const blender = join(folder.path, "blender")
    writeFileSync(
      blender,
      `#!/bin/sh
for frame in 1 2 3; do
  echo "Fra:$frame Mem:8.00M (Peak 8.00M) | Time:00:00.01 | Mem:0.00M, Peak:0.00M | Scene, ViewLayer | Sample 1/16"
  echo "Saved: '/tmp/$frame.png'"
  echo " Time: 00:00.02 (Saving: 00:00.00)"
  echo
done
echo "Blender quit"
`,
    )
    chmodSync(blender, 0o755)
    await using render = run("--song", "20", "--", blender, "-b", "song.blend", "-s", "1", "-e", "3", "-a")
    expect(await render.ends()).toBe(0)
    const history = await historyOf(server, await added(20))
    expect(history.at(-2)).toMatchObject({ progress: 99, unit: { done: 3, total: 3, name: "frames" } })
    await using short = run("--song", "20", "--", blender, "-b", "song.blend", "-s", "1", "-e", "5", "-a")
    expect(await short.ends()).toBe(0)
    expect(await itemOf(server, await added(20))).toMatchObject({
      status: "completed",
      message: "3 of 5 frames seen",
    })
    await using told = run("--song", "20", "--total", "5", "--", blender, "-b", "song.blend", "-a")
    expect(await told.ends()).toBe(1)
    expect(await itemOf(server, await added(20))).toMatchObject({
      status: "failed",
      error_message: "the command ended with code 0 at 60 % of its total",
    })
  })
})

describe("a --total that measures nothing", () => {
  test.each(["echo 5 of 10 files", "echo 5 of 10 files; echo 10 of 10 files", "echo nothing to see"])(
    "is reported, and %j fails for nothing that it prints",
    async (script) => {
      await using render = run("--song", "30", "--total", "10", "--", "sh", "-c", script)
      expect(await render.ends()).toBe(0)
      expect((await render.stderr).toString()).toStartWith(
        "track-studio: --total ignored: the command is neither ffmpeg nor Blender,",
      )
      expect(await itemOf(server, await added(30))).toMatchObject({ status: "completed" })
    },
  )

  test.skipIf(ffmpeg === null)("is reported when ffmpeg writes its progress to a file", async () => {
    const own = ["-v", "error", "-progress", join(folder.path, "progress"), ...video(1, videoFile())]
    await using render = run("--song", "31", "--total", "10", "--", "ffmpeg", ...own)
    expect(await render.ends()).toBe(0)
    expect((await render.stderr).toString()).toBe(
      "track-studio: --total ignored: this ffmpeg has a -progress of its own, which is not read\n",
    )
  })

  test("is not needed by a command that prints its percentage", async () => {
    await using render = run("--song", "32", "--", "sh", "-c", "echo 5 of 10 files")
    expect(await render.ends()).toBe(0)
    expect(await render.stderr).toEqual(Buffer.from(""))
  })
})

describe("an item that is cancelled", () => {
  test("takes along all that its command started", async () => {
    const mark = `77${process.pid}`
    // A shell with job control, and timeout, put their children into groups of their own.
    const script = `set -m; sleep ${mark}1 & timeout 90 sleep ${mark}2 & setsid --fork true; echo ready; wait`
    await using render = run("--song", "21", "--", "bash", "-c", script)
    await render.prints("ready")
    await server.api("POST", `/queue/${await added(21)}/cancel`)
    await render.ends()
    expect(processesWith(`sleep ${mark}`)).toEqual([])
    expect(await itemOf(server, await added(21))).toMatchObject({ outcome: "cancelled" })
  })

  test("is killed when it does not want to end", async () => {
    const session = Bun.spawn(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], {
      stdout: "pipe",
      detached: true,
    })
    await session.stdout.getReader().read()
    await new ProcessTree(session.pid, crypto.randomUUID()).stop(200)
    await session.exited
    expect(session.signalCode).toBe("SIGKILL")
  })

  test("does not stop what has ended well", async () => {
    await using render = run("--song", "22", "--", "true")
    expect(await render.ends()).toBe(0)
    expect((await server.api("POST", `/queue/${await added(22)}/cancel`)).status).toBe(409)
  })

  test("stops too when it is deleted", async () => {
    const id = await server.add({ song_id: 23 })
    await using render = run("--item", String(id), "--", "sh", "-c", "echo ready; sleep 60")
    await render.prints("ready")
    await server.api("DELETE", `/queue/${id}`)
    expect(await render.ends()).toBe(143)
    expect((await render.stderr).toString()).toBe(
      `track-studio: queue item ${id} was deleted; stop the work; stopping the command\n`,
    )
  })
})

test("Ctrl-C before a claim is answered names the command that cancels the item that was added", async () => {
  const claimed = Promise.withResolvers<void>()
  await using half = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      if (!pathname.endsWith("/claim")) return fetch(`${server.url}${pathname}`, request)
      claimed.resolve()
      return new Promise<Response>(() => undefined)
    },
  })
  const url = `http://127.0.0.1:${half.port}`
  await using render = studio(url, ["run", "--song", "9", "--", "sleep", "60"])
  await claimed.promise
  render.kill("SIGINT")
  await render.ends()
  const [id, command] =
    /queue item (\d+) cancelled, but this could not be reported; once the server is back, run: (.*)\n$/
      .exec((await render.stderr).toString())
      ?.slice(1) ?? []
  expect(command).toBe(`track-studio cancel ${id} --server ${url}`)
})

test("an item that a command adds for itself is not given to a worker that waits", async () => {
  await using alone = await start()
  const leave = new AbortController()
  const given = asked(alone, { wait: 30 }, { signal: leave.signal }).catch(() => null)
  await using render = studio(alone, ["run", "--song", "7", "--", "true"])
  expect(await render.ends()).toBe(0)
  leave.abort()
  expect(await given).toBeNull()
})
