import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { figure, PROVE, quantile, size } from "../proof.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import {
  faultsOf,
  ffmpegProgram,
  historyOf,
  itemOf,
  latestOf,
  processesWith,
  studio,
  until,
  video,
} from "./programs.ts"

setDefaultTimeout(180_000)

const ffmpeg = ffmpegProgram()
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

describe.skipIf(ffmpeg === null)("a render by ffmpeg under run", () => {
  const cancels = size(3, 20)

  test("is stopped by a cancel in less than a second, again and again, and nothing is left", async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const took: number[] = []
    for (let song = 1; song <= cancels; song += 1) {
      const file = join(folder.path, `${song}.mp4`)
      const args = ["run", "--song", String(song), "--total", "60", "--", "ffmpeg", ...video(60, file, true)]
      await using render = studio(server, args)
      await render.prints("Output #0")
      const id = await latestOf(server, song)
      await until(server, id, ({ media }) => media !== undefined)
      const startedMs = performance.now()
      await server.api("POST", `/queue/${id}/cancel`)
      while (processesWith(file, render).length > 0) await Bun.sleep(1)
      took.push(performance.now() - startedMs)
      await render.ends()
      expect(await itemOf(server, id)).toMatchObject({ outcome: "cancelled" })
    }
    const [median, slowest] = [quantile(took, 0.5), Math.max(...took)].map(Math.round)
    figure(
      `${cancels} cancels: from the request to no ffmpeg at all, median ${median} ms, slowest ${slowest} ms`,
    )
    expect(median).toBeLessThan(1000)
  })

  const [length, away] = [size(4, 60), size(1, 20)]

  test(`of ${length} s takes no longer if the server is stopped for ${away} s in its middle`, async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const id = await server.add()
    const command = ["ffmpeg", ...video(length, join(folder.path, "song.mp4"), true)]
    const startedMs = performance.now()
    await using render = studio(server, [
      "run",
      "--item",
      String(id),
      "--total",
      String(length),
      "--",
      ...command,
    ])
    await until(server, id, ({ progress }) => progress >= 30)
    const port = new URL(server.url).port
    await server.end()
    await Bun.sleep(away * 1000)
    await using back = await start({ args: ["--port", port], database: server.database })
    expect(await render.ends()).toBe(0)
    const tookMs = performance.now() - startedMs
    expect(tookMs).toBeLessThan((length + size(5, 2)) * 1000)
    const history = await historyOf(back, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.at(-1)).toMatchObject({ status: "completed", attempt: 1 })
    expect(history.filter(({ status }) => status === "completed")).toHaveLength(1)
    figure(
      `a render of ${length} s took ${seconds(tookMs)} with the server away for ${away} s: ${history.length} updates`,
    )
  })
})

/** Five small frames, rendered by Cycles. */
const SCENE = `
import bpy
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 4
scene.cycles.use_denoising = False
scene.render.resolution_x = scene.render.resolution_y = 64
scene.frame_start, scene.frame_end = 1, 5
`

describe.skipIf(Bun.which("blender") === null || !PROVE)("a render by Blender shows frames n of m", () => {
  const commandIn = async (folder: string): Promise<string[]> => {
    await Bun.write(join(folder, "scene.py"), SCENE)
    const scene = ["--python", join(folder, "scene.py"), "--render-output", join(folder, "frame-")]
    return ["blender", "--background", "--factory-startup", ...scene, "-s", "1", "-e", "5", "-a"]
  }

  async function showsItsFrames(server: TestServer, id: number, how: string): Promise<void> {
    const history = await historyOf(server, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.at(-1)).toMatchObject({ status: "completed" })
    const frames = history.flatMap(({ unit }) => (unit?.name === "frames" ? [unit] : []))
    expect(frames.at(-1)).toEqual({ done: 5, total: 5, name: "frames" })
    expect(new Set(frames.map(({ done }) => done)).size).toBeGreaterThan(1)
    figure(`5 frames by Blender ${how}: ${[...new Set(history.map(({ message }) => message))].join(" | ")}`)
  }

  test("under run", async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const id = await server.add()
    await using render = studio(server, [
      "run",
      "--item",
      String(id),
      "--",
      ...(await commandIn(folder.path)),
    ])
    expect(await render.ends()).toBe(0)
    await showsItsFrames(server, id, "under run")
  })

  test("through ingest/blender, with nothing but curl", async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const id = await server.add()
    const url = `${server.url}/api/v1/queue/${id}/ingest/blender?total=5&finish=true`
    const command = (await commandIn(folder.path)).map((word) => `'${word}'`).join(" ")
    const piped = `${command} | curl --silent --show-error --fail --request POST --upload-file - '${url}'`
    expect(await Bun.spawn(["bash", "-c", piped], { stdout: "ignore" }).exited).toBe(0)
    await showsItsFrames(server, id, "through ingest/blender")
  })
})
