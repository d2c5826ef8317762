import { Database } from "bun:sqlite"
import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { asked, claim, itemOnce, told } from "../worker.ts"

// Renders take their time, and servers are started on a machine that may be busy.
setDefaultTimeout(180_000)

/** Renders only by PUT, in `ms` milliseconds or more for each step. Returns the item after each step, and puts the time of each into `atMs`. */
async function rendered(
  on: TestServer,
  ms: number,
  body: object = {},
  atMs: number[] = [],
): Promise<QueueItem[]> {
  const id = await on.add({ song_id: 1, ...body })
  const seen: QueueItem[] = []
  for (const [i, current_step] of ["Lyrics", "Images", "Render"].entries()) {
    await on.put(id, { status: "processing", current_step, progress: [5, 80, 90][i] })
    atMs.push(performance.now())
    seen.push(await on.item(id))
    await Bun.sleep(ms)
  }
  await on.put(id, { status: "completed" })
  atMs.push(performance.now())
  return [...seen, await on.item(id)]
}

describe("a client that knows nothing but PUT", () => {
  test("is learned from, and listed", async () => {
    await using own = await start()
    const atMs: number[] = []
    const first = await rendered(own, 400, {}, atMs)
    expect(first.map(({ eta_runs, time_progress }) => [eta_runs, time_progress])).toEqual([
      [0, null],
      [0, null],
      [0, null],
      [0, null],
    ])
    const second = await rendered(own, 400)
    expect(second.map(({ eta_runs }) => eta_runs)).toEqual([1, 1, 1, 0])
    expect(second.map(({ progress }) => progress)).toEqual([5, 80, 90, 100])
    const [, images, render, done] = second
    const [begun = 0, imagesAt = 0, renderAt = 0, end = 0] = atMs
    const percent = (at: number): number => (100 * (at - begun)) / (end - begun)
    expect(Math.abs((images?.time_progress ?? 0) - percent(imagesAt))).toBeLessThan(15)
    expect(Math.abs((render?.time_progress ?? 0) - percent(renderAt))).toBeLessThan(15)
    expect(done).toMatchObject({ time_progress: 100, eta_seconds: null })
    const updates = await told(own, done?.id ?? 0)
    expect(updates.map(({ eta_runs }) => eta_runs)).toEqual([undefined, 1, 1, 1, undefined])
    const { kinds } = await (await own.api("GET", "/kinds")).json()
    for (const { seconds } of kinds) expect(seconds).toBe(Math.round(seconds * 10) / 10)
  })

  test("teaches the estimate that a claim of that kind gets at once, before its first report", async () => {
    await using own = await start()
    await rendered(own, 50, { kind: "clip" })
    const id = await own.add({ song_id: 1, kind: "clip" })
    await claim(own, { worker: "box", id })
    expect(await own.item(id)).toMatchObject({ eta_runs: 1, time_progress: 0 })
  })
})

test("a worker that sends a former lease with every request is learned from", async () => {
  await using own = await start()
  await own.add({ song_id: 1, kind: "clip" })
  const asked = { worker: "box" }
  const claiming = await own.api("POST", "/queue/claim", asked, { lease: "former" })
  const { item, lease }: { item: { id: number }; lease: { token: string } } = await claiming.json()
  for (const progress of [20, 60])
    await own.api("POST", `/queue/${item.id}/progress`, { progress }, { lease: lease.token })
  await own.api("POST", `/queue/${item.id}/complete`, {}, { lease: lease.token })
  const { kinds } = await (await own.api("GET", "/kinds")).json()
  expect(kinds).toMatchObject([{ kind: "clip", runs: 1 }])
})

