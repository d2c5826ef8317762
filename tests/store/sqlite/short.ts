import { Database } from "bun:sqlite"
import { statSync } from "node:fs"

import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"

/**
 * Ends without closing while another connection reads an old state. So the end of the database is only in its
 * log, although its first page is in the file.
 */
const path = process.argv[2] ?? ""
const store = new SqliteStore(path)
await added(store)
const [writer, reader] = [new Database(path), new Database(path)]
writer.run("PRAGMA wal_autocheckpoint = 0")
writer.run("CREATE TABLE end (row INTEGER PRIMARY KEY, said TEXT)")
for (let row = 0; row < 5; row++) writer.run("INSERT INTO end VALUES (?, ?)", [row, "x".repeat(3000)])
reader.run("BEGIN")
reader.query("SELECT count(*) FROM end").get()
writer.run("UPDATE end SET said = ? WHERE row = 4", ["y".repeat(3000)])
writer.run("PRAGMA wal_checkpoint(PASSIVE)")
console.log(statSync(path).size)
process.kill(process.pid, "SIGKILL")
