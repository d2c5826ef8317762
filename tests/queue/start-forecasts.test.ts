import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"

import { type Ran, run, start, type TestServer } from "../server.ts"
import { asked, attempt, claim } from "../worker.ts"
import { ClockedServer } from "./clocked.ts"

setDefaultTimeout(180_000)

interface Forecast {
  readonly forecast: readonly {
    readonly id: number
    readonly starts_in_seconds: number
    readonly starts_low_seconds: number
    readonly starts_high_seconds: number
    readonly takes_seconds?: number
  }[]
  readonly done_in_seconds: number | null
  readonly workers: number
}

const SONG_MS = 400

let server: TestServer
beforeAll(async () => {
  server = await start()
  for (let i = 0; i < 2; i += 1) {
    const song = await attempt(server, { kind: "song", totals: { seconds: 100 } })
    await song.say("progress", { media: { out_time: 0, total: 100, fps: null, speed: null } })
    await Bun.sleep(SONG_MS / 2)
    await song.say("progress", { media: { out_time: 50, total: 100, fps: null, speed: null } })
    await Bun.sleep(SONG_MS / 2)
    await song.say("complete")
  }
})
afterAll(() => server[Symbol.asyncDispose]())

/** A forecast that is made after this call. */
async function forecast(query = ""): Promise<Forecast> {
  await Bun.sleep(1001)
  return (await server.api("GET", `/queue/forecast${query}`)).json()
}

test("nothing is foreseen while no worker is present", async () => {
  const id = await server.add({ song_id: 1, kind: "song", tags: ["nobody"] })
  expect(await forecast()).toEqual({ forecast: [], done_in_seconds: null, workers: 0 })
  expect(await server.item(id)).not.toHaveProperty("starts_in_seconds")
  await server.api("DELETE", `/queue/${id}`)
})

test("in an empty queue all is done now, not at an unknown time", async () => {
  await using empty = await ClockedServer.start()
  expect<object>(await empty.ask("GET", "/queue/forecast")).toEqual({
    forecast: [],
    done_in_seconds: 0,
    workers: 0,
  })
})

const SONG_SECONDS = 4

/** A server with two runs of songs, on clocks that stand still. */
async function clockedWithSongs(): Promise<ClockedServer> {
  const clocked = await ClockedServer.start()
  for (let i = 0; i < 2; i += 1) {
    const totals = { seconds: 100 }
    const { id, lease } = await taken(clocked, { kind: "song", totals })
    for (const out_time of [0, 50]) {
      const media = { out_time, total: 100, fps: null, speed: null }
      await clocked.ask("POST", `/queue/${id}/progress`, { media }, lease)
      clocked.seconds += SONG_SECONDS / 2
    }
    await clocked.ask("POST", `/queue/${id}/complete`, {}, lease)
  }
  return clocked
}

/** Adds an item and claims it by its tags. */
async function taken(clocked: ClockedServer, body: object, tags: readonly string[] = []) {
  const { id } = await clocked.ask("POST", "/queue", { song_id: 1, tags, ...body })
  const { item, lease } = await clocked.ask("POST", "/queue/claim", { worker: "box1", tags, lease: 3600 })
  expect(item?.id).toBe(id)
  return { id, item, lease: lease?.token ?? "" }
}

/** A forecast that is made after this call. */
async function clockedForecast(clocked: ClockedServer, query = ""): Promise<Forecast> {
  clocked.seconds += 2
  const answer: unknown = await clocked.ask("GET", `/queue/forecast${query}`)
  return answer as Forecast
}

