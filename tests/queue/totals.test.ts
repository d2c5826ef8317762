import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"

import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { QueueTotals } from "../../src/queue/totals.ts"
import type { Figures } from "../../src/store/contract/figures.ts"
import type { Items, ListQuery } from "../../src/store/contract/items.ts"
import type { Life } from "../../src/store/contract/life.ts"
import type { BatchAnswer, Counts, Dashboard } from "../../src/wire/answers.ts"
import { START_MS } from "../contracts/store.contract.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"
import { ClockedServer } from "./clocked.ts"

setDefaultTimeout(180_000)

const json = async <T>(answer: Promise<Response>): Promise<T> => (await answer).json()
const counts = (server: TestServer, query = ""): Promise<Counts> =>
  json(server.api("GET", `/queue/counts${query}`))

async function ended(server: TestServer, status: "completed" | "failed"): Promise<number> {
  const id = await server.add()
  await server.put(id, { status: "processing" })
  await server.put(id, { status })
  return id
}

/** A lost item, as it is after the last rescue. */
async function lost(server: TestServer): Promise<void> {
  const id = await ended(server, "failed")
  using beside = new Database(server.database)
  beside.run("UPDATE queue_items SET outcome = 'lost' WHERE id = ?", [id])
}

test("the counts are those of the whole queue, by status and by outcome, with what finished lately", async () => {
  await using server = await start()
  await ended(server, "completed")
  await ended(server, "failed")
  await lost(server)
  await server.api("POST", `/queue/${await server.add()}/cancel`)
  await server.put(await server.add(), { status: "processing" })
  await server.add()
  const found = await counts(server)
  expect(found.status).toEqual({ queued: 1, processing: 1, completed: 1, failed: 3, retrying: 0 })
  expect(found.outcome).toEqual({ completed: 1, failed: 1, cancelled: 1, lost: 1 })
  expect(found.paused_at).toBeNull()
  for (const span of [found.last_hour, found.today, found.this_week]) {
    expect(span).toMatchObject({ completed: 1, failed: 1, cancelled: 1, lost: 1 })
    expect(span.mean_seconds).toBe(span.shortest_seconds)
    expect(Date.parse(span.since)).toBeLessThan(Date.now())
  }
  const kolkata = await counts(server, "?tz=Asia/Kolkata")
  expect(kolkata.today.since).toEndWith("T18:30:00.000Z")
  const mars = await server.api("GET", "/queue/counts?tz=Mars/Olympus")
  expect([mars.status, (await json<{ error: string }>(Promise.resolve(mars))).error]).toEqual([
    422,
    'tz must be the name of a time zone, such as Europe/Berlin, not "Mars/Olympus"',
  ])
})

test("the dashboard is the queue at a glance, in the keys of the web application", async () => {
  await using server = await start()
  // Before the first render the rate is a number as well.
  expect(await json<Dashboard>(server.api("GET", "/dashboard"))).toMatchObject({ ytd_success_rate: 0 })
  const video = await server.add({ song_id: 7, title: "Northern Lights", metadata: { artist: "Aurora" } })
  await server.put(video, { status: "processing" })
  await server.put(video, { status: "completed" })
  const error = await server.add({ song_id: 7, title: "Midnight" })
  await server.put(error, { status: "processing" })
  await server.put(error, { status: "failed", error_message: "out of disk" })
  await server.api("POST", `/queue/${await server.add({ song_id: 8 })}/cancel`)
  await server.add({ song_id: 9 })
  await lost(server)
  const { recent_videos, recent_errors, ...figures } = await json<Dashboard>(server.api("GET", "/dashboard"))
  expect(figures).toEqual({
    total_songs: 4,
    total_videos: 1,
    queued_items: 1,
    processing_items: 0,
    completed_today: 1,
    errors_today: 2,
    ytd_min_processing_time: "0s",
    ytd_max_processing_time: "0s",
    ytd_avg_processing_time: "0s",
    ytd_total_videos: 1,
    ytd_total_errors: 2,
    ytd_success_rate: 33.3,
    genre_distribution: [],
  })
  const { completed_at } = await server.item(video)
  expect(recent_videos).toEqual([
    {
      id: video,
      song_id: 7,
      title: "Northern Lights",
      artist: "Aurora",
      processing_time: "0s",
      completed_at: completed_at ?? "",
    },
  ])
  const failed_at = (await server.item(error)).completed_at ?? ""
  // The lost item is the latest.
  expect(recent_errors).toHaveLength(2)
  expect(recent_errors[1]).toEqual({
    ...{ id: error, song_id: 7, title: "Midnight" },
    ...{ error_message: "out of disk", failed_at },
  })
})

