import { expect, test } from "bun:test"
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { DatabaseFileReader } from "../../../src/store/sqlite/database-file-reader.ts"
import { DATABASE_PARTS, giveToOwner } from "../../../src/store/sqlite/database-path.ts"
import { openDatabase } from "../../../src/store/sqlite/open.ts"
import { temporaryFolder } from "../../server.ts"
import { openAndClose } from "./open-and-close.ts"

test("the log of a database in whose place an earlier copy of it was put stops a start, and is set aside when that copy is taken as it is", () => {
  using folder = temporaryFolder()
  const [database, copy] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  openAndClose(database)
  copyFileSync(database, copy)
  writeFileSync(`${database}-wal`, "of the former one")
  renameSync(copy, database)
  expect(() => openAndClose(database)).toThrow(`${database}-wal belongs to another file`)
  const { client, lock } = openDatabase(database, true)
  expect(readFileSync(`${database}-wal.old`, "utf8")).toBe("of the former one")
  client.close()
  lock.close()
})

/** A database, its lock file, and its log, by what is added to its name. */
type Left = Readonly<Record<string, Buffer>>

/** What a server that is killed leaves. */
function leftBy(database: string): Left {
  const { client, lock } = openDatabase(database)
  client.run("UPDATE history SET alive_at = 1")
  const parts = ["", ".lock", "-wal"].map((part) => [part, readFileSync(`${database}${part}`)] as const)
  client.close()
  lock.close()
  return Object.fromEntries(parts)
}

test("the log of another database stops a start beside one whose lock file is gone, and its own log does not", () => {
  using folder = temporaryFolder()
  const at = (file: string): string => join(folder.path, file)
  const [own, other] = [leftBy(at("queue.db")), leftBy(at("other.db"))]
  for (const log of [other, own]) {
    const placed = at(log === own ? "own.db" : "placed.db")
    writeFileSync(placed, own[""] ?? "")
    writeFileSync(`${placed}-wal`, log["-wal"] ?? "")
    if (log === other) expect(() => openAndClose(placed)).toThrow(`${placed}-wal belongs to another file`)
    else openAndClose(placed)
  }
})

test.each(["another database", "a much earlier state", "a later state", "its own state"])(
  "a log beside which %s was put, with its lock file, stops a start unless it belongs there, and stays",
  (name) => {
    using folder = temporaryFolder()
    const at = (file: string): string => join(folder.path, file)
    const first = leftBy(at("queue.db"))
    openAndClose(at("queue.db"))
    const last = leftBy(at("queue.db"))
    const states: Readonly<Record<string, readonly [Left, Left]>> = {
      "another database": [leftBy(at("other.db")), last],
      "a much earlier state": [first, last],
      "a later state": [last, first],
      "its own state": [last, last],
    }
    const [file, log] = states[name] ?? [first, first]
    const placed = at("placed.db")
    for (const part of ["", ".lock"]) writeFileSync(`${placed}${part}`, file[part] ?? "")
    writeFileSync(`${placed}-wal`, log["-wal"] ?? "")
    if (name === "its own state") return openAndClose(placed)
    for (const _try of [1, 2])
      expect(() => openAndClose(placed)).toThrow(`${placed}-wal belongs to another file`)
    expect(file[""]?.equals(readFileSync(placed))).toBe(true)
    const { client, lock } = openDatabase(placed, true)
    expect(log["-wal"]?.equals(readFileSync(`${placed}-wal.old`))).toBe(true)
    client.close()
    lock.close()
  },
)

test.each(["-wal", "-shm", "-journal", ".lock", ".lock-journal"])(
  "a folder where the %s of a database belongs is named by the start, and left alone",
  (part) => {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    mkdirSync(`${database}${part}`)
    expect(() => openAndClose(database)).toThrow(`${database}${part} is not a file`)
    expect(readdirSync(folder.path)).toEqual([`queue.db${part}`])
  },
)

/** How many descriptors of this process lead to a file. */
const held = (path: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      // It was that of the folder itself.
      return false
    }
  }).length

test("what reads the log of a database beside SQLite closes it after each look", () => {
  using folder = temporaryFolder()
  const all = openDatabase(join(folder.path, "queue.db"))
  const log = `${all.found.path}-wal`
  const reader = new DatabaseFileReader(all)
  // The log has to be read only while a part of it is not in the file yet.
  all.client.run("UPDATE history SET alive_at = 1")
  const before = held(log)
  expect(Array.from({ length: 20 }, () => reader.isLogCut)).not.toContain(true)
  expect(held(log)).toBe(before)
  all.client.close()
  reader.close()
  all.lock.close()
})

test("what reads the file of a database beside SQLite holds it until it is closed", () => {
  using folder = temporaryFolder()
  const all = openDatabase(join(folder.path, "queue.db"))
  const { path } = all.found
  const before = held(path)
  const reader = new DatabaseFileReader(all)
  expect(held(path)).toBe(before + 1)
  reader.close()
  expect(held(path)).toBe(before)
  all.client.close()
  all.lock.close()
})

test.skipIf(process.getuid?.() !== 0)(
  "what root makes of a database belongs to the owner of its folder",
  () => {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    const ownersOf = (): number[] => DATABASE_PARTS.map((part) => statSync(`${database}${part}`).uid)
    for (const part of DATABASE_PARTS) writeFileSync(`${database}${part}`, "")
    giveToOwner(database)
    expect(ownersOf()).toEqual([0, 0, 0, 0])
    chownSync(folder.path, 12_345, 23_456)
    giveToOwner(database)
    expect(ownersOf()).toEqual([12_345, 12_345, 12_345, 12_345])
    expect(statSync(database).gid).toBe(23_456)
  },
)