test("waiting items start after what their worker has in hand, by what there is to do in each", async () => {
  await using clocked = await clockedWithSongs()
  const tags = ["gpu"]
  const hand = await taken(clocked, { kind: "song", totals: { seconds: 2000 } }, tags)
  const add = async (body: object): Promise<number> =>
    (await clocked.ask("POST", "/queue", { song_id: 1, tags, ...body })).id
  const long = await add({ kind: "song", totals: { seconds: 10_000 } })
  const next = await add({ kind: "song", totals: { seconds: 100 } })
  const strange = await add({ kind: "film" })
  const last = await add({ kind: "song" })
  const { forecast: starts, done_in_seconds, workers } = await clockedForecast(clocked)
  expect(workers).toBe(1)
  expect(starts.map(({ id }) => id)).toEqual([long, next, strange])
  const [first, second, third] = starts
  // Twenty times as much as the runs had. Two runs of one size do not show that all of it takes longer.
  expect(Math.abs((first?.starts_in_seconds ?? 0) - 20 * SONG_SECONDS)).toBeLessThan(30)
  expect(Math.abs((first?.takes_seconds ?? 0) - 100 * SONG_SECONDS)).toBeLessThan(150)
  expect(second?.starts_in_seconds).toBeCloseTo(
    (first?.starts_in_seconds ?? 0) + (first?.takes_seconds ?? 0),
    0,
  )
  expect(second?.starts_low_seconds).toBeLessThan(second?.starts_in_seconds ?? 0)
  expect(second?.starts_high_seconds).toBeGreaterThan(second?.starts_in_seconds ?? Number.POSITIVE_INFINITY)
  // Nobody knows how long a film takes, nor when the items after it start.
  expect(third).not.toHaveProperty("takes_seconds")
  expect(done_in_seconds).toBeNull()
  expect<object>(await clocked.ask("GET", `/queue/${next}`)).toMatchObject({
    starts_in_seconds: second?.starts_in_seconds,
  })
  const listed: unknown = await clocked.ask("GET", "/queue?status=queued")
  const { queue } = listed as { readonly queue: readonly object[] }
  expect(queue.filter((item) => "starts_in_seconds" in item)).toHaveLength(3)
  expect(await clocked.ask("GET", `/queue/${last}`)).not.toHaveProperty("starts_in_seconds")
  await clocked.ask("DELETE", `/queue/${strange}`)
  expect(await clockedForecast(clocked, "?limit=1")).toMatchObject({
    forecast: [{ id: long }],
    done_in_seconds: expect.any(Number),
  })
  const board = await (
    await fetch(`${clocked.url}/?columns=120`, { headers: { accept: "text/plain" } })
  ).text()
  expect(board).toMatch(/live · 1 running · \d waiting.* · all done about \d\d:\d\d UTC\n$/)
  expect(hand.item?.eta_runs).toBe(2)
})

test("a worker that took an item by its number takes no other, and a claim that waits takes the next one", async () => {
  const id = await server.add({ song_id: 1, kind: "song", available_in: 600 })
  const taken = await claim(server, { id, lease: 600 })
  const waiting = await server.add({ song_id: 1, kind: "song", available_in: 600 })
  expect(await forecast()).toMatchObject({ forecast: [], workers: 0 })
  const leave = new AbortController()
  const claiming = asked(server, { wait: 60 }, { signal: leave.signal }).catch(() => undefined)
  await taken?.say("complete")
  const { forecast: starts, workers } = await forecast()
  expect(workers).toBe(1)
  expect(starts).toMatchObject([{ id: waiting }])
  expect(starts[0]?.starts_in_seconds).toBeGreaterThan(300)
  leave.abort()
  await claiming
  await server.api("DELETE", `/queue/${waiting}`)
})

test("nothing is foreseen of a paused queue", async () => {
  await using clocked = await clockedWithSongs()
  await taken(clocked, { kind: "song", totals: { seconds: 5000 } })
  const { id } = await clocked.ask("POST", "/queue", { song_id: 1, kind: "song" })
  expect((await clockedForecast(clocked)).forecast).toMatchObject([{ id }])
  await clocked.ask("POST", "/queue/pause")
  expect((await clockedForecast(clocked)).forecast).toEqual([])
})

test("while an item takes longer than expected, the start of the next one is unknown", async () => {
  await using clocked = await clockedWithSongs()
  const { item } = await taken(clocked, { kind: "song", totals: { seconds: 100 } })
  await clocked.ask("POST", "/queue", { song_id: 1, kind: "song" })
  clocked.seconds += (item?.eta_high_seconds ?? Number.NaN) + 1
  expect(await clockedForecast(clocked)).toMatchObject({ forecast: [], done_in_seconds: null, workers: 1 })
})

