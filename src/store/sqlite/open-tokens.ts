import { Database } from "bun:sqlite"
import { existsSync } from "node:fs"

import type { OpenAccess } from "../contract/access.ts"
import { SqliteAccess } from "./access.ts"
import { waitForWriters } from "./connect.ts"
import { giveToOwner, realPathOf, refuseMissing } from "./database-path.ts"
import { explained } from "./fault-sentences.ts"
import { appliedMigrations, openDatabase } from "./open.ts"
import { knownMigrations } from "./schema-of-version.ts"

/** Creates the database, or migrates it to this version. This is only possible while no server runs on it. */
function prepare(path: string): void {
  const { client, lock } = openDatabase(path)
  client.close()
  lock.close()
}

/** Opens a database that exists. Afterwards it is up to date. */
function opened(path: string): Database {
  let client = new Database(path, { readwrite: true })
  try {
    if (appliedMigrations(client) !== knownMigrations()) {
      client.close()
      prepare(path)
      client = new Database(path, { readwrite: true })
    }
    waitForWriters(client)
    client.run("PRAGMA synchronous = FULL")
    client.run("PRAGMA foreign_keys = ON")
    giveToOwner(path)
    return client
  } catch (error) {
    client.close()
    throw error
  }
}

/**
 * Opens the tokens of the database at `path` without its lock, so that it works beside a running server. A database that
 * does not exist is created if `isNewAllowed`. Times are the machine's.
 * @throws AppError `unavailable` when it does not exist or cannot be opened, or a server of another version runs on it; the methods of
 * `access` throw it when it cannot be written
 */
export function openAccessBeside(path: string, isNewAllowed = true): OpenAccess {
  const absolute = realPathOf(path)
  const said = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw explained(error, absolute)
    }
  }
  const isThere = existsSync(absolute)
  // If the path is mistyped, an empty database would be taken for a queue without tokens, which serves only
  // this machine.
  if (!isNewAllowed) refuseMissing(path, "; name the server's with --database")
  if (!isThere) said(() => prepare(absolute))
  const client = said(() => opened(absolute))
  const run = async <T>(work: () => T): Promise<T> => said(() => client.transaction(work).immediate())
  return {
    access: new SqliteAccess(client, { run }, Date.now),
    created: isThere ? null : absolute,
    close: () => client.close(),
  }
}
