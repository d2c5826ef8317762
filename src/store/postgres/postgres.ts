import { unknownItem } from "../../errors.ts"
import type { QueueItem } from "../../item/item.ts"
import { isLastOrRevokedToken } from "../../item/lease-token.ts"
import type { Clock } from "../../item/moment.ts"
import type { Change, Stored, Work } from "../../item/stored.ts"
import type {
  Create,
  Decide,
  Due,
  Idempotency,
  ListPage,
  ListQuery,
  Placing,
  Repeatable,
} from "../contract/items.ts"
import type { StoreFault } from "../contract/life.ts"
import type { FoundDatabase, Observed, Store } from "../contract/store.ts"
import { pageOf } from "../list-order.ts"
import { Outages, SLOW_MS } from "../outages-extend-leases.ts"
import { PostgresAccess } from "./access.ts"
import { RIPEN } from "./claim-order.ts"
import { offeredKeysOf } from "./columns.ts"
import type { PostgresConnections } from "./connections.ts"
import { DatabaseClock } from "./database-clock.ts"
import { PostgresDeliveries } from "./deliveries.ts"
import { DoubleWriteFence } from "./double-write-fence.ts"
import { PostgresFigures } from "./figures.ts"
import { GroupCommit } from "./group-commit.ts"
import type { GroupDecisions } from "./group-decisions.ts"
import { itemReads, knownOf } from "./group-reads.ts"
import { PostgresHistory } from "./history.ts"
import { PostgresInstances } from "./instances.ts"
import { Listing } from "./list.ts"
import { type Opened, type OpeningOptions, openPostgres } from "./open.ts"
import { PostgresOutputs } from "./outputs.ts"
import { RolledBackCheck } from "./rolled-back-database.ts"
import { PostgresRuns } from "./runs.ts"
import { PostgresUpkeep } from "./upkeep.ts"

/** How a database is used. */
export interface PostgresOptions extends Observed, Pick<OpeningOptions, "onEmpty" | "onWaiting"> {
  /** The clocks that decisions use; default: those of the database. */
  readonly clock?: Clock | undefined
  /** Whether no item is claimable while another item of its song is leased; default false. */
  readonly onePerSong?: boolean
}

/** Waits until the claims under way are stored; see `APPEND`. */
const PAUSE = `WITH held AS MATERIALIZED (SELECT id FROM history FOR UPDATE)
UPDATE history h SET paused_at = coalesce(h.paused_at, $1) FROM held WHERE h.id = held.id RETURNING h.paused_at::float8 AS at`

/** Servers ask this every second, so it also says which history the database has. */
const IS_ANY_LEASED = `SELECT EXISTS (SELECT FROM queue_items WHERE section = 0 AND lease_expires_at IS NOT NULL) AS any,
  (SELECT id FROM history) AS history`

/** The Store on PostgreSQL. Any number of instances use one database, and no instance leads the others. */
export class PostgresStore extends PostgresHistory implements Store {
  readonly found: FoundDatabase
  readonly deliveries: PostgresDeliveries
  readonly figures: PostgresFigures
  readonly access: PostgresAccess
  readonly upkeep: PostgresUpkeep
  readonly runs: PostgresRuns
  readonly outputs: PostgresOutputs
  readonly instances: PostgresInstances
  readonly clock: Clock
  readonly outages: Outages
  readonly #onePerSong: boolean
  readonly #writing: PostgresConnections
  readonly #reading: PostgresConnections
  readonly #fence: DoubleWriteFence
  readonly #group: GroupCommit
  readonly #listing: Listing
  readonly #reads: ReturnType<typeof itemReads>
  /** Whether the database has a history of another name: it was made again, and another server has prepared it. */
  #isOther = false