test("attempts of which one has more steps of a series are alike, and what was learned of one estimates the other", async () => {
  await using own = await start()
  const made = async (images: number): Promise<(QueueItem | undefined)[]> => {
    const id = await own.add()
    const taken = await claim(own, { worker: "box", id })
    const names = ["Load", ...Array.from({ length: images }, (_, i) => `Image ${i + 1}`)]
    const seen = []
    for (const [i, name] of names.entries()) {
      seen.push((await taken?.say("progress", { step: { index: i + 1, total: names.length, name } }))?.item)
      await Bun.sleep(100)
    }
    await taken?.say("complete", {})
    return seen
  }
  expect((await made(3)).map((item) => item?.eta_runs)).toEqual([0, 0, 0, 0])
  const more = await made(5)
  expect(more.at(-1)?.eta_runs).toBe(1)
  expect(Math.abs((more.at(3)?.time_progress ?? 0) - 50)).toBeLessThan(15)
})

test("an attempt goes on after a restart as if there had been none", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  let own = await start({ database })
  await rendered(own, 150)
  const id = await own.add()
  await own.put(id, { status: "processing", current_step: "Lyrics", progress: 5 })
  await Bun.sleep(150)
  await own.put(id, { current_step: "Images", progress: 80 })
  const before = await own.item(id)
  await own.end("SIGKILL")
  own = await start({ database })
  try {
    await own.put(id, { progress: 85 })
    const after = await itemOnce(own, id, ({ eta_runs }) => eta_runs === 1)
    expect(after.time_progress).toBeGreaterThanOrEqual(before.time_progress ?? 100)
    expect(after).toMatchObject({ progress: 85, current_step: "Images" })
    await own.put(id, { current_step: "Render" })
    expect((await own.item(id)).time_progress).toBeGreaterThan(before.time_progress ?? 100)
  } finally {
    await own.end()
  }
})

test("an older database is learned from at the first start", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  {
    await using older = await start({ database })
    for (let i = 0; i < 3; i += 1) await rendered(older, 100)
    await older.end()
    // The state that an older version left.
    using client = new Database(database)
    client.run("DELETE FROM runs")
    client.run("UPDATE history SET has_learned = 0")
  }
  const own = await start({ database })
  try {
    const runsOf = (): number => {
      using client = new Database(database, { readonly: true })
      return client.query<{ n: number }, []>("SELECT count(*) AS n FROM runs").get()?.n ?? 0
    }
    while (runsOf() < 3) await Bun.sleep(20)
    // What was learned foretells at once, and not only after another run.
    const waiting = await own.add({ song_id: 1, tags: ["later"], available_in: 600 })
    const leave = new AbortController()
    const claiming = asked(own, { wait: 60, tags: ["later"] }, { signal: leave.signal }).catch(
      () => undefined,
    )
    const untilMs = performance.now() + 20_000
    while (!("starts_in_seconds" in (await own.item(waiting)))) {
      expect(performance.now()).toBeLessThan(untilMs)
      await Bun.sleep(100)
    }
    leave.abort()
    await claiming
    const [, images] = await rendered(own, 100)
    expect(images).toMatchObject({ eta_runs: 3 })
  } finally {
    await own.end()
  }
})

test("after its stop nothing more is read, because the database may be closed by then", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const errors: unknown[] = []
  const learned = new LearnedDurations(store, (error) => errors.push(error))
  await learned.stop()
  await store.close()
  expect(learned.of("song", "")).toBeNull()
  await learned.stop()
  expect(errors).toEqual([])
})

test("a stop waits for a read that is under way, because the database is closed after it", async () => {
  const read = Promise.withResolvers<[]>()
  const store: unknown = { runs: { alike: () => read.promise } }
  const learned = new LearnedDurations(store as SqliteStore, (error) => expect(error).toBeUndefined())
  expect(learned.of("song", "")).toBeNull()
  await new Promise(setImmediate)
  let isStopped = false
  const stopping = learned.stop().then(() => (isStopped = true))
  await new Promise(setImmediate)
  expect(isStopped).toBe(false)
  read.resolve([])
  await stopping
})

