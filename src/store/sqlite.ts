import { type Database } from "bun:sqlite"

import { and, asc, eq, getTableColumns, isNull, lte, type SQL, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

import { AppError } from "../errors.ts"
import { type Change, type QueueItem, type StoredUpdate, updateOf } from "../progress.ts"
import { GroupCommit } from "./group.ts"
import { type Found, openDatabase } from "./open.ts"
import { history, idempotencyKeys, queueItems, updates } from "./schema.ts"
import type {
  Bounds,
  Draft,
  Idempotency,
  Latest,
  LatestOf,
  ListQuery,
  Page,
  PageQuery,
  Store,
} from "./store.ts"

const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000
const PAGE_BYTES = 256 * 1024
/** Rows read at once, so that a page of the longest updates stays within a few MB while it is cut. */
const SLICE_ROWS = 64

const { last_update_id, deleted_at, section, rank, ...itemColumns } = getTableColumns(queueItems)
const { current_step, progress, message, error_message, eta_seconds, updated_at } = itemColumns
const progressColumns = {
  current_step,
  progress,
  message,
  error_message,
  eta_seconds,
  updated_at,
  last_update_id,
}
const otherKeys = Object.keys(itemColumns).filter((key) => !(key in progressColumns)) as (keyof QueueItem)[]
const updateColumns = getTableColumns(updates)
const HEAD = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'updates'), 0)"

/** A placeholder named as the column, whose value is encoded as the column wants it. */
const slot = (column: SQLiteColumn): SQL => sql`${sql.param(sql.placeholder(column.name), column)}`
const slots = <T extends Record<string, SQLiteColumn>>(columns: T): { [K in keyof T]: SQL } =>
  // Object.fromEntries forgets the keys it was given.
  Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, slot(column)])) as {
    [K in keyof T]: SQL
  }

/** Everything that is asked often, prepared once (unprepared, drizzle builds the text anew: 17 times slower). */
function statements(client: Database) {
  const db = drizzle(client)
  const { id: _id, ...draftColumns } = itemColumns
  const alive = and(eq(queueItems.id, sql.placeholder("id")), isNull(queueItems.deleted_at))
  const newer = sql`${updates.id} > ${sql.placeholder("after")}`
  const pageOf = (where: SQL | undefined) =>
    db
      .select(updateColumns)
      .from(updates)
      .where(where)
      .orderBy(asc(updates.id))
      .limit(sql.placeholder("limit"))
      .prepare()
  const write = <T extends Record<string, SQLiteColumn>>(columns: T) =>
    db
      .update(queueItems)
      .set(slots(columns))
      .where(eq(queueItems.id, sql.placeholder("id")))
      .prepare()
  return {
    item: db.select(itemColumns).from(queueItems).where(alive).prepare(),
    insertItem: db
      .insert(queueItems)
      .values({ ...slots(draftColumns), last_update_id: 0 })
      .returning({ id: queueItems.id })
      .prepare(),
    // Not drizzle's: its "returning" takes twice as long as the row id that SQLite hands back anyway.
    insertUpdate: client.prepare<unknown, [number, number, string, string]>(
      "INSERT INTO updates (queue_id, song_id, status, data) VALUES (?, ?, ?, ?)",
    ),
    writeItem: write({ ...draftColumns, last_update_id, deleted_at }),
    // What most changes come to; it leaves the indexes of the queue's order alone, and takes a fifth of the time.
    writeProgress: write(progressColumns),
    next: db
      .select(itemColumns)
      .from(queueItems)
      .where(
        sql`${section} = 1 AND (${queueItems.available_at} IS NULL OR ${queueItems.available_at} <= ${sql.placeholder("now")})`,
      )
      .orderBy(asc(rank), asc(queueItems.id))
      .limit(1)
      .prepare(),
    page: pageOf(newer),
    itemPage: pageOf(and(eq(updates.queue_id, sql.placeholder("queueId")), newer)),
    updates: pageOf(sql`${updates.id} IN (SELECT value FROM json_each(${sql.placeholder("ids")}))`),
    latestOfItem: db
      .select({ ...updateColumns, head: sql<number>`${sql.raw(HEAD)}` })
      .from(queueItems)
      .innerJoin(updates, eq(updates.id, last_update_id))
      .where(alive)
      .prepare(),
  }
}

