import { afterAll, expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { RendererOutput } from "../renderer-output.ts"
import { start } from "../server.ts"
import { attempt, claim, told } from "../worker.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const STEPS = ["Image", "Loudness", "Render", "Thumbnail"]
const step = (index: number) => ({ index, total: 4, name: STEPS[index - 1] ?? "" })

/** ffmpeg's output after this many seconds. */
const block = (seconds: number, state = "continue"): string =>
  `frame=${seconds * 25}\nout_time_us=${seconds * 1e6}\nprogress=${state}\n`

async function ingest(id: number, path: string, text: string) {
  const output = new RendererOutput(server.url, id, path)
  await output.write(text)
  return output.end()
}

test("steps are declared under the lease, shown on item and updates, and gone with the attempt", async () => {
  const taken = await attempt(server)
  expect(await server.api("POST", `/queue/${taken.id}/steps`, { steps: STEPS })).toMatchObject({
    status: 409,
  })
  expect(await taken.say("steps", { steps: STEPS })).toMatchObject({
    status: 200,
    directive: "continue",
    item: { steps: STEPS, step: null, progress: 0 },
  })
  expect((await told(server, taken.id)).at(-1)).toMatchObject({ steps: STEPS })
  await taken.say("fail", { retry_in: 0 })
  expect(await taken.now()).toMatchObject({ status: "retrying", steps: null, step: null, progress: 0 })
})

test.each([[{}], [{ steps: [] }], [{ steps: [""] }], [{ steps: "Image" }], [{ steps: ["a"], more: 1 }]])(
  "%j declares no steps",
  async (body) => {
    const taken = await attempt(server)
    expect((await taken.say("steps", body)).status).toBe(422)
    expect(await taken.now()).toEqual(taken.item)
  },
)

test("the server says which step comes next, each once, and a retry begins at the first", async () => {
  const taken = await attempt(server)
  const client = new Client(server.url)
  const held = { id: taken.id, token: taken.lease.token }
  expect((await client.beginStep(held)).step).toBeNull()
  await client.declareSteps(held, STEPS)
  for (const index of [1, 2, 3, 4]) {
    const begun = await client.beginStep(held)
    expect(begun).toMatchObject({
      step: step(index),
      item: { step: step(index), progress: (index - 1) * 25, basis: "declared" },
    })
  }
  expect((await client.beginStep(held)).step).toBeNull()
  await taken.say("release")
  const again = await claim(server, { tags: taken.item.tags })
  await again?.say("steps", { steps: STEPS })
  expect((await again?.say("steps/next"))?.item).toMatchObject({ step: step(1), progress: 0 })
})

test("a worker's own report may tell how much of its step is done", async () => {
  const taken = await attempt(server)
  const said = await taken.say("progress", { step: step(3), step_progress: 50 })
  expect(said.item).toMatchObject({ progress: 62, step: step(3), basis: "declared" })
  expect((await taken.say("progress", { step_progress: 60 })).item).toMatchObject({ progress: 65 })
  expect(await taken.say("progress", { step_progress: 60, progress: 3 })).toMatchObject({
    status: 422,
    error: "a report has either progress or step_progress, not both",
  })
  const other = await attempt(server)
  expect(await other.say("progress", { step_progress: 60 })).toMatchObject({ status: 422 })
})

test("an output fills the part of the item that its step or its span has", async () => {
  for (const [query, progress, from] of [
    ["step=3/4&name=Render", 62, 50],
    ["step=3/4&name=Render&from=20&to=95", 57, 20],
    ["from=20&to=40", 30, 20],
  ] as const) {
    const id = await server.add({ song_id: 1, tags: ["by itself"] })
    const said = await ingest(id, `ffmpeg?total=6&${query}`, block(0) + block(3))
    expect(said).toMatchObject({ status: 200, item: { progress, status: "processing" } })
    expect(said.item?.step).toEqual(query.includes("Render") ? step(3) : null)
    const other = await server.add({ song_id: 1, tags: ["by itself"] })
    expect((await ingest(other, `ffmpeg?${query}`, block(3))).item?.progress).toBe(from)
  }
})

test("under a lease an output that names no step takes the first that has not begun", async () => {
  const taken = await attempt(server)
  await taken.say("steps", { steps: STEPS })
  const path = `ffmpeg?total=6&lease=${taken.lease.token}`
  expect((await ingest(taken.id, path, block(3))).item).toMatchObject({ step: step(1), progress: 12 })
  expect((await ingest(taken.id, path, block(3))).item).toMatchObject({ step: step(2), progress: 37 })
  // This one names its own step, and the next one goes on after it.
  expect((await ingest(taken.id, `${path}&step=3/4`, block(6))).item).toMatchObject({ progress: 75 })
  const last = await ingest(taken.id, `${path}&finish=true`, block(6, "end"))
  expect(last.item).toMatchObject({ status: "completed", progress: 100 })
})

test("an output of a step below the last completes no item", async () => {
  const taken = await attempt(server)
  const path = `ffmpeg?total=6&finish=true&lease=${taken.lease.token}`
  const error =
    "finish=true ends the item, but step 1 of 4 (Image) is not the last; send finish only with the last step"
  expect(await ingest(taken.id, `${path}&step=1/4&name=Image`, block(6, "end"))).toMatchObject({
    status: 422,
    error,
  })
  expect(await taken.now()).toEqual(taken.item)
  await taken.say("steps", { steps: STEPS })
  expect(await ingest(taken.id, path, block(6, "end"))).toMatchObject({ status: 422, error })
  expect(await taken.now()).toMatchObject({ steps: STEPS, step: null })
})

test("a step that failed is named", async () => {
  const id = await server.add({ song_id: 1, tags: ["by itself"] })
  const query = "total=6&finish=true&step=4/4&name=Thumbnail"
  expect((await ingest(id, `ffmpeg?${query}`, block(3, "end"))).item).toMatchObject({
    status: "failed",
    error_message: expect.stringMatching(
      /^step 4 of 4 \(Thumbnail\): the renderer stopped at 5\d % of its total$/,
    ),
  })
})

test.each([
  "step=5/4",
  "step=0/4",
  "step=4",
  "name=Render",
  "from=50&to=50",
  "from=60&step=1/2",
  "to=101",
  "bars=0",
])("?%s is refused, and changes nothing", async (query) => {
  const id = await server.add({ song_id: 1, tags: ["by itself"] })
  expect(await ingest(id, `ffmpeg?total=6&${query}`, block(3))).toMatchObject({ status: 422 })
  expect(await server.item(id)).toMatchObject({ status: "queued" })
})

test("bars that were declared fill the item one after another", async () => {
  const id = await server.add({ song_id: 1, tags: ["by itself"] })
  const passes = block(3) + block(6, "end") + block(0) + block(3)
  expect((await ingest(id, "ffmpeg?total=6&bars=2", passes)).item).toMatchObject({
    progress: 75,
    basis: "declared",
  })
})

test("under work, the command's own reports win over the reader around it", async () => {
  const taken = await attempt(server)
  const outer = { outer: true, basis: "guess" } as const
  await taken.say("progress", { ...outer, progress: 58, message: "track: 7/12" })
  const said = await ingest(taken.id, `ffmpeg?total=6&lease=${taken.lease.token}`, block(0) + block(1))
  expect(said.item).toMatchObject({ progress: 16, basis: "declared" })
  const head = await server.head()
  expect(await taken.say("progress", { ...outer, progress: 99 })).toMatchObject({
    status: 200,
    item: { progress: 16 },
  })
  expect(await server.head()).toBe(head)
})
