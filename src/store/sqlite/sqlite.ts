import { and, eq, isNotNull, isNull } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { AppError, unknownItem } from "../../errors.ts"
import { hasGrown } from "../../item/estimate/course.ts"
import type { QueueItem, Status } from "../../item/item.ts"
import { isLastOrRevokedToken } from "../../item/lease-token.ts"
import { type Clock, type Moment, momentOf, steadyOf, systemClock } from "../../item/moment.ts"
import { type Change, IDLE, type Stored } from "../../item/stored.ts"
import { encodeUpdate } from "../../item/update.ts"
import type { Create, Decide, Due, ListPage, ListQuery, Placing, Repeatable } from "../contract/items.ts"
import { type Idempotency } from "../contract/items.ts"
import { ALIVE_MS, type StoreFault } from "../contract/life.ts"
import type { FoundDatabase, Observed, Store } from "../contract/store.ts"
import { pageOf } from "../list-order.ts"
import { Outages } from "../outages-extend-leases.ts"
import { storedOf } from "../row-parts.ts"
import { SqliteAccess } from "./access.ts"
import { type Candidate, needsOf } from "./claim-by-tags.ts"
import { claims, waitingItems } from "./claim-order.ts"
import { deleted_at, isReport } from "./columns.ts"
import { DatabaseFileWatch } from "./database-file-watch.ts"
import { SqliteDeliveries } from "./deliveries.ts"
import { DueItems } from "./due-items.ts"
import { faultOf, isDamage } from "./fault-sentences.ts"
import { SqliteFigures } from "./figures.ts"
import { GroupCommit, type Observer } from "./group-commit.ts"
import { aliveMsOf, SqliteHistory } from "./history.ts"
import { SqliteInstances } from "./instances.ts"
import { KeptAnswers } from "./kept-answers.ts"
import { Listing } from "./list.ts"
import { openDatabase } from "./open.ts"
import { SqliteOutputs } from "./outputs.ts"
import { RecentRows } from "./recent-rows.ts"
import { SqliteRuns } from "./runs.ts"
import { history, queueItems } from "./schema.ts"
import { leases, reads, writes } from "./statements.ts"
import { SqliteUpkeep } from "./upkeep.ts"
import { WaitingSets } from "./waiting-sets.ts"

/** How a database is used. */
export interface SqliteOptions extends Observed {
  /** Whether a new database may take the place of one that is gone; default false. */
  readonly isNewAllowed?: boolean
  /** Whether no item is claimable while another item of its song is leased; default false. */
  readonly onePerSong?: boolean
}

/** The Store on SQLite: one process, one file, WAL, `synchronous = FULL`, group commit. */
export class SqliteStore extends SqliteHistory implements Store {
  readonly found: FoundDatabase
  readonly deliveries: SqliteDeliveries
  readonly access: SqliteAccess
  readonly upkeep: SqliteUpkeep
  readonly runs: SqliteRuns
  readonly figures: SqliteFigures
  readonly outputs: SqliteOutputs
  readonly instances: SqliteInstances
  readonly clock: Clock
  readonly outages = new Outages()
  readonly #file: DatabaseFileWatch
  readonly #db: ReturnType<typeof drizzle>
  readonly #group: GroupCommit
  readonly #listing: Listing
  readonly #reads: ReturnType<typeof reads>
  readonly #writes: ReturnType<typeof writes>
  readonly #claims: ReturnType<typeof claims>
  readonly #leases: ReturnType<typeof leases>
  readonly #answers: KeptAnswers
  readonly #dueItems: DueItems
  readonly #sets: WaitingSets
  readonly #recent = new RecentRows(() => this.#reads.version.get()?.data_version ?? 0)
  /** How many rows were changed before the transaction that is under way. */
  #changes = 0
  /** Whether the transaction that is under way has changed any rows. */
  #hasChanged = false
  /** The statuses in the updates of the transaction under way. */
  #statuses: Status[] = []
  #isDamaged = false
  /** SQLite's code for why the last commit failed; empty if it did not. */
  #failure = ""
  /** When a server was last known to be alive, in milliseconds of the steady clock. */
  #aliveMs = Number.NEGATIVE_INFINITY

