import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import { retentionOf, sizeLimitOf } from "../../src/serve/configured-upkeep.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

const MINUTE_MS = 60_000

test("the time in which no server ran counts for an hour of the age of updates", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  let nowMs = START_MS
  const now = (): number => nowMs
  const opened = (): SqliteStore => new SqliteStore(database, () => ({ now, steadyMs: now }))
  const before = opened()
  await added(before)
  await before.close()
  nowMs += 24 * 60 * MINUTE_MS
  const store = opened()
  // The first sign of life ends the time in which none ran.
  await store.alive()
  const passed = spyOn(store.upkeep, "passMinutes")
  const retention = retentionOf(serveSettings({ database }, {}), store, new LocalBus())
  for (let minute = 0; minute < 5; minute += 1) {
    nowMs += MINUTE_MS
    await retention.round()
  }
  expect(passed.mock.calls).toEqual([[60]])
  await store.close()
})

test("what is refused, and what health says, follows from how full the database is", async () => {
  const [room, reasons] = [new RefuseWhenFull(), new Reasons()]
  let used = 0
  // A database in which nothing can be removed.
  const upkeep = {
    size: async () => ({ used, wal: 0, free: 0 }),
    items: async () => ({ present: 0, deleted: 0 }),
    finished: async () => [],
    ...Object.fromEntries(["checkpoint", "purge", "thin", "newestAgo"].map((name) => [name, async () => 0])),
  }
  const store: unknown = { upkeep, clock: { now: () => START_MS } }
  const settings = serveSettings({ "max-database-mb": "100" }, {})
  const limit = sizeLimitOf(settings, store as Store, new LocalBus(), { room, reasons })
  const isRefused = (check: () => void): boolean => {
    try {
      check()
      return false
    } catch {
      return true
    }
  }
  const seen = async (megabytes: number): Promise<unknown[]> => {
    used = megabytes * 1e6
    await limit.round()
    return [isRefused(() => room.check()), isRefused(() => room.checkClaim()), ...reasons.current]
  }
  expect(await seen(89)).toEqual([false, false])
  expect(await seen(91)).toEqual([false, false, "database_filling"])
  expect(await seen(100)).toEqual([true, false, "database_full"])
  expect(await seen(111)).toEqual([true, true, "database_full"])
  expect(await seen(50)).toEqual([false, false])
  // Between two rounds a commit fills it.
  used = 101 * 1e6
  room.onCommit()
  while (!isRefused(() => room.check())) await new Promise(setImmediate)
  expect(await seen(50)).toEqual([false, false])
})