test("how long renders took is shown in hours, minutes and seconds without zeros in front, and in seconds", async () => {
  await using server = await ClockedServer.start()
  for (const seconds of [5, 65, 3605.4]) {
    const { id } = await server.ask("POST", "/queue", { song_id: 1 })
    await server.ask("PUT", `/queue/${id}`, { status: "processing" })
    server.seconds += seconds
    await server.ask("PUT", `/queue/${id}`, { status: "completed" })
  }
  const { recent_videos, ...figures }: object & Partial<Dashboard> = await server.ask("GET", "/dashboard")
  expect(recent_videos?.map(({ processing_time }) => processing_time)).toEqual(["1h0m5s", "1m5s", "5s"])
  expect(figures).toMatchObject({
    ytd_min_processing_time: "5s",
    ytd_max_processing_time: "1h0m5s",
    ytd_avg_processing_time: "20m25s",
  })
  const found: object & Partial<Pick<Counts, "today" | "this_week" | "last_hour">> = await server.ask(
    "GET",
    "/queue/counts",
  )
  const { today, this_week, last_hour } = found
  expect(today).toMatchObject({ shortest_seconds: 5, mean_seconds: 1225.133, longest_seconds: 3605.4 })
  // The second of January 2026 is a Friday.
  expect([last_hour?.since, today?.since, this_week?.since]).toEqual([
    new Date(START_MS + server.seconds * 1000 - 3_600_000).toISOString(),
    "2026-01-02T00:00:00.000Z",
    "2025-12-29T00:00:00.000Z",
  ])
})

test("a paused queue gives workers only items that they name, over a restart too; resuming it wakes waiting claims", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const before = await start({ database })
  const [first, second] = [await before.add(), await before.add()]
  const paused = await json<{ message: string; paused_at: string }>(before.api("POST", "/queue/pause"))
  expect(paused.message).toBe("Queue paused")
  expect(await before.end()).toBe(0)
  await using server = await start({ database })
  await before[Symbol.asyncDispose]()
  expect((await counts(server)).paused_at).toBe(paused.paused_at)
  expect((await server.api("POST", "/queue/claim", { worker: "w" })).status).toBe(204)
  expect((await server.api("POST", "/queue/claim", { worker: "w", id: second })).status).toBe(200)
  const waiting = server.api("POST", "/queue/claim", { worker: "w", wait: 20 })
  expect(await json<{ message: string }>(server.api("POST", "/queue/resume"))).toEqual({
    message: "Queue resumed",
  })
  expect((await json<{ item: QueueItem }>(waiting)).item.id).toBe(first)
  expect((await counts(server)).paused_at).toBeNull()
})

test("retrying all that failed leaves cancelled items alone, and finds nothing the second time", async () => {
  await using server = await start()
  const failed = await Promise.all(Array.from({ length: 230 }, () => ended(server, "failed")))
  const completed = await ended(server, "completed")
  const cancelled = await server.add()
  await server.api("POST", `/queue/${cancelled}/cancel`)
  const again = (): Promise<object> => json(server.api("POST", "/queue/retry", { status: "failed" }))
  // A double click: each item is retried once.
  const [one, other] = await Promise.all([again(), again()])
  const ids = [one, other].flatMap((answer) =>
    "ids" in answer && Array.isArray(answer.ids) ? answer.ids : [],
  )
  expect([ids.length, new Set(ids).size]).toEqual([230, 230])
  expect(await again()).toEqual({ message: "Queue items retried", retried: 0, ids: [] })
  const found = await counts(server)
  expect(found.status.queued).toBe(failed.length)
  expect(found.outcome).toEqual({ completed: 1, failed: 0, cancelled: 1, lost: 0 })
  expect((await server.item(completed)).status).toBe("completed")
  expect((await server.api("POST", "/queue/retry", { status: "completed" })).status).toBe(422)
})

