import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { invalid, Refusals } from "../refusals.ts"
import { RendererOutput } from "../renderer-output.ts"
import { start } from "../server.ts"
import { attempt, itemOnce, timed, told } from "../worker.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const add = (): Promise<number> => server.add({ song_id: 1, tags: ["by itself"] })
/** One block of ffmpeg's output, after this many seconds of its result. */
const block = (seconds: number, end: "continue" | "end" = "continue"): string =>
  `out_time_us=${seconds * 1_000_000}\nspeed=1x\nprogress=${end}\n`

const id = await add()
const refusals = new Refusals(server, id)
const INGEST = `/queue/${id}/ingest`
const POST = { method: "POST" }
const TOTAL = "total must be seconds of the finished video, or frames, not "

test.each([
  [`${INGEST}/handbrake`, 'renderer must be one of ffmpeg, blender, lines, not "handbrake"'],
  ["/queue/0/ingest/ffmpeg", /^id must be a positive integer of at most 16 digits, not "0"$/],
  [`${INGEST}/ffmpeg?total=`, `${TOTAL}""`],
  [`${INGEST}/ffmpeg?total=-1`, `${TOTAL}-1`],
  [`${INGEST}/ffmpeg?total=1e3`, `${TOTAL}"1e3"`],
  [`${INGEST}/ffmpeg?total=00:03:32`, `${TOTAL}"00:03:32"`],
  [`${INGEST}/ffmpeg?total=1&finish=yes`, 'finish must be one of true, false, not "yes"'],
  [
    `${INGEST}/ffmpeg?frames=5`,
    'the query has the unknown key "frames"; it can have lease, total, finish, step, name, from, to, bars',
  ],
  [
    `${INGEST}/ffmpeg?finish=true`,
    "finish=true needs total: without it a render that broke off looks finished",
  ],
  [
    `${INGEST}/ffmpeg?total=0&finish=true`,
    "finish=true needs total: without it a render that broke off looks finished",
  ],
  [
    `${INGEST}/lines?total=5&finish=true`,
    "finish=true works only with ffmpeg or blender: the lines of other programs do not tell success from failure; leave it out, and PUT the status when the program has ended, or use track-studio run",
  ],
])("POST %s is refused", async (path, error) => {
  await refusals.expect(path, POST, invalid(error))
})

test("an item that is not there is not found, and another method is not allowed", async () => {
  const missing = { status: 404, code: "not_found", error: "queue item 987654 does not exist" }
  await refusals.expect("/queue/987654/ingest/ffmpeg", POST, missing)
  const error = `/api/v1${INGEST}/ffmpeg takes POST, not PUT`
  await refusals.expect(
    `${INGEST}/ffmpeg`,
    { method: "PUT" },
    { status: 405, code: "method_not_allowed", error },
  )
})

test("a finished item takes no output, and says so at once", async () => {
  for (const status of ["completed", "failed"]) {
    const finished = await add()
    await server.put(finished, { status: "processing" })
    await server.put(finished, { status })
    const head = await server.head()
    const output = new RendererOutput(server.url, finished, "ffmpeg?total=6&finish=true")
    expect(await output.answer).toMatchObject({
      status: 409,
      code: "illegal_move",
      error: `queue item ${finished} is ${status}: it accepts no progress; retry it by POST /queue/${finished}/retry`,
    })
    expect(await server.head()).toBe(head)
  }
})

test("without the lease of an item that a worker holds, nothing is stored as its output", async () => {
  const id = await server.add()
  await server.api("POST", "/queue/claim", { worker: "w", id })
  const output = new RendererOutput(server.url, id, "lines")
  await output.write("a lie about this render\n")
  expect(await output.end()).toMatchObject({ status: 409, code: "leased" })
  expect(await (await server.api("GET", `/queue/${id}/output`)).text()).not.toContain("a lie")
})

test("output of any content type is taken: it is the renderer's own", async () => {
  for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded", "video/mp4"]) {
    const any = await add()
    const output = new RendererOutput(server.url, any, "ffmpeg?total=6", { "content-type": type })
    await output.write(block(3))
    expect(await output.end()).toMatchObject({ status: 200, item: { progress: 50 } })
  }
})

/** A render that is half done with its 6 s, and what reads its output. */
async function halfway(query: string, of?: number): Promise<[number, RendererOutput]> {
  const item = of ?? (await add())
  const output = new RendererOutput(server.url, item, `ffmpeg?total=6${query}`)
  await output.write(block(3))
  await itemOnce(server, item, ({ progress }) => progress === 50)
  return [item, output]
}

test("an item that is cancelled meanwhile stays cancelled, whatever its renderer says", async () => {
  for (const query of ["", "&finish=true"]) {
    const [item, output] = await halfway(query)
    expect((await server.api("POST", `/queue/${item}/cancel`)).status).toBe(200)
    const head = await server.head()
    await output.write(block(4))
    await output.write(block(6, "end"))
    expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
    expect(await server.item(item)).toMatchObject({ status: "failed", outcome: "cancelled", progress: 50 })
    expect(await server.head()).toBe(head)
  }
})

test("an item that was cancelled and put back is not started again by the output of before", async () => {
  for (const query of ["", "&finish=true"]) {
    const [item, output] = await halfway(query)
    await server.api("POST", `/queue/${item}/cancel`)
    expect((await server.api("POST", `/queue/${item}/retry`)).status).toBe(200)
    await output.write(block(4))
    await output.write(block(6, "end"))
    expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
    expect(await server.item(item)).toMatchObject({ status: "queued", progress: 0 })
    await (await server.api("DELETE", `/queue/${item}`)).arrayBuffer()
  }
})

