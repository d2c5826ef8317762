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

test("waiting items start after what their worker has in hand, by what there is to do in each", async () => {
  const tag = crypto.randomUUID()
  const hand = await server.add({ song_id: 1, kind: "song", totals: { seconds: 2000 }, tags: [tag] })
  const taken = await claim(server, { tags: [tag], lease: 600 })
  expect(taken?.id).toBe(hand)
  const long = await server.add({ song_id: 1, kind: "song", totals: { seconds: 10_000 }, tags: [tag] })
  const next = await server.add({ song_id: 1, kind: "song", totals: { seconds: 100 }, tags: [tag] })
  const strange = await server.add({ song_id: 1, kind: "film", tags: [tag] })
  const last = await server.add({ song_id: 1, kind: "song", tags: [tag] })
  const { forecast: starts, done_in_seconds, workers } = await forecast()
  expect(workers).toBe(1)
  expect(starts.map(({ id }) => id)).toEqual([long, next, strange])
  const [first, second, third] = starts
  expect(first?.starts_in_seconds).toBeGreaterThan(3)
  // Twenty times as much as the runs took, and those take longer on a busy machine.
  expect(first?.starts_in_seconds).toBeLessThan(14)
  expect(Math.abs((first?.takes_seconds ?? 0) - SONG_MS / 10)).toBeLessThan(15)
  expect(second?.starts_in_seconds).toBeCloseTo(
    (first?.starts_in_seconds ?? 0) + (first?.takes_seconds ?? 0),
    0,
  )
  expect(second?.starts_low_seconds).toBeLessThan(second?.starts_in_seconds ?? 0)
  expect(second?.starts_high_seconds).toBeGreaterThan(second?.starts_in_seconds ?? Number.POSITIVE_INFINITY)
  // Nobody knows how long a film takes, nor when the items after it start.
  expect(third).not.toHaveProperty("takes_seconds")
  expect(done_in_seconds).toBeNull()
  expect(await server.item(next)).toMatchObject({ starts_in_seconds: second?.starts_in_seconds })
  const { queue }: { queue: object[] } = await (await server.api("GET", "/queue?status=queued")).json()
  expect(queue.filter((item) => "starts_in_seconds" in item)).toHaveLength(3)
  expect(await server.item(last)).not.toHaveProperty("starts_in_seconds")
  await server.api("DELETE", `/queue/${strange}`)
  expect(await forecast("?limit=1")).toMatchObject({
    forecast: [{ id: long }],
    done_in_seconds: expect.any(Number),
  })
  const board = await (
    await fetch(`${server.url}/?columns=120`, { headers: { accept: "text/plain" } })
  ).text()
  expect(board).toMatch(/live · 1 running · \d waiting.* · all done about \d\d:\d\d UTC\n$/)
  for (const id of [long, next, last]) await server.api("DELETE", `/queue/${id}`)
  await taken?.say("complete")
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
  expect(starts[0]?.starts_in_seconds).toBeGreaterThan(590)
  leave.abort()
  await claiming
  await server.api("DELETE", `/queue/${waiting}`)
})

test("nothing is foreseen of a paused queue", async () => {
  const hand = await attempt(server, { kind: "song", totals: { seconds: 5000 } }, { lease: 600 })
  const id = await server.add({ song_id: 1, kind: "song", tags: hand.item.tags })
  expect((await forecast()).forecast).toMatchObject([{ id }])
  await server.api("POST", "/queue/pause")
  expect((await forecast()).forecast).toEqual([])
  await server.api("POST", "/queue/resume")
  await server.api("DELETE", `/queue/${id}`)
  await hand.say("complete")
})

test("while an item takes longer than expected, the start of the next one is unknown", async () => {
  await (await attempt(server, { kind: "jingle" })).say("complete")
  const hand = await attempt(server, { kind: "jingle" }, { lease: 600 })
  const id = await server.add({ song_id: 1, kind: "jingle", tags: hand.item.tags })
  expect(hand.item.eta_high_seconds).toBeLessThan(1)
  expect(await forecast()).toMatchObject({ forecast: [], done_in_seconds: null, workers: 1 })
  await server.api("DELETE", `/queue/${id}`)
  await hand.say("complete")
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
