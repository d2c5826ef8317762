import { Database } from "bun:sqlite"
import { statSync } from "node:fs"

import { AppError } from "../../errors.ts"
import { waitForWriters } from "./connect.ts"
import { refuseMissing } from "./database-path.ts"
import { refusalOf } from "./fault-sentences.ts"
import { appliedMigrations } from "./open.ts"

/** The result of a compaction, in bytes of the file. */
export interface Compacted {
  /** The size of the file before, in bytes. */
  readonly before: number
  /**
   * The size of the file now, in bytes; equal to `before` until a running server has copied its log into the
   * file.
   */
  readonly after: number
}

/**
 * Rewrites the database at `path` without its unused room. From then on, the file gives room back by itself.
 * A server may run on the database meanwhile: reads continue, and writes wait. It takes a second for about
 * 100 MB.
 * @throws AppError `unavailable` if there is no database, it is another program's, or it cannot be written
 */
export function compactDatabase(path: string): Compacted {
  refuseMissing(path)
  const before = statSync(path).size
  const client = new Database(path, { readwrite: true })
  try {
    waitForWriters(client)
    if (appliedMigrations(client) === 0)
      throw new AppError("unavailable", `${path} is a database of another program`)
    client.run("PRAGMA synchronous = FULL")
    client.run("PRAGMA auto_vacuum = INCREMENTAL")
    client.run("VACUUM")
    client.run("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch (error) {
    throw refusalOf(error, path, `the database ${path} was not compacted`)
  } finally {
    client.close()
  }
  return { before, after: statSync(path).size }
}
