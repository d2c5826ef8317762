import { expect, test } from "bun:test"
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"

import { config } from "../../src/config/config.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import { backupsOf } from "../../src/serve/child-processes.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

test("a backup that another process could not make is a failure, and the folder is its owner's alone", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const backupDir = join(folder.path, "backups")
  const store = new SqliteStore(database)
  const reasons = new Reasons()
  const settings = config({ database, "backup-dir": backupDir }, {})
  // The program that is started again is this file, which makes no backup.
  const turn = backupsOf(settings, store, reasons)[0]?.turn()
  await expect(turn).rejects.toThrow("outside of the test runner")
  expect(reasons.current).toEqual(["backup_failed"])
  expect(statSync(backupDir).mode & 0o777).toBe(0o700)
  // What is no file is no backup, whatever its name is.
  mkdirSync(join(backupDir, `track-studio-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}.db`))
  await expect(backupsOf(settings, store, reasons)[0]?.turn()).rejects.toThrow("outside of the test runner")
  // A folder alone makes no backups once they are off.
  const off = config({ database, "backup-dir": backupDir, "backup-every": "0" }, {})
  expect(backupsOf(off, store, reasons)).toEqual([])
  await store.close()
})