/** The Store on SQLite: one process, one file, WAL, `synchronous = FULL`, group commit. */
export class SqliteStore implements Store {
  readonly historyId: string
  readonly found: Found
  readonly #client: Database
  readonly #db: ReturnType<typeof drizzle>
  readonly #group: GroupCommit
  readonly #statements: ReturnType<typeof statements>
  readonly #now: () => number

  /**
   * Opens the database at `path` (see `openDatabase`); `now` is the clock, in epoch milliseconds.
   * @throws AppError `unavailable`
   */
  constructor(path: string, now: () => number = Date.now) {
    const { client, found } = openDatabase(path)
    this.found = found
    this.#client = client
    this.#db = drizzle(client)
    this.#group = new GroupCommit(client)
    this.#statements = statements(client)
    this.#now = now
    this.historyId = this.#db.select().from(history).get()?.id ?? ""
  }

  add(draft: Draft, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }> {
    return this.#group.run(() => {
      const answer = idempotency && this.#answered(idempotency)
      if (answer) return { item: answer, added: false }
      const { id } = this.#statements.insertItem.get(draft)
      const item = { id, ...draft }
      this.#write({ item }, item)
      if (idempotency) {
        this.#db
          .insert(idempotencyKeys)
          .values({ ...idempotency, answer: JSON.stringify(item), created_at: this.#time() })
          .run()
      }
      return { item, added: true }
    })
  }

