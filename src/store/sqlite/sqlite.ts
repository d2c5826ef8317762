import { type Database } from "bun:sqlite"

import { and, eq, isNotNull, isNull, lte } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { AppError } from "../../errors.ts"
import { type Change, IDLE, type QueueItem, type Stored, type StoredUpdate } from "../../item/item.ts"
import { type Clock, momentOf, systemClock } from "../../item/moment.ts"
import { hasGrown } from "../../item/trace.ts"
import { encodeUpdate } from "../../item/update.ts"
import type { Finished, Standing } from "../figures.ts"
import type { Bounds, Latest, LatestOf, Page, PageQuery } from "../history.ts"
import type { Create, Decide, Due, Idempotency, ListQuery } from "../items.ts"
import type { Store } from "../store.ts"
import { SqliteAccess } from "./access.ts"
import { SqliteDeliveries } from "./deliveries.ts"
import { SqliteFigures } from "./figures.ts"
import { GroupCommit } from "./group.ts"
import { Listing } from "./list.ts"
import { type Found, openDatabase } from "./open.ts"
import { cut } from "./pages.ts"
import { SqliteRuns } from "./runs.ts"
import { history, idempotencyKeys, queueItems } from "./schema.ts"
import { deleted_at, HEAD, isReport, statements, storedOf } from "./statements.ts"
import { SqliteUpkeep } from "./upkeep.ts"

const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000
/** How old a sign of life becomes before a write stores the next. */
const ALIVE_MS = 5000
/** Rows kept in memory as they are stored. */
const RECENT_ITEMS = 1000

/** The Store on SQLite: one process, one file, WAL, `synchronous = FULL`, group commit. */
export class SqliteStore implements Store {
  readonly historyId: string
  readonly found: Found
  readonly deliveries: SqliteDeliveries
  readonly access: SqliteAccess
  readonly upkeep: SqliteUpkeep
  readonly runs: SqliteRuns
  readonly clock: Clock
  readonly #client: Database
  readonly #lock: Database
  readonly #db: ReturnType<typeof drizzle>
  readonly #group: GroupCommit
  readonly #listing: Listing
  readonly #figures: SqliteFigures
  readonly #statements: ReturnType<typeof statements>
  /** Rows as they are stored, by item, the latest written last: reports come in rows, and reading costs most. */
  readonly #recent = new Map<number, Stored>()
  #version = 0
  /** The latest sign of life, in milliseconds of the steady clock. */
  #aliveMs = Number.NEGATIVE_INFINITY

