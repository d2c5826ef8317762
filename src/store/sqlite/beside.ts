import { Database } from "bun:sqlite"
import { existsSync } from "node:fs"

import { AppError, reasonOf } from "../../errors.ts"
import { SqliteAccess } from "./access.ts"
import { waitForWriters } from "./connect.ts"
import { giveToOwner, realPathOf } from "./database-path.ts"
import { appliedMigrations, knownMigrations, openDatabase } from "./open.ts"

/** The tokens of a database, beside a server that may be running on it. */
export interface AccessBeside {
  /** The tokens themselves. */
  readonly access: SqliteAccess
  /** Closes the database. */
  close(): void
}

/** Creates the database, or brings it up to date; only possible while no server runs on it. */
function prepare(path: string): void {
  const { client, lock } = openDatabase(path)
  client.close()
  lock.close()
}

function isCurrent(client: Database): boolean {
  return appliedMigrations(client) === knownMigrations()
}

/**
 * Opens the tokens of the database at `path` without its lock, so that it works beside a running server. A database that
 * does not exist is created. Times are the machine's.
 * @throws AppError `unavailable` when it cannot be opened, or a server of another version runs on it
 */
export function openAccessBeside(path: string): AccessBeside {
  const absolute = realPathOf(path)
  if (!existsSync(absolute)) prepare(absolute)
  let client = new Database(absolute, { readwrite: true })
  try {
    if (!isCurrent(client)) {
      client.close()
      prepare(absolute)
      client = new Database(absolute, { readwrite: true })
    }
    waitForWriters(client)
    client.run("PRAGMA synchronous = FULL")
    client.run("PRAGMA foreign_keys = ON")
    giveToOwner(absolute)
  } catch (error) {
    client.close()
    if (error instanceof AppError) throw error
    const reason = reasonOf(error)
    throw new AppError("unavailable", `cannot open the database ${absolute}: ${reason}`, { cause: error })
  }
  const run = async <T>(work: () => T): Promise<T> => client.transaction(work).immediate()
  return {
    access: new SqliteAccess(client, { run }, Date.now),
    close() {
      giveToOwner(absolute)
      client.close()
    },
  }
}
