import { expect, test } from "bun:test"

import { Backups, type BackupsOptions } from "../../src/upkeep/backups.ts"

const HOUR_MS = 3_600_000

/** Backups in a folder that is a list, with a clock that the test moves. */
function kept(more: Partial<BackupsOptions> = {}, files: string[] = []) {
  const clock = { nowMs: Date.parse("2026-01-02T03:04:05.678Z") }
  const results: boolean[] = []
  const backups = new Backups({
    everyMs: 24 * HOUR_MS,
    keep: 2,
    now: () => clock.nowMs,
    // A folder names its files in any order.
    names: async () => files.toReversed(),
    copy: async (name) => void files.push(name),
    remove: async (name) => void files.splice(files.indexOf(name), 1),
    onResult: (hasFailed) => void results.push(hasFailed),
    onError: () => undefined,
    ...more,
  })
  return { backups, clock, files, results }
}

test("a backup is made at once if there is none, is known as the latest one, and the next is made when its time has passed", async () => {
  const { backups, clock, files } = kept()
  await backups.round()
  expect(files).toEqual(["track-studio-20260102T030405Z.db"])
  expect(backups.latestMs).toBe(clock.nowMs)
  clock.nowMs += 23 * HOUR_MS
  await backups.round()
  expect(files).toHaveLength(1)
  clock.nowMs += HOUR_MS
  await backups.round()
  expect(files).toEqual(["track-studio-20260102T030405Z.db", "track-studio-20260103T030405Z.db"])
})

test("the newest are kept, and other files are left alone", async () => {
  const { backups, clock, files } = kept({}, ["mine.db", "track-studio-notes.db"])
  for (let i = 0; i < 4; i += 1) {
    await backups.round()
    clock.nowMs += 24 * HOUR_MS
  }
  expect(files).toEqual([
    "mine.db",
    "track-studio-notes.db",
    "track-studio-20260104T030405Z.db",
    "track-studio-20260105T030405Z.db",
  ])
})

test("one that cannot be removed keeps no other", async () => {
  const files = ["track-studio-20250101T000000Z.db", "track-studio-20250102T000000Z.db"]
  const { backups, results } = kept(
    {
      keep: 1,
      async remove(name) {
        if (name === files[0]) throw new Error("not yours")
        files.splice(files.indexOf(name), 1)
      },
    },
    files,
  )
  await expect(backups.round()).rejects.toThrow("not yours")
  expect([files, results]).toEqual([
    ["track-studio-20250101T000000Z.db", "track-studio-20260102T030405Z.db"],
    [false],
  ])
})

test("a restart does not make a backup before its time", async () => {
  const { backups, files } = kept({}, ["track-studio-20260102T000000Z.db"])
  await backups.round()
  expect(files).toHaveLength(1)
})

test("the time of the latest backup is known from the start, and not only after the first round", async () => {
  const { backups, files } = kept({}, ["track-studio-20260102T000000Z.db"])
  expect(backups.latestMs).toBe(0)
  await backups.start()
  while (backups.latestMs === 0) await Bun.sleep(1)
  expect(backups.latestMs).toBe(Date.parse("2026-01-02T00:00:00Z"))
  expect(files).toHaveLength(1)
  await backups.stop()
})

test("the remains of an interrupted backup are removed before the next one, and a stop interrupts a backup", async () => {
  const left = [
    "track-studio-20260101T000000Z.db.unfinished",
    `track-studio-20260101T000000Z.db.${crypto.randomUUID()}.unfinished`,
    "mine.db.unfinished",
  ]
  const { backups, files } = kept({}, [...left])
  await backups.round()
  expect(files).toEqual(["mine.db.unfinished", "track-studio-20260102T030405Z.db"])
  const results: boolean[] = []
  const begun = Promise.withResolvers<void>()
  const slow = kept({
    copy(_name, signal) {
      begun.resolve()
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("killed"))))
    },
    onResult: (hasFailed) => void results.push(hasFailed),
  })
  const look = slow.backups.round()
  await begun.promise
  await slow.backups.stop()
  await look
  expect([slow.files, results, slow.backups.latestMs]).toEqual([[], [], 0])
})

test("a failure is reported, removes nothing, and is tried again", async () => {
  const files = ["track-studio-20260101T000000Z.db"]
  let isFull = true
  const { backups, results } = kept(
    {
      keep: 1,
      copy: async (name) => {
        if (isFull) throw new Error("the disk is full")
        files.push(name)
      },
    },
    files,
  )
  await expect(backups.round()).rejects.toThrow("full")
  expect([files.length, results]).toEqual([1, [true]])
  isFull = false
  await backups.round()
  expect([files, results]).toEqual([["track-studio-20260102T030405Z.db"], [true, false]])
})

test("a folder that cannot be read is a backup that failed, too", async () => {
  let isLost = true
  const { backups, results } = kept({
    async names() {
      if (isLost) throw new Error("not a folder")
      return []
    },
    copy: async () => undefined,
  })
  await expect(backups.round()).rejects.toThrow("not a folder")
  isLost = false
  await backups.round()
  expect(results).toEqual([true, false])
})

test("a folder that was away for a moment is a failure no longer than that", async () => {
  let isLost = false
  const { backups, results } = kept({
    async names() {
      if (isLost) throw new Error("away")
      return ["track-studio-20260102T000000Z.db"]
    },
  })
  isLost = true
  await expect(backups.round()).rejects.toThrow("away")
  isLost = false
  await backups.round()
  expect(results).toEqual([true, false])
})

test("a backup from a clock that was far ahead neither puts off the next ones nor pushes them out", async () => {
  const ahead = "track-studio-20310101T000000Z.db"
  const { backups, clock, files } = kept({ keep: 1 }, [ahead])
  await backups.round()
  await backups.round()
  expect(files).toEqual([ahead, "track-studio-20260102T030405Z.db"])
  clock.nowMs += 24 * HOUR_MS
  await backups.round()
  expect(files).toEqual([ahead, "track-studio-20260103T030405Z.db"])
  // If the clock is put back a little, no backup is made before its time.
  clock.nowMs -= HOUR_MS
  await backups.round()
  expect(files).toHaveLength(2)
  // As soon as its time has come, it is one of them.
  clock.nowMs = Date.parse("2031-01-02T00:00:00Z")
  await backups.round()
  expect(files).toEqual(["track-studio-20310102T000000Z.db"])
})