test("many items are cancelled, retried and deleted in one request, and one that is refused keeps no other from it", async () => {
  await using server = await start()
  const ids = await Promise.all(Array.from({ length: 230 }, () => server.add()))
  const completed = await ended(server, "completed")
  const batch = async (act: string, all: readonly number[]): Promise<BatchAnswer> =>
    json(server.api("POST", "/queue/batch", { act, ids: all }))
  const { done, refused } = await batch("cancel", [...ids, completed, 4_000_000])
  expect(done).toEqual(ids)
  expect(refused.map(({ id, code }) => [id, code])).toEqual([
    [completed, "illegal_move"],
    [4_000_000, "not_found"],
  ])
  expect((await counts(server)).outcome).toMatchObject({ cancelled: 230, completed: 1 })
  expect(await batch("retry", ids)).toMatchObject({ refused: [] })
  expect((await counts(server)).status.queued).toBe(230)
  expect((await batch("delete", ids)).done).toHaveLength(230)
  expect((await server.api("GET", `/queue/${ids[0]}`)).status).toBe(404)
  for (const body of [
    { act: "cancel", ids: [] },
    { act: "move", ids: [1] },
    { act: "cancel", ids: [1, 1] },
  ])
    expect((await server.api("POST", "/queue/batch", body)).status).toBe(422)
})

test("a search finds an item far down a long queue by its title", async () => {
  await using server = await start()
  await Promise.all(
    Array.from({ length: 3000 }, (_, i) =>
      server.add({ song_id: i + 1, title: i === 2986 ? "A needle" : `Song ${i + 1}` }),
    ),
  )
  const { queue } = await json<{ queue: QueueItem[] }>(server.api("GET", "/queue?q=NEEDLE%20a"))
  expect(queue.map(({ title }) => title)).toEqual(["A needle"])
  const page = await json<{ queue: QueueItem[]; next: string | null }>(
    server.api("GET", "/queue?q=SONG&limit=10"),
  )
  expect([page.queue.length, typeof page.next]).toEqual([10, "string"])
  expect((await server.api("GET", `/queue?q=${"x".repeat(201)}`)).status).toBe(422)
})

test("the commands pause, resume, retry --failed, stats and list --search do the same from a terminal", async () => {
  await using server = await start()
  const cli = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args, { TRACK_STUDIO_SERVER: server.url })
    expect([code, stderr]).toEqual([0, ""])
    return stdout
  }
  const id = await ended(server, "failed")
  await ended(server, "completed")
  expect(await cli("pause")).toBe("The queue is paused.\n")
  expect((await counts(server)).paused_at).not.toBeNull()
  expect(await cli("list", "--utc")).toMatch(
    /\nThe queue has been paused since \d\d:\d\d UTC; "track-studio resume" lets workers go on\.\n$/,
  )
  expect(await cli("list", "--json")).not.toContain("The queue has been paused")
  const stats = await cli("stats", "--utc")
  expect(stats).toMatch(/^queue {6}paused since \d\d:\d\d UTC\nrunning {4}0\nwaiting {4}0\n/)
  expect(stats).toContain("finished   1 completed, 1 failed, 0 cancelled, 0 lost\n")
  expect(stats).toMatch(/\nthis week  1 completed in 0\.\d s( to 0\.\d s, mean 0\.\d s)?; 1 failed\n/)
  expect(await cli("resume")).toBe("The queue is resumed.\n")
  expect(await cli("stats")).toStartWith("running")
  expect(await cli("retry", "--failed")).toBe("1 item is back in the queue\n")
  expect((await server.item(id)).status).toBe("queued")
  await server.put(id, { title: "Needle" })
  expect(await cli("list", "--search", "needle", "--json")).toContain('"title":"Needle"')
  expect((await cli("list", "--search", "needle", "--json")).trim().split("\n")).toHaveLength(1)
})

test("the latest failures have no cancelled items among them, even if many were cancelled since", async () => {
  const item = (id: number, outcome: QueueItem["outcome"]): QueueItem => ({
    id,
    ...blank(1, new Date(id).toISOString()),
    ...{ status: "failed", outcome },
  })
  const finished = Array.from({ length: 60 }, (_, at) =>
    item(100 - at, at % 4 === 3 ? "failed" : "cancelled"),
  )
  const store: unknown = {
    clock: { now: () => 0 },
    list: async ({ status, limit }: ListQuery) => ({
      items: status === "failed" ? finished.slice(0, limit) : [],
    }),
  }
  const figures: unknown = { songs: async () => 0, standing: async () => ({}), finished: async () => ({}) }
  const { failed } = await new QueueTotals(store as Items & Life, figures as Figures).overview("UTC")
  expect(failed.map(({ id }) => id)).toEqual([97, 93, 89, 85, 81, 77, 73, 69, 65, 61])
})