/** Cancels an item, puts it back and starts it. Its attempt has the number 1 again. */
async function again(item: number): Promise<void> {
  await server.api("POST", `/queue/${item}/cancel`)
  await server.api("POST", `/queue/${item}/retry`)
  await server.put(item, { status: "processing" })
}

const printed = async (item: number): Promise<string> =>
  (await server.api("GET", `/queue/${item}/output`)).text()

test("an attempt that has the number of an earlier one gets nothing of that one's output", async () => {
  for (const query of ["", "&finish=true"]) {
    const [item, output] = await halfway(query)
    await again(item)
    await output.write(block(4))
    await output.write(block(6, "end"))
    expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
    expect(await server.item(item)).toMatchObject({ status: "processing", attempt: 1, progress: 0 })
    expect(await printed(item)).toBe("")
  }
})

test("output that tells no progress neither ends nor fills an attempt with the number of its own", async () => {
  const item = await server.add({ song_id: 1, tags: ["by itself"] })
  await server.put(item, { status: "processing" })
  const output = new RendererOutput(server.url, item, "ffmpeg?total=6&finish=true")
  await output.write("no progress\n")
  while ((await printed(item)) === "") await Bun.sleep(20)
  await again(item)
  await output.write("nor here\n")
  expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
  expect(await server.item(item)).toMatchObject({ status: "processing", attempt: 1 })
  expect(await printed(item)).toBe("")
})

test("the end of an output completes no later attempt than its own", async () => {
  const [item, output] = await halfway("&finish=true")
  await server.put(item, { status: "retrying" })
  await server.put(item, { status: "processing" })
  await output.write("frame=")
  expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
  expect(await server.item(item)).toMatchObject({ status: "processing", attempt: 2 })
})

test("an output that was whole completes nothing once its item was cancelled and begun again", async () => {
  const [item, output] = await halfway("&finish=true")
  await output.write(block(6, "end"))
  await itemOnce(server, item, ({ progress }) => progress === 99)
  await again(item)
  expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
  expect(await server.item(item)).toMatchObject({ status: "processing", attempt: 1, progress: 0 })
})

test("an item that is deleted meanwhile is gone, and nothing comes after", async () => {
  for (const query of ["", "&finish=true"]) {
    const [item, output] = await halfway(query)
    await server.api("DELETE", `/queue/${item}`)
    const head = await server.head()
    await output.write(block(6, "end"))
    expect(await output.end()).toMatchObject({ status: 410, directive: "cancel" })
    expect(await server.head()).toBe(head)
  }
})

test("an item that a PUT completes meanwhile is not completed twice", async () => {
  const [item, output] = await halfway("&finish=true")
  await server.put(item, { status: "completed" })
  await output.write(block(6, "end"))
  expect(await output.end()).toMatchObject({ status: 409, code: "illegal_move" })
  expect((await told(server, item)).filter(({ status }) => status === "completed")).toHaveLength(1)
})

test("with a lease a cancel is reported at the end, and a render that finished anyway wins", async () => {
  for (const [query, last, status, outcome, directive] of [
    ["", block(6, "end"), "processing", null, "cancel"],
    ["&finish=true", block(3.5, "end"), "failed", "cancelled", "cancel"],
    ["&finish=true", block(6, "end"), "completed", "completed", "continue"],
  ] as const) {
    const taken = await attempt(server)
    const [, output] = await halfway(`${query}&lease=${taken.lease.token}`, taken.id)
    await server.api("POST", `/queue/${taken.id}/cancel`)
    await output.write(last)
    expect(await output.end()).toMatchObject({ status: 200, directive, item: { status, outcome } })
  }
})

test("with a lease that is lost, or an item that is deleted, the renderer is asked to stop", async () => {
  const lost = await attempt(server)
  const [, output] = await halfway(`&finish=true&lease=${lost.lease.token}`, lost.id)
  await lost.say("release")
  await output.write(block(6, "end"))
  expect(await output.end()).toMatchObject({ status: 409, code: "lease_lost", directive: "cancel" })
  expect((await lost.now()).status).toBe("queued")
  const deleted = await attempt(server)
  const [, late] = await halfway(`&lease=${deleted.lease.token}`, deleted.id)
  await server.api("DELETE", `/queue/${deleted.id}`)
  await late.write(block(4))
  expect(await late.end()).toMatchObject({ status: 410, code: "gone", directive: "cancel" })
})

test("while its connection is open a renderer keeps its lease through silence, and loses it after", async () => {
  const taken = await attempt(server, {}, { lease: 1 })
  const [, output] = await halfway(`&lease=${taken.lease.token}`, taken.id)
  const head = await server.head()
  // Nothing is sent for three leases.
  await Bun.sleep(3000)
  expect(await taken.now()).toMatchObject({ status: "processing", attempt: 1, progress: 50 })
  expect(await server.head()).toBe(head)
  await output.write(block(4))
  await itemOnce(server, taken.id, ({ progress }) => progress === 66)
  output.break()
  const [item, ms] = await timed(itemOnce(server, taken.id, ({ status }) => status !== "processing"))
  expect(item).toMatchObject({ status: "retrying", retry_count: 0 })
  expect(ms).toBeLessThan(8000)
}, 180_000)

test("a flood of output is taken without a stop, and its newest line counts", async () => {
  const flooded = await add()
  const output = new RendererOutput(server.url, flooded, "ffmpeg?total=600&finish=true")
  const flood = block(1).repeat(20_000)
  for (let i = 0; i < 20; i += 1) await output.write(flood)
  await output.write(block(300))
  await itemOnce(server, flooded, ({ progress }) => progress === 50)
  await output.write(flood + block(600, "end"))
  expect(await output.end()).toMatchObject({ status: 200, item: { status: "completed" } })
  // At most one report each quarter of a second, and not one for each line.
  expect(await server.head()).toBeLessThan(2000)
})
