import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"

import {
  faultsOf,
  finished,
  historyOf,
  itemOf,
  latestOf,
  type Program,
  studio,
  until,
} from "../runner/programs.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"

setDefaultTimeout(180_000)

const folder = temporaryFolder()
const server = await start()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

let names = 0
const state = (): string => join(folder.path, `state-${(names += 1)}`)
const inner = [...PROGRAM, "run"].join(" ")
const steps = [...PROGRAM, "steps"].join(" ")
const run = (own: string, ...args: string[]): Program =>
  studio(server, ["run", ...args], { env: { XDG_STATE_HOME: own } })

/** Renders one item with this script, and returns the item's history. */
async function worked(exec: string, ...args: string[]) {
  await using own = await start()
  const id = await own.add({ song_id: 1, max_attempts: 1 })
  await using worker = studio(own, ["work", "--exec", exec, ...args])
  const item = await finished(own, id)
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
  const history = await historyOf(own, id)
  expect(faultsOf(history)).toEqual([])
  return { item, history }
}

type History = Awaited<ReturnType<typeof worked>>["history"]
/** The steps of a history, with the progress at the beginning and the end of each. */
function partsOf(history: History): [string, number, number][] {
  const parts = new Map<string, [number, number]>()
  for (const { step, progress, status } of history) {
    if (!step || status !== "processing") continue
    const name = `${step.index}/${step.total} ${step.name}`.trim()
    parts.set(name, [parts.get(name)?.[0] ?? progress, progress])
  }
  return [...parts].map(([name, [from, to]]) => [name, from, to])
}

describe("in a worker's script", () => {
  test("declared steps are taken one after the other, each with its part of the bar", async () => {
    const script = `${steps} Image Loudness Render Thumbnail && for i in 1 2 3 4; do ${inner} -- sh -c 'echo 50%; sleep 0.3; echo 60%' </dev/null; done`
    const { item, history } = await worked(script)
    expect(item).toMatchObject({ status: "completed", progress: 100 })
    expect(history.some((update) => update.steps?.length === 4)).toBe(true)
    expect(partsOf(history)).toEqual([
      ["1/4 Image", 0, 25],
      ["2/4 Loudness", 25, 50],
      ["3/4 Render", 50, 75],
      ["4/4 Thumbnail", 75, 99],
    ])
  })

  test("work --steps declares them before the script begins", async () => {
    const { history } = await worked(
      `${inner} -- true </dev/null; ${inner} -- true </dev/null`,
      "--steps",
      "Image, Render",
    )
    expect(partsOf(history)).toEqual([
      ["1/2 Image", 0, 50],
      ["2/2 Render", 50, 99],
    ])
  })

  test("a step that is named fills the span that it is given", async () => {
    const script = `${inner} --step 1/2 --step-name Image --span 0-20 -- true </dev/null; ${inner} --step 2/2 --step-name Render --span 20-95 -- sh -c 'echo 10%; echo 50%; sleep 1' </dev/null`
    const { history } = await worked(script)
    expect(partsOf(history)).toEqual([
      ["1/2 Image", 0, 20],
      ["2/2 Render", 20, 95],
    ])
    expect(history.find(({ message }) => message === "50%")?.progress).toBe(57)
  })

  test("the words of the script move nothing once a run inside has reported", async () => {
    const { history } = await worked(
      `echo 80%; ${inner} -- sh -c 'echo 10%; sleep 0.5; echo 20%' </dev/null; echo 90%; sleep 0.5`,
    )
    const shown = history.filter(({ status }) => status === "processing").map(({ progress }) => progress)
    expect(shown.at(-1)).toBe(20)
  })

  test("a step that fails is named in what the item failed by", async () => {
    const step = `${inner} --step 2/3 --step-name Loudness -- sh -c 'echo no sound >&2; exit 3' </dev/null`
    const { item } = await worked(step)
    expect(item).toMatchObject({ status: "failed", outcome: "failed" })
    expect(item.error_message).toBe(
      "the command ended with code 3\nno sound\ntrack-studio: step 2 of 3 (Loudness): the command ended with code 3",
    )
  })

  test("bars that were declared to follow one another are parts of the whole", async () => {
    const bar = 'for p in 10 50 90 100; do printf "\\\\r$p%%"; sleep 0.3; done'
    const { history } = await worked(`${inner} --bars 2 -- sh -c '${bar}; echo; ${bar}' </dev/null`)
    const shown = history.filter(({ status }) => status === "processing")
    const told = shown.map(({ progress, basis }) => [progress, basis])
    expect(told).toContainEqual([25, "declared"])
    expect(told).toContainEqual([75, "declared"])
  })

  test("steps outside of any script says so", async () => {
    await using command = studio(server, ["steps", "Image"])
    expect(await command.ends()).toBe(1)
    expect((await command.stderr).toString()).toContain('steps belongs in a script that "track-studio work"')
  })
})