  private constructor(opened: Opened, outages: Outages, measured: DatabaseClock, options: PostgresOptions) {
    const { writing, reading, historyId, era, aliveMs, found } = opened
    const backCheck = new RolledBackCheck(era, (back) => {
      this.#group.forget()
      options.onRolledBack?.(back)
    })
    super(reading, historyId, backCheck)
    const { clock = measured, onePerSong = false } = options
    this.found = found
    this.clock = clock
    this.outages = outages
    if (aliveMs !== null) outages.begin(aliveMs)
    this.#onePerSong = onePerSong
    this.#writing = writing
    this.#reading = reading
    this.#reads = itemReads(reading, onePerSong)
    this.#listing = new Listing(reading)
    this.figures = new PostgresFigures(reading)
    this.#fence = new DoubleWriteFence(writing, backCheck, measured)
    this.#group = new GroupCommit({
      link: writing,
      fence: this.#fence,
      backCheck,
      reads: itemReads(writing, onePerSong),
      clock,
      outages,
      observed: options,
      measured,
    })
    this.deliveries = new PostgresDeliveries(reading, this.#fence.instance, backCheck, clock.now)
    const webhooks = (): readonly string[] => this.deliveries.followed
    this.instances = new PostgresInstances(reading, this.#fence.instance, webhooks, clock.now)
    this.access = new PostgresAccess(reading, historyId, backCheck, clock.now)
    this.upkeep = new PostgresUpkeep(reading, clock.now)
    this.runs = new PostgresRuns(reading)
    this.outputs = new PostgresOutputs(reading, this.#reads)
  }

  /**
   * Opens the database at `url`, brings it up to date, and waits up to 30 s for a server that is away.
   * @throws AppError `unavailable`
   */
  static async open(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
    const outages = new Outages()
    // Time that any instance has counted already is not counted again, so a false alarm does no harm.
    const onDoubt = (ageMs: number, isAnswered: boolean): void => {
      const nowMs = (options.clock ?? measured).steadyMs()
      if (isAnswered) outages.noteSlow(nowMs - Math.ceil(ageMs), nowMs)
      else outages.begin(nowMs - Math.ceil(ageMs))
    }
    const measured = new DatabaseClock((sinceMs, isBack) => {
      if (isBack) outages.goBack()
      outages.begin(sinceMs)
    })
    const { onEmpty, onWaiting } = options
    const opened = await openPostgres(url, { onDoubt, onEmpty, onWaiting })
    measured.sample(opened.time.serverMs, opened.time.askedMs)
    return new PostgresStore(opened, outages, measured, options)
  }

  add(create: Create, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }> {
    return this.#group.run({
      ids: [],
      look: (look) => look.forAdding(idempotency),
      decide: (decisions) => decisions.add(create, idempotency),
    })
  }

  change(id: number, decide: Decide, repeatable?: Repeatable): Promise<Change> {
    return this.#group.run({
      ids: [id],
      look: (look) => repeatable && look.forClaiming(repeatable),
      decide: (decisions) => decisions.once(repeatable, () => decisions.decide(id, decide)),
    })
  }

  place(id: number, before: number, decide: Placing): Promise<Change> {
    let ahead: number | null = null
    return this.#group.run({
      ids: [id, before],
      isFresh: true,
      isAlone: true,
      look: async (look) => (ahead = await look.ahead(id, before)),
      decide: (decisions) => {
        const { item } = decisions.see(before)
        return decisions.decide(id, (stored, moment) => decide(stored, item, ahead, moment))
      },
    })
  }

  claim(tags: readonly string[], decide: Decide, repeatable?: Repeatable): Promise<Change | null> {
    let candidates: readonly number[] = []
    let former: readonly number[] = []
    const take = (decisions: GroupDecisions): Change | null => {
      const first = this.#onePerSong ? decisions.takeSole(candidates) : decisions.takeFirst(candidates)
      return first === undefined ? null : decisions.decide(first, decide)
    }
    return this.#group.run({
      ids: [],
      look: async (look) => {
        const before = repeatable ? look.forClaiming(repeatable) : []
        ;[candidates, former] = await Promise.all([look.claimable(tags), before])
      },
      wanted: () => [...former, ...candidates],
      decide: (decisions) => decisions.once(repeatable, () => take(decisions)),
    })
  }

  claimedBefore(repeatable: Repeatable): Promise<Change | null> {
    let former: readonly number[] = []
    return this.#group.run({
      ids: [],
      look: async (look) => (former = await look.forClaiming(repeatable)),
      wanted: () => former,
      decide: (decisions) => decisions.again(repeatable) ?? null,
    })
  }

  async sweep(due: Due, decide: Decide): Promise<number> {
    const { leaseDue, stallDue } = this.#reads
    const askedMs = this.clock.steadyMs()
    const query = due.due === "lease" ? leaseDue : stallDue
    const rows = await this.#reading.get(query, { by: this.#dueBy(due, askedMs) })
    // Nearly always nothing is due, and then no group is needed.
    if (rows.length === 0) return 0
    const dueNow = (): Due => ({ ...due, by: this.#dueBy(due, askedMs) })
    let ids: readonly number[] = []
    return this.#group.run({
      ids: [],
      look: async (look) => (ids = await look.due(dueNow())),
      decide: (decisions) => decisions.sweep(ids, dueNow(), decide),
    })
  }

  /** By when what was asked for at `askedMs` is due now: a slow group may have come first, or the clock gone back. */
  #dueBy({ due, by }: Due, askedMs: number): number {
    const nowMs = this.clock.steadyMs()
    const passedMs = nowMs - askedMs
    const waitedMs = passedMs > SLOW_MS ? passedMs : Math.min(0, passedMs)
    // A lease will be longer by what is not counted yet.
    return due === "lease" ? by + waitedMs - this.outages.uncountedMs(nowMs) : by + Math.min(0, passedMs)
  }

  async alive(): Promise<void> {
    if (this.#group.isAliveDue && !this.#group.isResting)
      await this.#group.run({ ids: [], decide: () => undefined })
  }

  async isAnyLeased(): Promise<boolean> {
    const [row] = await this.#reading.run<{ any: boolean; history: string | null }>(IS_ANY_LEASED)
    this.#isOther = typeof row?.history === "string" && row.history !== this.historyId
    return row?.any === true
  }

  async wasDeleted(id: number, lease?: string): Promise<boolean> {
    const text = "SELECT lease_token FROM queue_items WHERE id = $1 AND deleted_at IS NOT NULL"
    const [row] = await this.#reading.run<Pick<Work, "lease_token">>(text, [id])
    return row !== undefined && (lease === undefined || isLastOrRevokedToken(row, lease))
  }

  async item(id: number): Promise<QueueItem> {
    return (await this.stored(id)).item
  }

  async stored(id: number): Promise<Stored> {
    const [row] = await this.#reading.get(this.#reads.byId, { ids: [id] })
    if (!row) throw unknownItem(id)
    return knownOf(row).stored
  }

  list(query: ListQuery): Promise<ListPage> {
    return pageOf(query, this.#listing)
  }

  async pause(): Promise<string> {
    const nowMs = this.clock.now()
    const [row] = await this.#reading.run<{ at: number }>(PAUSE, [nowMs])
    return new Date(row?.at ?? nowMs).toISOString()
  }

  async resume(): Promise<void> {
    await this.#reading.run("UPDATE history SET paused_at = NULL")
  }

  async pausedAt(): Promise<string | null> {
    const [row] = await this.#reading.run<{ at: number | null }>(
      "SELECT paused_at::float8 AS at FROM history",
    )
    return typeof row?.at === "number" ? new Date(row.at).toISOString() : null
  }

  async nextWaiting(tags?: readonly string[]): Promise<QueueItem | null> {
    const { first, claimable } = this.#reads
    if (tags !== undefined) await this.#reading.run(RIPEN, [this.clock.steadyMs()])
    const [row] =
      tags === undefined
        ? await this.#reading.get(first, { now: this.clock.steadyMs() })
        : await this.#reading.get(claimable, { tags: offeredKeysOf(tags), limit: 1 })
    return row ? knownOf(row).stored.item : null
  }

  async items(): Promise<number> {
    const text = "SELECT count(*)::int AS n FROM queue_items WHERE deleted_at IS NULL"
    return (await this.#reading.run<{ n: number }>(text))[0]?.n ?? 0
  }

  noteError(): void {
    // The database server has its own log and its own checks.
  }

  get failure(): string {
    return this.#lostBy ?? this.#group.failure
  }

  get #lostBy(): string | undefined {
    return this.#writing.lostBy ?? this.#reading.lostBy
  }

  faults(): readonly StoreFault[] {
    const isUnwritable = this.#group.isUnwritable || this.#lostBy !== undefined
    return [
      ...(isUnwritable ? (["database_unwritable"] as const) : []),
      ...(this.#isOther ? (["file_replaced"] as const) : []),
    ]
  }

  drain(): void {
    this.#writing.drain()
    this.#reading.drain()
  }

  async close(): Promise<void> {
    await this.#group.idle()
    // The other instances ignore the rest of this one.
    await this.#fence.leave().catch(() => undefined)
    await Promise.all([this.#writing.close(), this.#reading.close()])
  }
}
