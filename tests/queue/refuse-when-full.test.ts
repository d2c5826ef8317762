import { expect, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { AppError } from "../../src/errors.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

/** What a check refuses, with its code. */
function refusal(check: () => void): string {
  try {
    check()
    return "nothing"
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return `${error.code}: ${error.message.split(" --")[0]?.split(";")[0]}`
  }
}

const DISK = "unavailable: the disk of the database is full"
const FULL = "unavailable: the database is as large as"
const LARGER = "unavailable: the database is a tenth larger than"

test.each<[state: Partial<RefuseWhenFull>, add: string, claim: string, take: string]>([
  [{}, "nothing", "nothing", "nothing"],
  [{ isFull: true }, FULL, "nothing", "nothing"],
  [{ isFull: true, isFarTooLarge: true }, FULL, LARGER, LARGER],
  [{ isDiskFull: true }, DISK, DISK, "nothing"],
  [{ isDiskFull: true, isFull: true, isFarTooLarge: true }, DISK, DISK, LARGER],
])(
  "with %j an add, a claim and the claim of a number are refused for the reason that counts",
  (state, add, claim, take) => {
    const room = Object.assign(new RefuseWhenFull(), state)
    const checks = [() => room.check(), () => room.checkClaim(), () => room.checkTake()]
    expect(checks.map(refusal)).toEqual([add, claim, take])
  },
)

test("a full database refuses what adds to it, and takes what ends an item, removes it or pauses the queue", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const room = new RefuseWhenFull()
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error), room)
  for (let song_id = 1; song_id <= 4; song_id += 1) await queue.add({ song_id })
  room.isFull = true
  const head = await store.head()
  for (const act of [
    () => queue.add({ song_id: 5 }),
    () => queue.update(1, { title: "one" }),
    () => queue.update(1, { status: "processing" }),
    () => queue.move(2, 1),
    () => queue.retry(1),
    () => queue.retryFailed(),
    () => queue.batch("retry", [1]),
  ])
    await expect(act()).rejects.toThrow("as large as")
  expect(await store.head()).toBe(head)
  await queue.update(1, { status: "failed" })
  await queue.cancel(2)
  expect(await queue.batch("cancel", [3])).toEqual({ done: [3], refused: [] })
  expect(await queue.batch("delete", [3])).toEqual({ done: [3], refused: [] })
  await queue.remove(4)
  await queue.pause()
  await queue.resume()
  await store.close()
})
