import { Database } from "bun:sqlite"
import { existsSync } from "node:fs"

import { AppError } from "../../errors.ts"
import { RAN_OUT, REVOKED } from "../../item/lease-token.ts"
import type { HeldBeforeRestore } from "../../item/lease.ts"
import { lastNumber } from "./autoincrement.ts"
import { waitForWriters } from "./connect.ts"
import { historyIdOf } from "./history.ts"
import { appliedMigrations } from "./open.ts"
import { knownMigrations } from "./schema-of-version.ts"

type KeptRow = Record<string, string | number | null>

/** The part of the present database that a restore keeps. */
export interface PresentDatabase {
  /** The name of its history. */
  readonly historyId: string
  /**
   * Whether it has the newest update of the backup. If it has, the numbers of the backup mean the same in it.
   */
  readonly hasNewest: boolean
  /** The highest event ID that it gave. */
  readonly updateId: number
  /** The highest item ID that it gave. */
  readonly itemId: number
  /** The leases of the workers that render, as far as is known, by the IDs of their items. */
  readonly held: ReadonlyMap<number, HeldBeforeRestore>
  /** All tokens that were ever created. */
  readonly tokens: readonly KeptRow[]
  /** The deliveries to webhooks, both finished and waiting ones. */
  readonly deliveries: readonly KeptRow[]
  /** The event ID up to which each webhook has examined the history. */
  readonly webhooks: readonly { readonly url: string; readonly cursor: number }[]
}

/** The two histories of a restore: that of the backup, and the restored one. */
export interface RestoreNames {
  /** The name that the history of the backup had. */
  readonly from: string
  /** The name that the restored history gets. */
  readonly to: string
  /** The last event ID of the backup. */
  readonly lastUpdate: number
  /** The event ID after which the restored history continues. */
  readonly head: number
  /** The time of the restore. */
  readonly time: string
}

/** An update as it is stored in a database. */
interface Newest {
  readonly id: number
  readonly data: string
}

/** The newest update that a database holds; null if it holds none. */
export const newestOf = (client: Database): Newest | null =>
  client.query<Newest, []>("SELECT id, data FROM updates ORDER BY id DESC LIMIT 1").get()