  /**
   * Opens the database at `path` (see `openDatabase`). `clockOf` makes the clocks, given when a server was last alive on
   * the steady one, or 0.
   * @throws AppError `unavailable`
   */
  constructor(path: string, clockOf: (aliveMs: number) => Clock = systemClock) {
    const { client, lock, found } = openDatabase(path)
    this.found = found
    this.#client = client
    this.#lock = lock
    this.#db = drizzle(client)
    this.#group = new GroupCommit(client, () => this.#begun())
    this.#statements = statements(client)
    this.#listing = new Listing(client)
    this.#figures = new SqliteFigures(client)
    this.clock = clockOf(this.#aliveAt() ?? 0)
    this.deliveries = new SqliteDeliveries(client, this.#group, this.clock.now)
    this.access = new SqliteAccess(client, this.#group, this.clock.now)
    this.upkeep = new SqliteUpkeep(client, this.#group, found.path, this.clock.now)
    this.runs = new SqliteRuns(client, this.#group)
    this.historyId = client.query<{ id: string }, []>("SELECT id FROM history").get()?.id ?? ""
  }

  add(create: Create, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }> {
    return this.#group.run(() => {
      const answer = idempotency && this.#answered(idempotency)
      if (answer) return { item: answer, added: false }
      const draft = create(momentOf(this.clock))
      const { id } = this.#statements.insertItem.get(draft)
      const stored = { item: { id, ...draft }, work: IDLE }
      this.#write(stored, stored)
      if (idempotency) {
        this.#db
          .insert(idempotencyKeys)
          .values({ ...idempotency, answer: JSON.stringify(stored.item), created_at: this.#time() })
          .run()
      }
      return { item: stored.item, added: true }
    })
  }

  change(id: number, decide: Decide): Promise<Change> {
    return this.#guarded([id], () => this.#decide(this.#recentRow(id), decide))
  }

  claim(tags: readonly string[], decide: Decide): Promise<Change | null> {
    const taken: number[] = []
    return this.#guarded(taken, () => {
      const row = this.#statements.claimable.get({ now: this.clock.now(), tags: JSON.stringify(tags) })
      if (!row) return null
      taken.push(row.id)
      return this.#decide(storedOf(row), decide)
    })
  }

  async sweep(due: Due, decide: Decide): Promise<number> {
    // Nearly always nothing is due: that is found out without a transaction.
    const column = due.due === "lease" ? "lease_expires_at" : "stalled = 0 AND moved_at"
    const look = `SELECT 1 FROM queue_items WHERE section = 0 AND ${column} <= ? LIMIT 1`
    if (!this.#client.query<unknown, [number]>(look).get(due.by)) return 0
    const { leaseDue, stallDue } = this.#statements
    const taken: number[] = []
    return this.#guarded(taken, () => {
      const rows =
        due.due === "lease"
          ? leaseDue.all({ by: due.by, after: due.after ?? -1 })
          : stallDue.all({ by: due.by })
      for (const row of rows) {
        taken.push(row.id)
        this.#decide(storedOf(row), decide)
      }
      return rows.length
    })
  }

  async aliveAt(): Promise<number | null> {
    return this.#aliveAt()
  }

  #aliveAt(): number | null {
    const row = this.#client.query<{ alive_at: number | null }, []>("SELECT alive_at FROM history").get()
    return row?.alive_at ?? null
  }

  async alive(): Promise<void> {
    if (this.#isAliveDue) await this.#group.run(() => undefined)
  }

  get #isAliveDue(): boolean {
    return this.clock.steadyMs() - this.#aliveMs >= ALIVE_MS
  }

  #signOfLife(): void {
    const alive_at = this.clock.steadyMs()
    this.#db.update(history).set({ alive_at }).run()
    this.#aliveMs = alive_at
  }

  async isAnyLeased(): Promise<boolean> {
    const look = "SELECT 1 FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL LIMIT 1"
    return this.#client.query(look).get() !== null
  }