  change(id: number, decide: (item: QueueItem, now: string) => Change): Promise<QueueItem> {
    return this.#group.run(() => {
      const before = this.#item(id)
      const change = decide(before, this.#time())
      this.#write(change, before)
      return change.item
    })
  }

  async item(id: number): Promise<QueueItem> {
    return this.#item(id)
  }

  async list({
    status,
    songId,
    limit,
    after,
  }: ListQuery): Promise<{ items: QueueItem[]; next: string | null }> {
    const rows = this.#db
      .select({ ...itemColumns, section, rank })
      .from(queueItems)
      .where(
        and(
          sql`${section} >= 0`,
          status === undefined ? undefined : eq(queueItems.status, status),
          songId === undefined ? undefined : eq(queueItems.song_id, songId),
          after === undefined ? undefined : sql`(${section}, ${rank}, ${queueItems.id}) > ${place(after)}`,
        ),
      )
      .orderBy(asc(section), asc(rank), asc(queueItems.id))
      .limit(limit + 1)
      .all()
    const last = rows.length > limit ? rows[limit - 1] : undefined
    const items = rows.slice(0, limit).map(({ section: _section, rank: _rank, ...item }) => item)
    return { items, next: last ? `${last.section}.${last.rank}.${last.id}` : null }
  }

  async nextWaiting(): Promise<QueueItem | null> {
    return this.#statements.next.get({ now: this.#now() }) ?? null
  }

  async page({ after, queueId, limit }: PageQuery): Promise<Page> {
    return cut(limit, (from, rows) =>
      queueId === undefined
        ? this.#statements.page.all({ after: from ?? after, limit: rows })
        : this.#statements.itemPage.all({ after: from ?? after, queueId, limit: rows }),
    )
  }

  async latest(which: LatestOf): Promise<Latest> {
    const [where, parameters] =
      which.of === "open"
        ? ["section < 2", []]
        : which.queueId === undefined
          ? ["last_update_id > ?", [which.after]]
          : ["last_update_id > ? AND id = ?", [which.after, which.queueId]]
    const row = this.#client
      .query<{ head: number; ids: string }, number[]>(
        `SELECT ${HEAD} AS head, (SELECT json_group_array(last_update_id) FROM
          (SELECT last_update_id FROM queue_items WHERE ${where} ORDER BY last_update_id)) AS ids`,
      )
      .get(...parameters)
    const ids: number[] = JSON.parse(row?.ids ?? "[]")
    return { ids, head: row?.head ?? 0 }
  }

  async latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }> {
    const row = this.#statements.latestOfItem.get({ id })
    if (!row) throw unknownItem(id)
    const { head, ...update } = row
    return { update, head }
  }

  async updates(ids: readonly number[]): Promise<Page> {
    // One more than there can be, so that a page that holds them all is not taken for a full one.
    return cut(ids.length + 1, (from, rows) => {
      const rest = from === undefined ? ids : ids.filter((id) => id > from)
      return this.#statements.updates.all({ ids: JSON.stringify(rest), limit: rows })
    })
  }

  async count(after: number, upTo: number, queueId?: number): Promise<number> {
    // Event IDs have no holes: a write that is undone gives its ID back, and retention takes from the old end.
    if (queueId === undefined) return upTo - after
    const row = this.#client
      .query<{ n: number }, number[]>(
        "SELECT count(*) AS n FROM updates WHERE queue_id = ? AND id > ? AND id <= ?",
      )
      .get(queueId, after, upTo)
    return row?.n ?? 0
  }

  async bounds(): Promise<Bounds> {
    const row = this.#client
      .query<{ oldest: number | null; newest: number }, []>(
        `SELECT min(id) AS oldest, ${HEAD} AS newest FROM updates`,
      )
      .get()
    const newest = row?.newest ?? 0
    const oldest = row?.oldest ?? newest + 1
    return { oldest, newest, stored: newest - oldest + 1 }
  }

  async items(): Promise<number> {
    return this.#db.$count(queueItems, isNull(deleted_at))
  }

  async head(): Promise<number> {
    return this.#client.query<{ head: number }, []>(`SELECT ${HEAD} AS head`).get()?.head ?? 0
  }

  async close(): Promise<void> {
    await this.#group.idle()
    this.#client.run("PRAGMA wal_checkpoint(TRUNCATE)")
    this.#client.close()
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }

  #item(id: number): QueueItem {
    const item = this.#statements.item.get({ id })
    if (!item) throw unknownItem(id)
    return item
  }

  /** Appends the update and writes the item; `before` is the item as it is stored. */
  #write(change: Change, before: QueueItem): void {
    const { item, deleted } = change
    const data = JSON.stringify(updateOf(change))
    const { lastInsertRowid } = this.#statements.insertUpdate.run(item.id, item.song_id, item.status, data)
    const row = { ...item, last_update_id: Number(lastInsertRowid) }
    const isProgress = !deleted && otherKeys.every((key) => item[key] === before[key])
    if (isProgress) this.#statements.writeProgress.run(row)
    else this.#statements.writeItem.run({ ...row, deleted_at: deleted ? item.updated_at : null })
  }

  #answered({ key, digest }: Idempotency): QueueItem | undefined {
    const oldest = new Date(this.#now() - IDEMPOTENCY_MS).toISOString()
    this.#db.delete(idempotencyKeys).where(lte(idempotencyKeys.created_at, oldest)).run()
    const row = this.#db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, key)).get()
    if (!row) return undefined
    if (row.digest !== digest) {
      throw new AppError("idempotency_mismatch", `Idempotency-Key "${key}" was used with another body`)
    }
    const answer: QueueItem = JSON.parse(row.answer)
    return answer
  }
}

const unknownItem = (id: number): AppError => new AppError("not_found", `queue item ${id} does not exist`)

/** Reads slices until `limit` rows or about PAGE_BYTES are there. */
function cut(limit: number, read: (after: number | undefined, rows: number) => StoredUpdate[]): Page {
  const found: StoredUpdate[] = []
  let bytes = 0
  while (found.length < limit) {
    const asked = Math.min(SLICE_ROWS, limit - found.length)
    const slice = read(found.at(-1)?.id, asked)
    for (const update of slice) {
      if (bytes >= PAGE_BYTES) return { updates: found, more: true }
      bytes += update.data.length
      found.push(update)
    }
    if (slice.length < asked) return { updates: found, more: false }
  }
  // A full page: whether anything follows is for the next one to tell.
  return { updates: found, more: true }
}

function place(after: string): SQL {
  const [, section, rank, id] = /^([012])\.(-?\d{1,16})\.(\d{1,16})$/.exec(after) ?? []
  if (section === undefined) throw new AppError("invalid", `after "${after}" is not the "next" of a page`)
  return sql`(${Number(section)}, ${Number(rank)}, ${Number(id)})`
}