  /**
   * Opens the database at `path` (see `openDatabase`). `clockOf` makes the clocks; its argument is the time
   * on the steady clock at which a server was last alive, or 0.
   * @throws AppError `unavailable`
   */
  constructor(
    path: string,
    clockOf: (aliveMs: number) => Clock = systemClock,
    { isNewAllowed = false, onePerSong = false, ...observed }: SqliteOptions = {},
  ) {
    const opened = openDatabase(path, isNewAllowed)
    const { client, found } = opened
    super(client)
    this.found = found
    this.#db = drizzle(client)
    this.#listing = new Listing(client)
    this.figures = new SqliteFigures(client)
    this.#reads = reads(client)
    this.#claims = claims(client, onePerSong)
    this.#leases = leases(client)
    this.#writes = writes(client)
    const aliveMs = aliveMsOf(client)
    this.clock = clockOf(aliveMs ?? 0)
    if (aliveMs !== null) this.outages.begin(aliveMs)
    this.#group = new GroupCommit(client, this.#observer(observed))
    this.#file = new DatabaseFileWatch(opened, this.#group)
    const decideOn = (id: number, decide: Decide): Change => this.#decide(this.#row(id), decide)
    this.#answers = new KeptAnswers(client, this.clock.now, decideOn)
    this.#sets = new WaitingSets(waitingItems(this.#claims))
    this.#dueItems = new DueItems(this.#claims, this.#group, this.#sets, this.clock.steadyMs)
    this.deliveries = new SqliteDeliveries(client, this.#group, this.clock.now)
    this.access = new SqliteAccess(client, this.#group, this.clock.now, (id) => void this.#recent.delete(id))
    this.upkeep = new SqliteUpkeep(client, this.#group, found.path, this.clock.now)
    this.instances = new SqliteInstances(this.clock.now)
    this.runs = new SqliteRuns(client, this.#group)
    this.outputs = new SqliteOutputs(client, this.#group, (id) => this.#recentRow(id))
  }

  /** The callbacks for the transactions of the group commit. */
  #observer({ onCommit, onFailure }: Observed): Observer {
    return {
      nowMs: this.clock.steadyMs,
      begun: (nowMs) => this.#begun(nowMs),
      ending: (nowMs) => this.#ending(nowMs),
      committed: (nowMs, writes, tookMs) => {
        this.#failure = ""
        this.outages.end(nowMs, this.clock.steadyMs())
        if (this.#hasChanged) onCommit?.({ writes, seconds: tookMs / 1000, statuses: this.#statuses })
      },
      failed: (sinceMs, code) => {
        this.#isDamaged ||= isDamage(code)
        this.#failure = code
        // Some of what is in memory may not have been stored.
        this.#recent.clear()
        this.#sets.forget()
        onFailure?.(code)
        this.outages.begin(sinceMs)
      },
    }
  }

  add(create: Create, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }> {
    return this.#guarded([], () => {
      const answer = idempotency && this.#answers.added(idempotency)
      if (answer) return { item: answer, added: false }
      const moment = momentOf(this.clock)
      const draft = create(moment)
      const available_ms = steadyOf(draft.available_at, moment)
      const { id } = this.#writes.insertItem.get({ ...draft, available_ms, needs: needsOf(draft.tags) })
      const stored = { item: { id, ...draft }, work: IDLE }
      this.#write(stored, stored, moment)
      if (idempotency) this.#answers.keepAdded(idempotency, stored.item)
      return { item: stored.item, added: true }
    })
  }

  change(id: number, decide: Decide, repeatable?: Repeatable): Promise<Change> {
    const first = (): Change => this.#decide(this.#recentRow(id), decide)
    return this.#guarded([id], () => this.#answers.once(repeatable, first))
  }

  place(id: number, before: number, decide: Placing): Promise<Change> {
    return this.#guarded([id], () => {
      const { item } = this.#row(before)
      const ahead = this.#reads.ahead.get(-item.priority, item.turn ?? item.id, id)?.place ?? null
      return this.#decide(this.#row(id), (stored, moment) => decide(stored, item, ahead, moment))
    })
  }

  async claim(tags: readonly string[], decide: Decide, repeatable?: Repeatable): Promise<Change | null> {
    await this.#dueItems.release()
    const taken: number[] = []
    const take = (set?: Candidate) => {
      const first = this.#sets.first(tags, set)
      if (!first) return first
      taken.push(first.id)
      return this.#decide(this.#row(first.id), decide)
    }
    const once = (set?: Candidate) => this.#answers.once(repeatable, () => take(set), taken)
    return this.#sets.found(tags, (set) => this.#guarded(taken, () => once(set)))
  }

  async claimedBefore(repeatable: Repeatable): Promise<Change | null> {
    const taken: number[] = []
    return (await this.#guarded(taken, () => this.#answers.again(repeatable, taken))) ?? null
  }

  async sweep({ due, by }: Due, decide: Decide): Promise<number> {
    const { isLeaseDue, isStallDue, leaseDue, stallDue } = this.#leases
    // Nearly always nothing is due, and then no transaction is needed.
    if ((due === "lease" ? isLeaseDue : isStallDue).get(by) === null) return 0
    const taken: number[] = []
    return this.#guarded(taken, () => {
      const rows = (due === "lease" ? leaseDue : stallDue).all({ by })
      for (const row of rows) {
        taken.push(row.id)
        this.#decide(storedOf(row), decide)
      }
      return rows.length
    })
  }

