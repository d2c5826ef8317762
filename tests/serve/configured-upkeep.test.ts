import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { retentionOf } from "../../src/serve/configured-upkeep.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"
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