describe("steps run one by one", () => {
  test("keep the lease for the next, and the last completes the item", async () => {
    const [id, own] = [await server.add({ song_id: 1 }), state()]
    for (const index of [1, 2, 3]) {
      await using render = run(own, "--item", String(id), "--step", `${index}/4`, "--", "echo", "done")
      expect(await render.ends()).toBe(0)
      expect(await itemOf(server, id)).toMatchObject({
        status: "processing",
        attempt: 1,
        progress: index * 25,
        step: { index, total: 4, name: "" },
      })
      const leases = join(own, "track-studio/leases")
      const names = readdirSync(leases)
      expect(names).toHaveLength(2)
      // An outage, or a suspended machine, makes the lease longer than it seemed when it was kept.
      const file = join(leases, names.find((name) => name.endsWith(".json")) ?? "")
      const {
        leases: [kept],
      } = await Bun.file(file).json()
      expect(kept.kept_until - Date.now()).toBeGreaterThan(3_600_000)
    }
    await using last = run(own, "--item", String(id), "--step", "4/4", "--", "true")
    expect(await last.ends()).toBe(0)
    expect(await itemOf(server, id)).toMatchObject({ status: "completed", progress: 100, attempt: 1 })
    expect(readdirSync(join(own, "track-studio/leases"))).toEqual([])
  })

  test("fail the item by the step that failed", async () => {
    const own = state()
    await using one = run(own, "--song", "7", "--step", "1/3", "--", "true")
    expect(await one.ends()).toBe(0)
    const id = await latestOf(server, 7)
    const args = ["--item", String(id), "--step", "2/3", "--step-name", "Loudness"]
    await using render = run(own, ...args, "--", "sh", "-c", "echo no sound >&2; exit 3")
    expect(await render.ends()).toBe(3)
    expect(await itemOf(server, id)).toMatchObject({
      status: "failed",
      attempt: 1,
      error_message: "step 2 of 3 (Loudness): the command ended with code 3\nno sound",
    })
  })

  test("are not returned to the queue by a worker that starts meanwhile", async () => {
    await using other: TestServer = await start()
    const [id, own] = [await other.add(), state()]
    const env = { XDG_STATE_HOME: own }
    const args = ["run", "--item", String(id), "--lease", "2", "--step"]
    await using one = studio(other, [...args, "1/2", "--", "true"], { env })
    expect(await one.ends()).toBe(0)
    await using worker = studio(other, ["work", "--exec", "true", "--tags", "none"], { env })
    await worker.prints("taking items")
    await using two = studio(other, [...args, "2/2", "--", "true"], { env })
    expect(await two.ends()).toBe(0)
    worker.kill("SIGTERM")
    await worker.ends()
    expect(await itemOf(other, id)).toMatchObject({ status: "completed", attempt: 1 })
  })

  test("claim the item again when its lease has expired in between", async () => {
    const [id, own] = [await server.add(), state()]
    const args = ["--item", String(id), "--step"]
    await using one = run(own, ...args, "1/2", "--lease", "1", "--", "true")
    expect(await one.ends()).toBe(0)
    await until(server, id, ({ status }) => status === "retrying")
    await using two = run(own, ...args, "2/2", "--", "true")
    expect(await two.ends()).toBe(0)
    expect(await itemOf(server, id)).toMatchObject({ status: "completed", attempt: 2 })
  })
})

test.each([
  [["--step", "4/3"], '--step must be a step and the number of steps, such as 3/4, not "4/3"'],
  [["--step", "0/3"], '--step must be a step and the number of steps, such as 3/4, not "0/3"'],
  [["--step-name", "x"], "--step-name needs --step, such as --step 3/4"],
  [["--span", "90-20"], '--span must be two percentages, such as 20-95, not "90-20"'],
  [["--span", "20-120"], '--span must be two percentages, such as 20-95, not "20-120"'],
  [["--bars", "0"], "--bars must be a whole number from 1 to 10000, not 0"],
])("%j is wrong usage", async (args, message) => {
  await using render = run(state(), "--song", "1", ...args, "--", "true")
  expect(await render.ends()).toBe(2)
  expect((await render.stderr).toString()).toStartWith(`track-studio: ${message}\n`)
})
