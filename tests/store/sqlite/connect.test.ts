import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { copyFileSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"

import { openToRead } from "../../../src/store/sqlite/connect.ts"
import { temporaryFolder } from "../../server.ts"

test("a database that cannot be written is read as it is only if nothing of it is in a log", () => {
  using folder = temporaryFolder()
  const [path, copy] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  using client = new Database(path)
  client.run("PRAGMA journal_mode = WAL")
  client.run("CREATE TABLE words (word TEXT)")
  client.run("PRAGMA wal_checkpoint(TRUNCATE)")
  client.run("INSERT INTO words VALUES ('in the log')")
  for (const part of ["", "-wal"]) copyFileSync(`${path}${part}`, `${copy}${part}`)
  // SQLite follows no link, so it cannot make a file here.
  symlinkSync(join(folder.path, "nowhere"), `${copy}-shm`)
  expect(() => openToRead(copy)).toThrow("unable to open database file")
  rmSync(`${copy}-wal`)
  symlinkSync(join(folder.path, "nowhere"), `${copy}-wal`)
  using asItIs = openToRead(copy)
  expect(asItIs.query("SELECT word FROM words").all()).toEqual([])
})