test("a claim says of what kind an item is that does not say it", async () => {
  const plain = await server.add({ song_id: 1, available_in: 600 })
  const known = { kind: "film", totals: { frames: 250, seconds: 10 } }
  const body = { worker: "box", id: plain, ...known }
  const answer: { item: object } = await (await server.api("POST", "/queue/claim", body)).json()
  expect(answer.item).toMatchObject(known)
  const said = await server.add({ song_id: 1, kind: "song", totals: { seconds: 99 }, available_in: 600 })
  const other: { item: object } = await (
    await server.api("POST", "/queue/claim", { ...body, id: said })
  ).json()
  expect(other.item).toMatchObject({ kind: "song", totals: { frames: 250, seconds: 99 } })
})

test("an attempt is learned if its claim shows an empty lease, or that of another item and names none", async () => {
  const tags = [crypto.randomUUID()]
  const render = async (shown: string, claim: object): Promise<string> => {
    const id = await server.add({ song_id: 1, kind: "shy", tags })
    const claimed = await server.api(
      "POST",
      "/queue/claim",
      { worker: "box", id, ...claim },
      { lease: shown },
    )
    const { lease }: { lease: { token: string } } = await claimed.json()
    await server.api("POST", `/queue/${id}/complete`, {}, { lease: lease.token })
    return lease.token
  }
  const before = await render("", {})
  await render(before, { id: undefined, tags })
  const { kinds }: { kinds: object[] } = await (await server.api("GET", "/kinds")).json()
  expect(kinds).toContainEqual(expect.objectContaining({ kind: "shy", runs: 2 }))
})

test("totals are numbers above 0 by unit, and anything else is refused", async () => {
  for (const totals of [
    { seconds: 0 },
    { seconds: -1 },
    { seconds: "5" },
    { "": 5 },
    { "a\nb": 5 },
    [],
    null,
  ]) {
    expect((await server.api("POST", "/queue", { song_id: 1, totals })).status).toBe(422)
  }
  expect((await server.api("POST", "/queue", { song_id: 1, kind: "x".repeat(65) })).status).toBe(422)
})

const cli = (...args: readonly string[]): Promise<Ran> => run(args, { TRACK_STUDIO_SERVER: server.url })

test("add says what there is to do, run and work say it with their claims", async () => {
  const added = await cli(
    "add",
    "7",
    "--kind",
    "song",
    "--total",
    "212.5",
    "--totals",
    "images=5,frames=9",
    "--json",
    "--in",
    "600s",
  )
  const totals = { seconds: 212.5, images: 5, frames: 9 }
  expect(JSON.parse(added.stdout)).toMatchObject({ kind: "song", totals })
  expect((await cli("add", "7", "--totals", "images")).code).toBe(2)
  expect((await cli("add", "7", "--total", "0")).code).toBe(2)
  const id = await server.add({ song_id: 1, available_in: 600 })
  const ran = await cli("run", "--item", String(id), "--kind", "clip", "--", "true")
  expect(ran.code).toBe(0)
  expect(await server.item(id)).toMatchObject({ kind: "clip", status: "completed" })
})

test("kinds lists what was learned, and forgets it", async () => {
  const listed = await cli("kinds")
  expect(listed.stdout).toMatch(/^song \(seconds\): \d runs?, (0:0\d|0\.\d s) on average$/m)
  const [first] = (await cli("kinds", "--json")).stdout.split("\n")
  expect(JSON.parse(first ?? "")).toMatchObject({ kind: expect.any(String), runs: expect.any(Number) })
  expect((await cli("kinds", "--forget", "song")).stdout).toMatch(/^\d+ runs of "song" forgotten\.\n$/)
  expect((await cli("kinds", "--forget", "song")).code).toBe(1)
  expect((await server.api("DELETE", "/kinds/song/runs")).status).toBe(404)
  const forgotten = await attempt(server, { kind: "song" })
  expect(forgotten.item).toMatchObject({ eta_runs: 0, time_progress: null })
})
