import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { faultsOf, ffmpegProgram, finished, historyOf, studio, type Told, video } from "./programs.ts"

setDefaultTimeout(180_000)

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

const inner = [...PROGRAM, "run"].join(" ")

/** Lets a worker render one item with this script. */
async function worked(exec: string): Promise<{ item: QueueItem; history: Told[] }> {
  await using server = await start()
  const id = await server.add({ song_id: 1, max_attempts: 1 })
  await using worker = studio(server, ["work", "--exec", exec])
  const item = await finished(server, id)
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
  const history = await historyOf(server, id)
  expect(faultsOf(history)).toEqual([])
  return { item, history }
}

describe.skipIf(ffmpegProgram() === null)("two ffmpegs in one script", () => {
  test("without run are read by what they print, and never pass for more than they are", async () => {
    const make = (name: string): string =>
      `ffmpeg -nostdin ${video(3, join(folder.path, name), true).join(" ")}`
    const { item, history } = await worked(`${make("one.mp4")} && ${make("two.mp4")}`)
    expect(item.status).toBe("completed")
    const told = history.filter(({ media }) => media !== undefined && media !== null)
    expect(told.length).toBeGreaterThan(4)
    // Nobody knows how long they will be, so no percentage is shown.
    expect(
      Math.max(...history.filter(({ status }) => status === "processing").map((each) => each.progress)),
    ).toBe(0)
  })

  test("each under run, make two parts of one bar when they are steps", async () => {
    const make = (name: string): string =>
      `${inner} --total 3 -- ffmpeg ${video(3, join(folder.path, name), true).join(" ")} </dev/null`
    const steps = [...PROGRAM, "steps", "Draft", "Final"].join(" ")
    const { item, history } = await worked(`${steps} && ${make("three.mp4")} && ${make("four.mp4")}`)
    expect(item).toMatchObject({ status: "completed", video_file_path: join(folder.path, "four.mp4") })
    const running = history.filter(({ status }) => status === "processing")
    const [draft, final] = [1, 2].map((index) =>
      running.filter(({ step }) => step?.index === index).map(({ progress }) => progress),
    )
    expect(Math.max(...(draft ?? []))).toBe(50)
    expect(final?.at(0)).toBe(50)
    expect(running.some(({ step, progress }) => step?.index === 2 && progress > 55 && progress < 95)).toBe(
      true,
    )
  })
})

const SCENE = `
import bpy
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 2
scene.cycles.use_denoising = False
scene.render.resolution_x = 64
scene.render.resolution_y = 36
scene.render.filepath = ${JSON.stringify(join(folder.path, "frame-"))}
`

describe.skipIf(Bun.which("blender") === null)("a real Blender", () => {
  const blender = "blender -b --factory-startup -noaudio"

  test("renders four frames under work and run, each a quarter", async () => {
    const scene = join(folder.path, "scene.py")
    writeFileSync(scene, SCENE)
    const { item, history } = await worked(`${inner} -- ${blender} -P ${scene} -s 1 -e 4 -a </dev/null`)
    expect(item).toMatchObject({ status: "completed", outcome: "completed" })
    expect(readdirSync(folder.path).filter((name) => name.startsWith("frame-"))).toHaveLength(4)
    const units = history.flatMap(({ unit, progress }) =>
      unit?.name === "frames" ? [[unit.done, progress]] : [],
    )
    expect(units.length).toBeGreaterThan(1)
    for (const [done = 0, progress = 0] of units) {
      expect(progress).toBeLessThanOrEqual((done + 1) * 25)
      expect(progress).toBeGreaterThanOrEqual(Math.min(99, done * 25))
    }
  })

  test("whose script raises fails the item with that line, though it exits with 0", async () => {
    const scene = join(folder.path, "raise.py")
    writeFileSync(scene, `${SCENE}\nraise RuntimeError("the song has no cover")\n`)
    const { item } = await worked(`${inner} -- ${blender} -P ${scene} </dev/null`)
    expect(item).toMatchObject({ status: "failed", outcome: "failed" })
    expect(item.error_message).toContain("RuntimeError: the song has no cover")
  })
})