  async alive(): Promise<void> {
    if (!this.outages.isUnderWay && !this.#isAliveDue(this.clock.steadyMs())) return
    await this.#group.run(() => this.#signOfLife(this.clock.steadyMs()))
  }

  async isAnyLeased(): Promise<boolean> {
    return this.#leases.leased.get() !== null
  }

  async wasDeleted(id: number, lease?: string): Promise<boolean> {
    const found = this.#db.select({ lease_token: queueItems.lease_token }).from(queueItems)
    const row = found.where(and(eq(queueItems.id, id), isNotNull(deleted_at))).get()
    return row !== undefined && (lease === undefined || isLastOrRevokedToken(row, lease))
  }

  async item(id: number): Promise<QueueItem> {
    return this.#row(id).item
  }

  /** An item that was written lately is not read: it is asked for after each of its reports. */
  async stored(id: number): Promise<Stored> {
    return this.#recent.valid(id) ?? this.#row(id)
  }

  list(query: ListQuery): Promise<ListPage> {
    return pageOf(query, this.#listing)
  }

  pause(): Promise<string> {
    return this.#group.run(() => {
      const paused_at = this.#pausedAt() ?? momentOf(this.clock).time
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
    return this.#reads.pausedAt.get()?.paused_at ?? null
  }

  async nextWaiting(tags?: readonly string[]): Promise<QueueItem | null> {
    const now = this.clock.steadyMs()
    if (tags === undefined) {
      const row = this.#claims.first.get({ now })
      return row ? storedOf(row).item : null
    }
    await this.#dueItems.release()
    return this.#sets.found(tags, async (set) => {
      const first = this.#sets.first(tags, set)
      return first && this.#row(first.id).item
    })
  }

  async items(): Promise<number> {
    return this.#db.$count(queueItems, isNull(deleted_at))
  }

  get failure(): string {
    return this.#failure
  }

