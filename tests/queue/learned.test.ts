import { Database } from "bun:sqlite"
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { type Attempt, histories } from "../item/histories.ts"
import { median } from "../item/replay.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { claim, itemOnce, told } from "../worker.ts"

// Renders take their time, and servers are started on a machine that may be busy.
setDefaultTimeout(60_000)

const SPEED = 10

let server: TestServer
beforeAll(async () => void (server = await start()))
afterAll(() => server[Symbol.asyncDispose]())

/** What a viewer of one render was told: how far off the bar was, how wrong the time left, and if the band held. */
interface Seen {
  readonly bar: number
  readonly eta: number
  readonly held: number
  /** How late reports came on average, in percent of the whole time: what a busy machine adds to any error. */
  readonly late: number
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Plays a real render to the server, as fast as SPEED says, and looks at what each report is answered. Truth is when it
 * was over here: a busy machine reports late.
 */
async function played(attempt: Attempt): Promise<Seen> {
  const id = await server.add({ song_id: 1, tags: [crypto.randomUUID()] })
  const taken = await claim(server, { worker: attempt.worker, id })
  if (!taken) throw new Error("nothing was claimed")
  const startedMs = performance.now()
  const sinceStart = (): number => (performance.now() - startedMs) / 1000
  const until = (seconds: number): Promise<void> =>
    Bun.sleep(Math.max(0, (seconds / SPEED - sinceStart()) * 1000))
  const late: number[] = []
  const answers: { readonly at: number; readonly item: QueueItem | undefined }[] = []
  for (const { at, progress, ...sign } of attempt.reports) {
    await until(at)
    late.push((sinceStart() - at / SPEED) / (attempt.seconds / SPEED))
    const media = sign.media && { media: { fps: null, speed: null, ...sign.media } }
    const report = { ...sign, ...media, ...(progress !== undefined && progress < 99 && { progress }) }
    const { item } = await taken.say("progress", report)
    answers.push({ at: sinceStart(), item })
  }
  await until(attempt.seconds)
  const whole = sinceStart()
  await taken.say("complete", {})
  const [bars, errors, held]: [number[], number[], number[]] = [[], [], []]
  for (const { at, item } of answers) {
    if (!item || item.time_progress === null || item.eta_seconds === null) continue
    bars.push(Math.abs(item.time_progress - (at / whole) * 100))
    const left = whole - at
    if (at < 0.1 * whole || left < 0.1 * whole) continue
    errors.push(Math.abs(item.eta_seconds - left) / left)
    held.push(Number(left >= (item.eta_low_seconds ?? 0) - 0.1 && left <= (item.eta_high_seconds ?? 0) + 0.1))
  }
  return { bar: mean(bars), eta: median(errors), held: mean(held), late: mean(late) * 100 }
}

/** Plays renders one after the other; what is said of the first one does not count. */
async function playedAll(attempts: readonly Attempt[]): Promise<Seen[]> {
  const seen: Seen[] = []
  for (const attempt of attempts) seen.push(await played(attempt))
  return seen.slice(1)
}

test("from the second render on the bar is at most 5 points off on average, live and in each one", async () => {
  const real = histories()
  const all = await Promise.all(
    ["song", "inner"].map((kind) => playedAll((real.get(kind) ?? []).slice(0, 6))),
  )
  for (const seen of all) {
    for (const { bar, late } of seen) expect(bar - late).toBeLessThan(5)
    expect(median(seen.map(({ eta }) => eta))).toBeLessThan(0.2)
    expect(mean(seen.map(({ held }) => held))).toBeGreaterThan(0.75)
  }
})

/** Renders by PUT alone, in `ms` milliseconds for each of the steps; answers what the item was after each of them. */
async function rendered(on: TestServer, ms: number, body: object = {}): Promise<QueueItem[]> {
  const id = await on.add({ song_id: 1, ...body })
  const seen: QueueItem[] = []
  for (const [i, current_step] of ["Lyrics", "Images", "Render"].entries()) {
    await on.put(id, { status: "processing", current_step, progress: [5, 80, 90][i] })
    seen.push(await on.item(id))
    await Bun.sleep(ms)
  }
  await on.put(id, { status: "completed" })
  return [...seen, await on.item(id)]
}

describe("a client that knows nothing but PUT", () => {
  test("is learned from, and listed", async () => {
    await using own = await start()
    const first = await rendered(own, 100)
    expect(first.map(({ eta_runs, time_progress }) => [eta_runs, time_progress])).toEqual([
      [0, null],
      [0, null],
      [0, null],
      [0, null],
    ])
    const second = await rendered(own, 100)
    expect(second.map(({ eta_runs }) => eta_runs)).toEqual([1, 1, 1, 0])
    expect(second.map(({ progress }) => progress)).toEqual([5, 80, 90, 100])
    const [, images, render, done] = second
    expect(Math.abs((images?.time_progress ?? 0) - 33)).toBeLessThan(15)
    expect(Math.abs((render?.time_progress ?? 0) - 67)).toBeLessThan(15)
    expect(done).toMatchObject({ time_progress: 100, eta_seconds: null })
    const updates = await told(own, done?.id ?? 0)
    expect(updates.map(({ eta_runs }) => eta_runs)).toEqual([undefined, 1, 1, 1, undefined])
  })
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
    // As an older version left it.
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
    const [, images] = await rendered(own, 100)
    expect(images).toMatchObject({ eta_runs: 3 })
  } finally {
    await own.end()
  }
})
