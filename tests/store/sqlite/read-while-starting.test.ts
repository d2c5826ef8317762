import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { openDatabase } from "../../../src/store/sqlite/open.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

/** What is read of the present state keeps later ones from being written into the file. */
function reading(path: string): Database {
  const reader = new Database(path)
  reader.run("BEGIN")
  reader.query("SELECT * FROM history").get()
  return reader
}

/** Copies a database in another process, because opening the files would take the locks from this one. */
function copy(from: string, to: string, parts = ["", "-wal", ".lock"]): void {
  for (const part of parts) Bun.spawnSync(["cp", `${from}${part}`, `${to}${part}`])
}

test("a start that is killed before its mark is in the file, again and again, keeps no later one from starting", () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "0.db")
  const first = openDatabase(path)
  first.client.close()
  first.lock.close()
  for (let start = 0; start < 4; start += 1) {
    const [from, to] = [join(folder.path, `${start}.db`), join(folder.path, `${start + 1}.db`)]
    const reader = reading(from)
    const { client, lock } = openDatabase(from)
    copy(from, to)
    reader.close()
    client.close()
    lock.close()
  }
  const last = openDatabase(join(folder.path, "4.db"))
  expect(last.found.warning).toBe(undefined)
  last.client.close()
  last.lock.close()
})

test("a server is started again after it died or ended while somebody read a state from before its start", async () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, `${name}.db`)
  const [path, died, ended] = [at("queue"), at("died"), at("ended")]
  await new SqliteStore(path).close()
  const reader = reading(path)
  const store = new SqliteStore(path)
  store.faults()
  await added(store)
  copy(path, died)
  await store.close()
  copy(path, ended)
  reader.close()
  for (const each of [died, ended]) {
    const again = new SqliteStore(each)
    expect([await again.items(), again.found.warning]).toEqual([1, undefined])
    await again.close()
  }
})

test("the lock learns of a start once nobody reads a state from before it", async () => {
  using folder = temporaryFolder()
  const [path, lost] = [join(folder.path, "queue.db"), join(folder.path, "lost.db")]
  await new SqliteStore(path).close()
  const reader = reading(path)
  const store = new SqliteStore(path)
  store.faults()
  await added(store)
  reader.run("COMMIT")
  store.faults()
  await added(store)
  copy(path, lost, ["", ".lock"])
  await store.close()
  reader.close()
  const again = new SqliteStore(lost)
  expect(again.found.warning).toContain("the last server did not close the database")
  await again.close()
})
