import { expect, spyOn, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"

import { Reasons } from "../../src/degraded-reasons.ts"
import { backupsOf } from "../../src/serve/child-processes.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { BALLAST_BYTES } from "../../src/upkeep/ballast-for-full-disk.ts"
import { temporaryFolder } from "../server.ts"

test("a backup that another process could not make is a failure, and the folder is its owner's alone", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const backupDir = join(folder.path, "backups")
  const store = new SqliteStore(database)
  const reasons = new Reasons()
  const settings = serveSettings({ database, "backup-dir": backupDir }, {})
  // The program that is started again is this file, which makes no backup.
  const round = backupsOf(settings, store, reasons)[0]?.round()
  await expect(round).rejects.toThrow("outside of the test runner")
  expect(reasons.current).toEqual(["backup_failed"])
  expect(statSync(backupDir).mode & 0o777).toBe(0o700)
  // What is no file is no backup, whatever its name is.
  mkdirSync(join(backupDir, `track-studio-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}.db`))
  await expect(backupsOf(settings, store, reasons)[0]?.round()).rejects.toThrow("outside of the test runner")
  // A folder alone makes no backups once they are off.
  const off = serveSettings({ database, "backup-dir": backupDir, "backup-every": "0" }, {})
  expect(backupsOf(off, store, reasons)).toEqual([])
  await store.close()
})

test("a backup has failed if its process has, whatever that printed", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "q.db"))
  const reasons = new Reasons()
  const settings = serveSettings({ database: store.found.path, "backup-dir": folder.path }, {})
  const { spawn } = Bun
  let script = ""
  using _spawn = spyOn(Bun, "spawn").mockImplementation(((_command: unknown, options: object) =>
    spawn(["sh", "-c", script], options)) as never)
  const failure = async (of: string): Promise<unknown[]> => {
    script = of
    const round = backupsOf(settings, store, reasons)[0]?.round()
    return [await round?.catch((error: unknown) => String(error)), reasons.current.length]
  }
  expect(await failure("echo no room >&2; exit 3")).toEqual(["Error: no room", 1])
  expect(await failure("exit 3")).toEqual(["Error: the process for it ended with code 3", 1])
  expect(await failure("kill -9 $$")).toEqual(["Error: the process for it ended with code 137", 1])
  expect(await failure("echo a warning >&2")).toEqual([undefined, 0])
  await store.close()
})

test("a backup for which the disk has no room is not begun, and begins when there is room", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const backupDir = join(folder.path, "backups")
  const store = new SqliteStore(database)
  const { used } = await store.upkeep.size()
  const reasons = new Reasons()
  let free = used + BALLAST_BYTES - 1
  const asked: string[] = []
  const freeOn = (of: string): number => {
    asked.push(of)
    return free
  }
  const backups = backupsOf(serveSettings({ database, "backup-dir": backupDir }, {}), store, reasons, freeOn)
  await expect(backups[0]?.round()).rejects.toThrow(`the disk of ${backupDir} only 8`)
  expect([asked, reasons.current, readdirSync(backupDir)]).toEqual([[backupDir], ["backup_failed"], []])
  free += 1
  // The program that is started is this file, which makes no backup.
  await expect(backups[0]?.round()).rejects.toThrow("outside of the test runner")
  await store.close()
})

test("no backup is made, and no folder, where a disk is not mounted", async () => {
  using folder = temporaryFolder()
  const [database, backupDir] = [join(folder.path, "q.db"), join(folder.path, "backups")]
  const store = new SqliteStore(database)
  const reasons = new Reasons()
  const settings = serveSettings({ database, "backup-dir": backupDir }, {})
  const asked: string[] = []
  let disk: string | undefined = folder.path
  const unmountedOf = async (of: string): Promise<string | undefined> => {
    asked.push(of)
    return disk
  }
  const [backups] = backupsOf(settings, store, reasons, undefined, unmountedOf)
  await expect(backups?.round()).rejects.toThrow(`nothing is mounted at ${folder.path}`)
  expect([asked, reasons.current, existsSync(backupDir)]).toEqual([[backupDir], ["backup_failed"], false])
  disk = undefined
  // The program that is started is this file, which makes no backup.
  await expect(backups?.round()).rejects.toThrow("outside of the test runner")
  await store.close()
})

test("a backup is made by the program itself: the binary alone, or Bun with the source", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const store = new SqliteStore(database)
  const [backups] = backupsOf(
    serveSettings({ database, "backup-dir": folder.path }, {}),
    store,
    new Reasons(),
  )
  using spawn = spyOn(Bun, "spawn").mockImplementation(() => {
    throw new Error("not started")
  })
  const { main } = Bun
  try {
    for (const started of ["/$bunfs/root/track-studio", "/src/main.ts"]) {
      Object.assign(Bun, { main: started })
      await expect(backups?.round()).rejects.toThrow("not started")
    }
  } finally {
    Object.assign(Bun, { main })
  }
  const begun = spawn.mock.calls.map(([command]) => Array.isArray(command) && command.slice(0, 2))
  expect(begun).toEqual([
    [process.execPath, "backup"],
    [process.execPath, "/src/main.ts"],
  ])
  await store.close()
})