  async wasDeleted(id: number): Promise<boolean> {
    return (await this.#db.$count(queueItems, and(eq(queueItems.id, id), isNotNull(deleted_at)))) > 0
  }

  async item(id: number): Promise<QueueItem> {
    return this.#row(id).item
  }

  list(query: ListQuery): Promise<{ items: QueueItem[]; next: string | null }> {
    return this.#listing.page(query)
  }

  standing(): Promise<Standing> {
    return this.#figures.standing()
  }

  finished(sinceMs: number): Promise<Finished> {
    return this.#figures.finished(sinceMs)
  }

  pause(): Promise<string> {
    return this.#group.run(() => {
      const paused_at = this.#pausedAt() ?? this.#time()
      this.#db.update(history).set({ paused_at }).run()
      return paused_at
    })
  }

  async resume(): Promise<void> {
    await this.#group.run(() => this.#db.update(history).set({ paused_at: null }).run())
  }

  async pausedAt(): Promise<string | null> {
    return this.#pausedAt()
  }

  #pausedAt(): string | null {
    return this.#db.select({ paused_at: history.paused_at }).from(history).get()?.paused_at ?? null
  }

  async nextWaiting(tags?: readonly string[]): Promise<QueueItem | null> {
    const row = this.#statements.claimable.get({
      now: this.clock.now(),
      tags: tags ? JSON.stringify(tags) : null,
    })
    return row ? storedOf(row).item : null
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
    // The plus keeps SQLite from walking the index of all items ever changed, for the sake of its order.
    const row = this.#client
      .query<{ head: number; ids: string }, number[]>(
        `SELECT ${HEAD} AS head, (SELECT json_group_array(last_update_id) FROM
          (SELECT last_update_id FROM queue_items WHERE ${where} ORDER BY +last_update_id)) AS ids`,
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

  async previous({ id, queue_id }: StoredUpdate): Promise<StoredUpdate | null> {
    return this.#statements.previous.get({ id, queueId: queue_id }) ?? null
  }

  async count(after: number, upTo: number, queueId?: number): Promise<number> {
    // A write that is undone gives its ID back, so event IDs have no holes but those that retention made.
    if (queueId === undefined && after >= this.#pruned().id) return upTo - after
    const row = this.#client
      .query<{ n: number }, number[]>(
        `SELECT count(*) AS n FROM updates WHERE id > ? AND id <= ?${queueId === undefined ? "" : " AND queue_id = ?"}`,
      )
      .get(after, upTo, ...(queueId === undefined ? [] : [queueId]))
    return row?.n ?? 0
  }

  async bounds(queueId?: number): Promise<Bounds> {
    const newest = await this.head()
    const { id, count } = this.#pruned()
    const own =
      queueId === undefined
        ? undefined
        : this.#client
            .query<{ pruned_id: number }, [number]>("SELECT pruned_id FROM queue_items WHERE id = ?")
            .get(queueId)
    return { oldest: (own?.pruned_id ?? id) + 1, newest, stored: newest - count }
  }

  async items(): Promise<number> {
    return this.#db.$count(queueItems, isNull(deleted_at))
  }

  async head(): Promise<number> {
    return this.#client.query<{ head: number }, []>(`SELECT ${HEAD} AS head`).get()?.head ?? 0
  }

  async close(): Promise<void> {
    await this.#group.idle()
    this.#signOfLife()
    this.#client.run("PRAGMA wal_checkpoint(TRUNCATE)")
    this.#client.close()
    this.#lock.close()
  }

  /** The highest event ID that is no longer kept, and how many are not. */
  #pruned(): { readonly id: number; readonly count: number } {
    const row = this.#client
      .query<{ id: number; count: number }, []>("SELECT pruned_id AS id, pruned AS count FROM history")
      .get()
    return row ?? { id: 0, count: 0 }
  }

  #time(): string {
    return new Date(this.clock.now()).toISOString()
  }

  #row(id: number): Stored {
    const row = this.#statements.row.get({ id })
    if (!row) throw unknownItem(id)
    return storedOf(row)
  }

  #recentRow(id: number): Stored {
    return this.#recent.get(id) ?? this.#row(id)
  }

  /** The beginning of every transaction. */
  #begun(): void {
    this.#forgetForeign()
    // Here it costs no commit of its own, and no lease can be older than the latest sign of life.
    if (this.#isAliveDue) this.#signOfLife()
  }

  /** What is remembered holds only while nobody else writes the file. */
  #forgetForeign(): void {
    const version = this.#statements.version.get()?.data_version ?? 0
    if (version !== this.#version) this.#recent.clear()
    this.#version = version
  }

  /** Runs `work` in the next transaction; what it has written is forgotten where that failed. */
  async #guarded<T>(ids: readonly number[], work: () => T): Promise<T> {
    const forget = (error: unknown): never => {
      for (const id of ids) this.#recent.delete(id)
      throw error
    }
    // Forgotten at once: the next write of the same transaction must not build upon what was undone.
    const once = (): T => {
      try {
        return work()
      } catch (error) {
        return forget(error)
      }
    }
    return this.#group.run(once).catch(forget)
  }

  #decide(before: Stored, decide: Decide): Change {
    const change = decide(before, momentOf(this.clock))
    if (!change.quiet) this.#write(change, before)
    else if (change.work !== before.work)
      this.#statements.writeLease.run({ id: change.item.id, ...change.work })
    this.#remember(change)
    return change
  }

  #remember({ item, work, deleted }: Change): void {
    this.#recent.delete(item.id)
    if (deleted) return
    this.#recent.set(item.id, { item, work })
    const [oldest] = this.#recent.keys()
    if (this.#recent.size > RECENT_ITEMS && oldest !== undefined) this.#recent.delete(oldest)
  }

  /** Appends the update and writes the row; `before` is what is stored. */
  #write(change: Change, before: Stored): void {
    const { item, work, deleted, run } = change
    const data = encodeUpdate(change)
    const { lastInsertRowid } = this.#statements.insertUpdate.run(item.id, item.song_id, item.status, data)
    const row = { ...item, ...work, last_update_id: Number(lastInsertRowid) }
    if (run) this.runs.keep(run, item.updated_at)
    if (deleted || !isReport(before, change)) {
      this.#statements.writeItem.run({ ...row, deleted_at: deleted ? item.updated_at : null })
      return
    }
    this.#statements.writeProgress.run(row)
    if (hasGrown(before.work.course, work.course)) this.#statements.writeCourse.run(row)
  }

  #answered({ key, digest }: Idempotency): QueueItem | undefined {
    const oldest = new Date(this.clock.now() - IDEMPOTENCY_MS).toISOString()
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
