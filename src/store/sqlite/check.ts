import type { Database } from "bun:sqlite"

import { AppError, reasonOf } from "../../errors.ts"
import { legalMoves } from "../moves-as-sql.ts"
import { openToRead } from "./connect.ts"
import { refuseMissing } from "./database-path.ts"
import { appliedMigrations } from "./open.ts"
import { faultOfSchema, knownMigrations } from "./schema-of-version.ts"

/** The number of faults that are listed. If a database is broken, the first ones are enough. */
const MOST_FAULTS = 20

/** What a check of a database found. */
export interface CheckResult {
  /** How many items there are, without those that were deleted. */
  readonly items: number
  /** How many updates are kept. */
  readonly updates: number
  /** The faults, one sentence each; empty if there are none. At most 20. */
  readonly faults: readonly string[]
}

interface FaultRow {
  readonly fault: string
}

/** The rules for the history and for that of every item. Each is a query that finds what breaks the rule. */
const RULES: readonly string[] = [
  `SELECT format('item %d: update %d goes from %s to %s, which is no legal move', queue_id, id, before, status) AS fault
   FROM (SELECT id, queue_id, status, lag(status) OVER (PARTITION BY queue_id ORDER BY id) AS before FROM updates)
   WHERE before <> status AND (before, status) NOT IN (VALUES ${legalMoves})`,
  `SELECT format('item %d: its last update %d is not kept', i.id, i.last_update_id) AS fault
   FROM queue_items AS i LEFT JOIN updates AS u ON u.id = i.last_update_id
   WHERE u.id IS NULL AND i.deleted_at IS NULL`,
  `SELECT format('item %d is %s, and its last update says %s', i.id, i.status, u.status) AS fault
   FROM queue_items AS i JOIN updates AS u ON u.id = i.last_update_id
   WHERE u.queue_id <> i.id OR u.status <> i.status`,
  `SELECT format('update %d of item %d comes after the last one of the item', u.id, u.queue_id) AS fault
   FROM updates AS u JOIN queue_items AS i ON i.id = u.queue_id WHERE u.id > i.last_update_id`,
  `SELECT format('update %d belongs to no item', u.id) AS fault
   FROM updates AS u LEFT JOIN queue_items AS i ON i.id = u.queue_id WHERE i.id IS NULL`,
  "SELECT 'the name of its history is missing' AS fault WHERE NOT EXISTS (SELECT 1 FROM history)",
]

function faultsOf(client: Database): string[] {
  const broken = client
    .query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${MOST_FAULTS})`)
    .all()
    .map(({ integrity_check }) => integrity_check)
    .filter((said) => said !== "ok")
  if (broken.length > 0) return broken
  return RULES.flatMap((rule) => client.query<FaultRow, [number]>(`${rule} LIMIT ?`).all(MOST_FAULTS))
    .map(({ fault }) => fault)
    .slice(0, MOST_FAULTS)
}

const count = (client: Database, of: "queue_items WHERE deleted_at IS NULL" | "updates"): number =>
  client.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${of}`).get()?.n ?? 0

/**
 * Checks that a database is whole, and that the history of every item is legal. It only reads, and it also
 * works beside a running server. `shown` is the path that errors name; default: that of the database.
 * @throws AppError `unavailable` if it is not a database of this program, or cannot be opened
 */
export function checkDatabase(path: string, shown = path): CheckResult {
  refuseMissing(path)
  let client: Database | undefined
  try {
    client = openToRead(path)
    client.run("PRAGMA query_only = ON")
    const applied = appliedMigrations(client)
    if (applied === 0) throw new AppError("unavailable", `${shown} is not a database of this program`)
    if (applied > knownMigrations()) {
      throw new AppError("unavailable", `${shown} was made by a newer version; use that one for it`)
    }
    const fault = faultOfSchema(client, applied)
    return {
      items: count(client, "queue_items WHERE deleted_at IS NULL"),
      updates: count(client, "updates"),
      faults: fault === undefined ? faultsOf(client) : [fault],
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    const reason = reasonOf(error)
    throw new AppError("unavailable", `${shown} cannot be read: ${reason}`, { cause: error })
  } finally {
    client?.close()
  }
}