  faults(): readonly StoreFault[] {
    const faults: StoreFault[] = this.#failure === "" ? [] : ["database_unwritable"]
    if (this.#isDamaged) faults.push("database_damaged")
    return [...faults, ...this.#file.faults()]
  }

  noteError(error: unknown): void {
    this.#isDamaged ||= isDamage(faultOf(error)?.code ?? "")
  }

  drain(): void {
    this.#group.drain()
  }

  async close(): Promise<void> {
    await this.#group.idle()
    // Later requests, for example from a connection that was cut, find no database.
    this.#group.refuse(new AppError("unavailable", "the server has stopped; nothing was changed"))
    // An outage that no write has ended, as after a start that was refused, is counted by the next server.
    this.#file.close(() => (this.outages.isUnderWay ? undefined : this.#signOfLife(this.clock.steadyMs())))
  }

  #row(id: number): Stored {
    const row = this.#reads.row.get({ id })
    if (!row) throw unknownItem(id)
    return storedOf(row)
  }

  #recentRow(id: number): Stored {
    return this.#recent.get(id) ?? this.#row(id)
  }

  /** The beginning of every transaction. */
  #begun(nowMs: number): void {
    this.#statuses = []
    if (this.#recent.forgetInvalid()) this.#sets.forget()
    const outage = this.outages.endingAt(nowMs)
    if (outage) {
      const tookMs = outage.endedMs - outage.sinceMs
      this.#leases.lengthen.run(tookMs, outage.endedMs)
      this.#leases.wait.run(tookMs)
      this.#recent.clear()
      // Otherwise the next server would count the same time again.
      this.#signOfLife(nowMs)
    }
    this.#changes = this.#reads.changes.get()?.changes ?? 0
  }

  /** The end of every transaction. One that changes nothing must not write to the disk. */
  #ending(nowMs: number): void {
    this.#hasChanged = this.#reads.changes.get()?.changes !== this.#changes
    // Here this costs no extra commit, and no lease is given long after the latest sign of life.
    if (this.#hasChanged && this.#isAliveDue(nowMs)) this.#signOfLife(nowMs)
  }

  #isAliveDue(nowMs: number): boolean {
    return nowMs - this.#aliveMs >= ALIVE_MS
  }

  #signOfLife(nowMs: number): void {
    this.#writes.signOfLife.run({ alive_at: nowMs })
    this.#aliveMs = nowMs
  }

  /** Runs `work` in the next transaction. If that fails, the rows in memory from it are forgotten. */
  async #guarded<T>(ids: readonly number[], work: () => T): Promise<T> {
    const forget = (error: unknown): never => {
      for (const id of ids) this.#recent.delete(id)
      throw error
    }
    // Forgotten at once: the next write of the same transaction must not start from values that were undone.
    const once = (): T => {
      const { length } = this.#statuses
      try {
        return work()
      } catch (error) {
        this.#statuses.length = length
        return forget(error)
      }
    }
    return this.#group.run(once).catch(forget)
  }

  #decide(before: Stored, decide: Decide): Change {
    const moment = momentOf(this.clock)
    const change = decide(before, moment)
    if (!change.quiet) this.#write(change, before, moment)
    else if (change.work !== before.work) this.#writes.writeLease.run(change)
    this.#remember(change)
    return change
  }

  #remember({ item, work, deleted }: Change): void {
    if (deleted) this.#recent.delete(item.id)
    else this.#recent.set(item.id, { item, work })
  }

  /** Appends the update and writes the row. `before` is the stored row. */
  #write(change: Change, before: Stored, moment: Moment): void {
    const { item, work, deleted, run } = change
    if (!deleted) this.#sets.note(item)
    const data = encodeUpdate(change)
    const { lastInsertRowid } = this.#writes.insertUpdate.run(item.id, item.song_id, item.status, data)
    this.#statuses.push(item.status)
    const last_update_id = Number(lastInsertRowid)
    if (run) this.runs.keep(run, item.updated_at)
    if (item.attempt > before.item.attempt) this.outputs.forgetFrom(item.id, item.attempt)
    if (!deleted && isReport(before, change)) {
      this.#writes.writeReport.run({ item, work, rest: { last_update_id } })
      if (hasGrown(before.work.course, work.course)) this.#writes.writeCourse.run({ item, work })
      return
    }
    const available_ms = steadyOf(item.available_at, moment)
    const deleted_at = deleted ? item.updated_at : null
    this.#writes.writeItem.run({ item, work, rest: { last_update_id, available_ms, deleted_at } })
  }
}
