import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { Reader } from "../reader.ts"
import { RendererOutput } from "../renderer-output.ts"
import { capture, listen } from "../renderers/captures.ts"
import { start, type TestServer } from "../server.ts"
import { attempt, claim, itemOnce, type Said, told } from "../worker.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** Adds an item that nobody claims. */
const add = (to: TestServer = server): Promise<number> => to.add({ song_id: 1, tags: ["by itself"] })

/** Sends a whole output in pieces of this many bytes, and returns the server's answer at the end. */
async function send(id: number, path: string, text: string, bytes = 64): Promise<Said> {
  const output = new RendererOutput(server.url, id, path)
  const all = new TextEncoder().encode(text)
  for (let at = 0; at < all.length; at += bytes) await output.write(all.subarray(at, at + bytes))
  return output.end()
}

/** The statuses of an item's history, without repetitions. */
async function ways(id: number): Promise<(string | undefined)[]> {
  const statuses = (await told(server, id)).map(({ status }) => status)
  return statuses.filter((status, i) => status !== statuses[i - 1])
}

const progressOf = async (id: number): Promise<number[]> =>
  (await told(server, id)).map(({ progress }) => progress ?? Number.NaN)

const ascends = (values: readonly number[]): boolean =>
  values.every((value, i) => value >= (values[i - 1] ?? 0))

/** The captures of completed renders, and how long their output had to be. */
const FINISHED = [
  ["ffmpeg-song", 6],
  ["ffmpeg-copy", 7.9],
  ["ffmpeg-audio", 6.03],
  ["ffmpeg-hls", 8],
  ["ffmpeg-waiting", 7.916748],
] as const

test.each(FINISHED)("%s: with finish=true the render completes its item, once", async (name, total) => {
  const id = await add()
  const said = await send(id, `ffmpeg?total=${total}&finish=true`, await capture(name))
  expect(said).toMatchObject({ status: 200, directive: "continue" })
  expect(said.item).toEqual(await server.item(id))
  expect(said.item).toMatchObject({
    status: "completed",
    outcome: "completed",
    progress: 100,
    attempt: 1,
    worker: "",
  })
  expect(await ways(id)).toEqual(["queued", "processing", "completed"])
  const progress = await progressOf(id)
  expect(ascends(progress)).toBeTrue()
  expect(progress.filter((one) => one === 100)).toHaveLength(1)
})

test.each(FINISHED)("%s: without finish=true somebody else completes it", async (name, total) => {
  const id = await add()
  const said = await send(id, `ffmpeg?total=${total}`, await capture(name))
  expect(said).toMatchObject({
    status: 200,
    directive: "continue",
    item: { status: "processing", progress: 99 },
  })
  expect(said.item?.media).toMatchObject({ total })
  expect(await ways(id)).toEqual(["queued", "processing"])
})

/** How much of 6 s of output a text shows, in words. */
const shareOf = (text: string): string =>
  `${Math.floor((listen("ffmpeg", 6, text).reached ?? 0) * 100)} % of its total`

test.each([
  ["ffmpeg-sigterm", "the renderer stopped at"],
  ["ffmpeg-quit", "the renderer stopped at"],
  ["ffmpeg-missing", "the renderer's output broke off at"],
])("%s: with finish=true the item fails, though the output ended in order", async (name, why) => {
  const id = await add()
  const text = await capture(name)
  const error_message = `${why} ${shareOf(text)}`
  const said = await send(id, "ffmpeg?total=6&finish=true", text)
  expect(said).toMatchObject({
    status: 200,
    item: { status: "failed", outcome: "failed", error_message, attempt: 1 },
  })
  expect(await ways(id)).toEqual(["queued", "processing", "failed"])
})

test("98 % of the total is enough, and less is not", async () => {
  const text = "out_time_us=9800000\nprogress=end\n"
  for (const [total, status] of [
    [10, "completed"],
    [10.001, "failed"],
  ] as const) {
    expect((await send(await add(), `ffmpeg?total=${total}&finish=true`, text)).item?.status).toBe(status)
  }
})

