import { constants, Database } from "bun:sqlite"
import { existsSync } from "node:fs"

import { codeOf } from "../../errors.ts"
import { sizeOf } from "./database-path.ts"

/** How long to wait for another process that writes the database. */
const BUSY_MS = 5000
const READ_AS_IT_IS = constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI

/**
 * Lets each statement of a connection wait for up to 5 s while another process writes the database. This blocks the event
 * loop, so it is for commands, and for the start of a server.
 */
export const waitForWriters = (client: Database): void => void client.run(`PRAGMA busy_timeout = ${BUSY_MS}`)

/** Opens a database file as it is: without the contents of its write-ahead log, and without a lock. */
export const openAsItIs = (path: string): Database =>
  new Database(`file:${path.split("/").map(encodeURIComponent).join("/")}?immutable=1`, READ_AS_IT_IS)

/**
 * Opens a database for a command that only reads it, perhaps beside a server. If some of it is in a write-ahead log, that
 * stays as it is. A database on a disk that takes no writes, such as a failing disk, can be read if its server had
 * written everything into the file.
 * @throws Error if it cannot be read
 */
export function openToRead(path: string): Database {
  // The last connection that may write moves the log into the file when it closes. Without a log there is nothing to
  // move, and a connection that may not write would leave the empty log behind that it has to make.
  const isLogged = sizeOf(`${path}-wal`) > 0
  const client = new Database(path, isLogged ? { readonly: true } : { readwrite: true })
  try {
    client.query("SELECT 1 FROM sqlite_master").get()
    return client
  } catch (error) {
    client.close()
    const isUnwritable = codeOf(error) === "SQLITE_CANTOPEN"
    if (!isUnwritable || !existsSync(path) || existsSync(`${path}-wal`)) throw error
    return openAsItIs(path)
  }
}