/** All rows of a table; none if the database is of a version that did not have this table yet. */
const rowsOf = <Row>(client: Database, table: string): Row[] =>
  client.query("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) === null
    ? []
    : client.query<Row, []>(`SELECT * FROM ${table}`).all()

/**
 * The leases in force, and those for which items wait since a restore, by the IDs of their items; none if the items cannot
 * be read, as in a damaged database.
 */
function heldIn(client: Database): ReadonlyMap<number, HeldBeforeRestore> {
  const leased = `lease_token NOT LIKE '${REVOKED}%' AND lease_token NOT LIKE '${RAN_OUT}%' AND verdict IS NULL AND started_at IS NOT NULL AND deleted_at IS NULL`
  try {
    const rows = client
      .query<{ id: number; token: string; startedMs: number }, []>(
        `SELECT id, lease_token AS token, started_at AS startedMs FROM queue_items WHERE ${leased}`,
      )
      .all()
    return new Map(
      rows.map(({ id, token, startedMs }) => [id, { token, startedAt: new Date(startedMs).toISOString() }]),
    )
  } catch {
    return new Map()
  }
}

/** Refuses a newer database: its tokens may have rights that this version does not know. */
const newerVersion = (path: string): AppError =>
  new AppError(
    "unavailable",
    `${path} was made by a newer version: restore the backup with that one, or, to go back to this one, move that file away first`,
  )

/**
 * The part that a restore keeps; null if the present database cannot be read, or if there is none. `newest`
 * is the newest update of the backup.
 * @throws AppError `unavailable` if the present database was made by a newer version
 */
export function presentOf(path: string, newest: Newest | null): PresentDatabase | null {
  if (!existsSync(path)) return null
  let client: Database | undefined
  try {
    client = new Database(path, { readwrite: true })
    waitForWriters(client)
    if (appliedMigrations(client) > knownMigrations()) throw newerVersion(path)
    const opened = client
    const all = <Row>(table: string): Row[] => rowsOf<Row>(opened, table)
    const same = client.query("SELECT 1 FROM updates WHERE id = ? AND data = ?")
    return {
      historyId: historyIdOf(client),
      hasNewest: newest !== null && same.get(newest.id, newest.data) !== null,
      updateId: lastNumber(client, "updates"),
      itemId: lastNumber(client, "queue_items"),
      held: heldIn(client),
      tokens: all("tokens"),
      deliveries: all("deliveries"),
      webhooks: all("webhooks"),
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    return null
  } finally {
    client?.close()
  }
}

/** Replaces all rows of a table. */
function replace(client: Database, table: "tokens" | "deliveries", rows: readonly KeptRow[]): void {
  client.run(`DELETE FROM ${table}`)
  for (const row of rows) {
    const names = Object.keys(row)
    client
      .query(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`)
      .run(...names.map((name) => row[name] ?? null))
  }
}

/**
 * Whether the backup belongs to the history of the present database, so that their numbers mean the same. The
 * name of the history shows it. Each restore gives a new name, so the contents may show it, too.
 */
export const isSameHistory = (
  { historyId, hasNewest }: PresentDatabase,
  { from }: Pick<RestoreNames, "from">,
): boolean => historyId === from || hasNewest

/**
 * Whether the present tokens are kept, so that a token that was revoked since the backup stays revoked. If there never was
 * one, nothing was revoked, and without those of the backup anybody on this machine could get in.
 */
export const hasTokens = (present: PresentDatabase | null): present is PresentDatabase =>
  present !== null && present.tokens.length > 0

/** How many tokens in force of the backup the present database does not have. */
function tokensWithout(client: Database, { tokens }: PresentDatabase, time: string): number {
  const kept = new Set(tokens.map(({ hash }) => hash))
  const inForce =
    "SELECT hash FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"
  return client
    .query<{ hash: string }, [number]>(inForce)
    .all(Date.parse(time))
    .filter(({ hash }) => !kept.has(hash)).length
}

/**
 * Keeps the present tokens, or those of the backup if there are none. Tickets end with the history. A token for one item
 * still shows that item if it belongs to the history of the backup. In any other history, the number may belong to
 * another song. Returns how many tokens in force of the backup are not kept.
 */
export function keepTokens(client: Database, present: PresentDatabase | null, names: RestoreNames): number {
  client.run("DELETE FROM tickets")
  const isKept = hasTokens(present)
  const dropped = isKept ? tokensWithout(client, present, names.time) : 0
  if (isKept) replace(client, "tokens", present.tokens)
  if (isKept && !isSameHistory(present, names)) return dropped
  const former = isKept ? present.historyId : names.from
  client.query("UPDATE tokens SET history = ? WHERE history = ?").run(names.to, former)
  return dropped
}

/** Ends waiting deliveries that must not be made. */
function giveUp(client: Database, after: number, error: string, time: string): void {
  client
    .query(
      "UPDATE deliveries SET status = 'failed', error = ?, next_attempt_at = NULL, finished_at = ? WHERE status = 'pending' AND update_id > ?",
    )
    .run(error, time, after)
}

/**
 * Calls no webhook twice for the same update, and calls none for a lost update. It calls a webhook for the
 * updates that the webhook has not received yet, as far as that is known.
 */
export function keepDeliveries(client: Database, present: PresentDatabase | null, names: RestoreNames): void {
  const { lastUpdate, head, time } = names
  client.query("UPDATE webhooks SET cursor = ?").run(head)
  if (present === null || !isSameHistory(present, names)) {
    giveUp(client, 0, "a backup was restored, and it is unknown whether this was delivered", time)
    return
  }
  replace(client, "deliveries", present.deliveries)
  giveUp(client, lastUpdate, "a backup was restored that does not have this update", time)
  for (const { url, cursor } of present.webhooks) {
    if (cursor < lastUpdate) client.query("UPDATE webhooks SET cursor = ? WHERE url = ?").run(cursor, url)
  }
}