test("without finish=true a renderer that could not start leaves its item waiting", async () => {
  const id = await add()
  expect(await send(id, "ffmpeg?total=6", "")).toMatchObject({
    status: 200,
    item: { status: "queued", attempt: 0 },
  })
  expect(await told(server, id)).toHaveLength(1)
})

test.each([1, 7, 40, 4096])("output in pieces of %d bytes is stored as it comes", async (bytes) => {
  const id = await add()
  const viewer = await Reader.open(`${server.url}/api/v1/progress/stream/${id}`)
  await viewer.first("live")
  const output = new RendererOutput(server.url, id, "ffmpeg?total=6")
  const text = await capture("ffmpeg-song")
  const half = text.indexOf("progress=continue", text.length / 2) + "progress=continue\n".length
  for (let at = 0; at < half; at += bytes) await output.write(text.slice(at, Math.min(half, at + bytes)))
  // The rest was not sent, and nothing has ended.
  const { progress: share = 0, ...last } = listen("ffmpeg", 6, text.slice(0, half)).last
  await viewer.until(() => viewer.updates.at(-1)?.data["message"] === last.message)
  const wanted = { status: "processing", progress: Math.floor(share), ...last }
  expect(viewer.updates.at(-1)?.data).toMatchObject(wanted)
  await output.write(text.slice(half))
  expect((await output.end()).item?.progress).toBe(99)
  viewer.leave()
  expect(ascends(await progressOf(id))).toBeTrue()
})

test("a character that is cut in two comes out whole", async () => {
  const id = await add()
  const said = await send(id, "lines", "Schön 😀 – 45 %\rSchön 😀 – 46 %", 1)
  expect(said.item).toMatchObject({ progress: 46, message: "Schön 😀 – 46 %" })
  const messages = (await told(server, id)).map(({ message }) => message)
  expect(messages.join()).not.toContain("�")
})

test("Blender's output shows the frames, and completes its item when all of them are saved", async () => {
  const text = await capture("blender-animation")
  const id = await add()
  const output = new RendererOutput(server.url, id, "blender?total=3&finish=true")
  const second = text.indexOf("\n", text.indexOf("Fra:2")) + 1
  await output.write(text.slice(0, second))
  await itemOnce(server, id, ({ message }) => message.startsWith("frame 2 of 3"))
  await output.write(text.slice(second))
  expect((await output.end()).item).toMatchObject({ status: "completed", progress: 100 })
  const short = await add()
  await send(short, "blender?total=5&finish=true", text)
  expect(await server.item(short)).toMatchObject({
    status: "failed",
    error_message: "the renderer stopped at 60 % of its total",
  })
})

test("a renderer whose connection breaks has failed, where it was to finish its item", async () => {
  const text = (await capture("ffmpeg-song")).slice(0, 500)
  const [finishing, other] = [await add(), await add()]
  for (const [id, query] of [
    [finishing, "&finish=true"],
    [other, ""],
  ] as const) {
    const output = new RendererOutput(server.url, id, `ffmpeg?total=6${query}`)
    await output.write(text)
    await itemOnce(server, id, ({ progress }) => progress > 0)
    output.break()
  }
  expect(await itemOnce(server, finishing, ({ status }) => status !== "processing")).toMatchObject({
    status: "failed",
    error_message: `the renderer's output broke off at ${shareOf(text)}`,
  })
  expect(await server.item(other)).toMatchObject({ status: "processing" })
})

