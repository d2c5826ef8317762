import { type Database } from "bun:sqlite"

import { and, asc, desc, eq, getTableColumns, isNull, lt, type SQL, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { unknownItem } from "../../errors.ts"
import type { StoredUpdate } from "../../item/stored.ts"
import type { Bounds, History, LatestIds, LatestOf, Page, PageQuery } from "../contract/history.ts"
import { deleted_at, last_update_id } from "./columns.ts"
import { cutPage } from "./cut-page.ts"
import { lazily } from "./prepared-statements.ts"
import { queueItems, updates } from "./schema.ts"

const updateColumns = getTableColumns(updates)

/** The newest event ID, as SQL. */
export const HEAD = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'updates'), 0)"

/** The name of the history; empty if the database has none. */
export const historyIdOf = (client: Database): string =>
  client.query<{ id: string }, []>("SELECT id FROM history").get()?.id ?? ""

/** When a server was last alive, in milliseconds of the steady clock; null if none was yet. */
export const aliveMsOf = (client: Database): number | null =>
  client.query<{ alive_at: number | null }, []>("SELECT alive_at FROM history").get()?.alive_at ?? null

/** Statements that read updates. */
function updateStatements(client: Database) {
  const db = drizzle(client)
  const newer = sql`${updates.id} > ${sql.placeholder("after")}`
  const ofItem = eq(updates.queue_id, sql.placeholder("queueId"))
  const pageOf = (where: SQL | undefined) =>
    db
      .select(updateColumns)
      .from(updates)
      .where(where)
      .orderBy(asc(updates.id))
      .limit(sql.placeholder("limit"))
      .prepare()
  return lazily({
    page: () => pageOf(newer),
    itemPage: () => pageOf(and(ofItem, newer)),
    updates: () => pageOf(sql`${updates.id} IN (SELECT value FROM json_each(${sql.placeholder("ids")}))`),
    previous: () =>
      db
        .select(updateColumns)
        .from(updates)
        .where(and(ofItem, lt(updates.id, sql.placeholder("id"))))
        .orderBy(desc(updates.id))
        .limit(1)
        .prepare(),
    latestOfItem: () =>
      db
        .select({ ...updateColumns, head: sql<number>`${sql.raw(HEAD)}` })
        .from(queueItems)
        .innerJoin(updates, eq(updates.id, last_update_id))
        .where(and(eq(queueItems.id, sql.placeholder("id")), isNull(deleted_at)))
        .prepare(),
  })
}

/** Statements for event IDs: of a snapshot, how many there are, and which are kept. */
function idStatements(client: Database) {
  const latest = (where: string) =>
    client.prepare<{ head: number; ids: string }, number[]>(
      `SELECT ${HEAD} AS head, (SELECT json_group_array(last_update_id) FROM queue_items WHERE ${where}) AS ids`,
    )
  return lazily({
    open: () => latest("section < 2"),
    changed: () => latest("last_update_id > ?"),
    changedItem: () => latest("last_update_id > ? AND id = ?"),
    count: () =>
      client.prepare<{ n: number }, number[]>("SELECT count(*) AS n FROM updates WHERE id > ? AND id <= ?"),
    countOfItem: () =>
      client.prepare<{ n: number }, number[]>(
        "SELECT count(*) AS n FROM updates WHERE id > ? AND id <= ? AND queue_id = ?",
      ),
    /** The highest event ID that is no longer kept, and how many are not. */
    pruned: () =>
      client.prepare<{ id: number; count: number; restored: number | null; resumed: number }, []>(
        `SELECT pruned_id AS id, pruned AS count, restored_id AS restored, resumed_id AS resumed FROM history`,
      ),
    prunedOfItem: () =>
      client.prepare<{ id: number }, [number]>("SELECT pruned_id AS id FROM queue_items WHERE id = ?"),
    head: () => client.prepare<{ head: number }, []>(`SELECT ${HEAD} AS head`),
  })
}

/** The History on SQLite. */
export class SqliteHistory implements History {
  readonly historyId: string
  readonly #updates: ReturnType<typeof updateStatements>
  readonly #ids: ReturnType<typeof idStatements>

  constructor(client: Database) {
    this.#updates = updateStatements(client)
    this.#ids = idStatements(client)
    this.historyId = historyIdOf(client)
  }

  async page({ after, queueId, limit }: PageQuery): Promise<Page> {
    const { page, itemPage } = this.#updates
    return cutPage(limit, (from, rows) =>
      queueId === undefined
        ? page.all({ after: from ?? after, limit: rows })
        : itemPage.all({ after: from ?? after, queueId, limit: rows }),
    )
  }

  async latest(which: LatestOf): Promise<LatestIds> {
    const { open, changed, changedItem } = this.#ids
    const row =
      which.of === "open"
        ? open.get()
        : which.queueId === undefined
          ? changed.get(which.after)
          : changedItem.get(which.after, which.queueId)
    const ids: number[] = JSON.parse(row?.ids ?? "[]")
    return { ids: ids.sort((a, b) => a - b), head: row?.head ?? 0 }
  }

  async latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }> {
    const row = this.#updates.latestOfItem.get({ id })
    if (!row) throw unknownItem(id)
    const { head, ...update } = row
    return { update, head }
  }

  async updates(ids: readonly number[]): Promise<Page> {
    // One more than there can be. So a page with all of them is not taken for a full one.
    return cutPage(ids.length + 1, (from, rows) => {
      const rest = from === undefined ? ids : ids.filter((id) => id > from)
      return this.#updates.updates.all({ ids: JSON.stringify(rest), limit: rows })
    })
  }

  async previous({ id, queue_id }: StoredUpdate): Promise<StoredUpdate | null> {
    return this.#updates.previous.get({ id, queueId: queue_id }) ?? null
  }

  async count(after: number, upTo: number, queueId?: number): Promise<number> {
    const { count, countOfItem, pruned } = this.#ids
    if (queueId !== undefined) return countOfItem.get(after, upTo, queueId)?.n ?? 0
    // A write that is undone gives its ID back. So event IDs have gaps only from retention and from a
    // restore.
    const row = pruned.get()
    if (after >= Math.max(row?.id ?? 0, row?.resumed ?? 0)) return upTo - after
    return count.get(after, upTo)?.n ?? 0
  }

  async bounds(queueId?: number): Promise<Bounds> {
    const newest = await this.head()
    const row = this.#ids.pruned.get()
    const { id, count, restored, resumed } = row ?? { id: 0, count: 0, restored: null, resumed: 0 }
    const lost = restored === null ? [] : [{ after: restored, upTo: resumed, reason: "restored" as const }]
    const own = queueId === undefined ? null : this.#ids.prunedOfItem.get(queueId)
    return { oldest: (own?.id ?? id) + 1, newest, lost, stored: newest - count }
  }

  async head(): Promise<number> {
    return this.#ids.head.get()?.head ?? 0
  }
}