test("what is stopped while it starts asks afterwards for nothing of an older database, which may be closed", async () => {
  const kinds = Promise.withResolvers<[]>()
  let asked = 0
  const store: unknown = {
    runs: { kinds: () => kinds.promise, hasLearned: async () => (asked += 1) > 0 },
  }
  const learned = new LearnedDurations(store as SqliteStore, console.error)
  const starting = learned.start()
  await learned.stop()
  kinds.resolve([])
  await starting
  expect(asked).toBe(0)
})

test("a stop in the middle of an older database's items keeps nothing, so that the next start learns from all", async () => {
  const begun = Promise.withResolvers<void>()
  const read: number[] = []
  const kept: unknown[] = []
  const items = [3, 2, 1].map((id) => ({ id }))
  const unfinished: unknown = {
    runs: {
      kinds: async () => [],
      hasLearned: async () => false,
      addLearned: async (runs: unknown) => void kept.push(runs),
    },
    list: async () => ({ items }),
    page: async ({ queueId }: { readonly queueId: number }) => {
      read.push(queueId)
      begun.resolve()
      return { updates: [], more: false }
    },
  }
  const learned = new LearnedDurations(unfinished as SqliteStore, console.error)
  await learned.start()
  await begun.promise
  await learned.stop()
  expect([read, kept]).toEqual([[1], []])
})

test("an attempt whose look is new is compared with as many runs of similar ones as count, the newest", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const here = new LearnedDurations(store, console.error)
  const of = (n: number) => ({
    kind: "song",
    look: `Image ${n}`,
    worker: "w",
    queue_id: n,
    seconds: n,
    steps: [],
  })
  const runs = Array.from({ length: 12 }, (_, i) => ({ ...of(i + 1), ended_at: "2026-01-02T03:04:05.000Z" }))
  await store.runs.addLearned(runs)
  await here.start()
  using alike = spyOn(store.runs, "alike")
  while (here.of("song", "Image 99") === null) await Bun.sleep(1)
  expect(here.of("song", "Image 99")?.earlierRuns.map(({ run }) => run.seconds)).toEqual([
    5, 6, 7, 8, 9, 10, 11, 12,
  ])
  expect(alike).toHaveBeenCalledTimes(8)
  await here.stop()
  await store.close()
})

test("where each attempt looks different, what the runs teach is learned once, and looks that nobody asks for are not read again", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const here = new LearnedDurations(store, console.error)
  const of = (look: string) => ({ kind: "song", look, worker: "w", queue_id: 1, seconds: 60, steps: [] })
  const runs = ["Rain", "Snow", "Wind"].map((look) => ({ ...of(look), ended_at: "2026-01-02T03:04:05.000Z" }))
  await store.runs.addLearned(runs)
  await here.start()
  while (!here.of("song", "Fog") || !here.of("song", "Hail")) await Bun.sleep(1)
  expect(here.of("song", "Fog")).toBe(here.of("song", "Hail"))
  await store.runs.addLearned([{ ...of("Storm"), ended_at: "2026-01-02T03:04:06.000Z" }])
  await here.note(of("Storm"))
  expect(here.of("song", "Fog")?.earlierRuns).toHaveLength(4)
  expect(here.of("song", "Fog")).toBe(here.of("song", ""))
  using _ = spyOn(performance, "now").mockReturnValue(performance.now() + 3_600_000)
  using alike = spyOn(store.runs, "alike")
  expect(here.of("song", "Hail")?.earlierRuns).toHaveLength(4)
  await here.note(of("Storm"))
  expect(alike.mock.calls.map(([, look]) => look).toSorted()).toEqual(["", "Hail", "Storm"])
  await here.stop()
  await store.close()
})

test("what another server has learned since is found by a look that differs only in numbers", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const here = new LearnedDurations(store, console.error, 0)
  await here.start()
  const run = { kind: "Image 3", look: "Image 3", worker: "w", queue_id: 1, seconds: 60, steps: [] }
  await store.runs.addLearned([{ ...run, ended_at: "2026-01-02T03:04:05.000Z" }])
  while (here.of("", "Image 4") === null) await Bun.sleep(1)
  expect(here.of("", "Image 4")).toBeDefined()
  await here.stop()
  await store.close()
})