test("an output of many blocks is read as fast as it comes, and stored as fast as that goes", async () => {
  const id = await add()
  const blocks = 20_000
  const block = (i: number): string => `frame=${i}\nout_time_us=${i * 1000}\nspeed=2x\nprogress=continue\n`
  const text = Array.from({ length: blocks }, (_, i) => block(i + 1)).join("")
  const said = await send(id, `ffmpeg?total=${blocks / 1000}`, text, 16_384)
  expect(said.item).toMatchObject({ progress: 99, media: { out_time: blocks / 1000 } })
  const updates = await told(server, id)
  expect(updates.length).toBeWithin(3, 500)
})

test("an item that waits for another attempt is started by its renderer", async () => {
  const id = await add()
  for (const status of ["processing", "retrying"]) await server.put(id, { status })
  const said = await send(id, "ffmpeg?total=6&finish=true", await capture("ffmpeg-song"))
  expect(said.item).toMatchObject({ status: "completed", attempt: 2, retry_count: 1 })
})

test("the first output of a renderer starts its item, even if it says nothing about progress", async () => {
  const id = await add()
  expect((await send(id, "lines", "hello\n")).item).toMatchObject({
    status: "processing",
    attempt: 1,
    progress: 0,
  })
  expect((await send(id, "lines", "hello\n")).item).toMatchObject({
    attempt: 1,
    message: "Processing started",
  })
  const silent = await add()
  expect((await send(silent, "lines", "\n\n")).item).toMatchObject({ status: "queued" })
})

test("a line of 64 KiB is read, a longer one is dropped to its end, and what follows is read", async () => {
  const longest = "x".repeat(64 * 1024)
  const text = `out_time_us=600000\nprogress=continue\n${longest}\n${longest}x\nout_time_us=1200000\nprogress=continue\n`
  expect(await send(await add(), "ffmpeg?total=6", text, 8192)).toMatchObject({
    status: 200,
    item: { status: "processing", progress: 20, message: "1.2 s of 6.0 s" },
  })
})

test("a server that stops fails no render: the renderer goes on without it", async () => {
  await using own = await start()
  const id = await add(own)
  const output = new RendererOutput(own.url, id, "ffmpeg?total=6&finish=true")
  await output.write("out_time_us=900000\nprogress=continue\n")
  await itemOnce(own, id, ({ progress }) => progress > 0)
  expect(await own.end("SIGTERM")).toBe(0)
  expect(own.log).not.toContain('"error"')
  await using again = await start({ database: own.database })
  expect(await again.item(id)).toMatchObject({ status: "processing", progress: 15, error_message: "" })
})

test("with a lease each piece needs and renews it, in the header or the query", async () => {
  const text = await capture("ffmpeg-song")
  const taken = await attempt(server)
  expect(await send(taken.id, "ffmpeg?total=6", text)).toMatchObject({ status: 409, code: "leased" })
  expect(await send(taken.id, "ffmpeg?total=6&lease=wrong", text)).toMatchObject({
    status: 409,
    code: "lease_lost",
    directive: "cancel",
  })
  expect(await taken.now()).toEqual(taken.item)
  const output = new RendererOutput(server.url, taken.id, "ffmpeg?total=6", { lease: taken.lease.token })
  await output.write(text)
  expect(await output.end()).toMatchObject({ status: 200, directive: "continue", item: { progress: 99 } })
  const finishing = await attempt(server)
  const said = await send(finishing.id, `ffmpeg?total=6&finish=true&lease=${finishing.lease.token}`, text)
  expect(said.item).toMatchObject({ status: "completed", worker: "box1", attempt: 1 })
})

test("with a lease a render that did not finish is tried again", async () => {
  const taken = await attempt(server)
  const text = await capture("ffmpeg-sigterm")
  const said = await send(taken.id, `ffmpeg?total=6&finish=true&lease=${taken.lease.token}`, text)
  expect(said.item).toMatchObject({
    status: "retrying",
    retry_count: 1,
    error_message: `the renderer stopped at ${shareOf(text)}`,
  })
  await server.put(taken.id, { status: "queued" })
  expect((await claim(server, { tags: taken.item.tags }))?.item).toMatchObject({ attempt: 2, progress: 0 })
})
