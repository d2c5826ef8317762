import { and, asc, isNull, sql } from "drizzle-orm"

import type { Clock } from "../../item/moment.ts"
import { type Due, type Idempotency, IDEMPOTENCY_MS, type Repeatable, SWEEP_ROWS } from "../contract/items.ts"
import { storedOf } from "../row-parts.ts"
import { claimOrder, RIPEN } from "./claim-order.ts"
import { deleted_at, offeredKeysOf, place, rank, rowColumns, version } from "./columns.ts"
import type { PostgresConnections } from "./connections.ts"
import type { GroupDecisions, KnownRow } from "./group-decisions.ts"
import { idempotencyKeys, queueItems } from "./schema.ts"

const { key: keyOfAnswer, digest, answer } = idempotencyKeys

/** Statements that read whole items. */
export function itemReads({ db }: PostgresConnections, onePerSong: boolean) {
  const rows = () => db.select({ ...rowColumns, version }).from(queueItems)
  const byId = () =>
    rows().where(and(sql`${queueItems.id} = ANY(${sql.placeholder("ids")}::int8[])`, isNull(deleted_at)))
  const due = (time: string) =>
    rows()
      .where(sql`section = 0 AND ${sql.raw(time)} <= ${sql.placeholder("by")}::int8`)
      .orderBy(asc(queueItems.id))
      .limit(SWEEP_ROWS)
  const order = claimOrder(onePerSong)
  return {
    /** The items with these ids that are not deleted. */
    byId: byId().prepare("items_by_id"),
    /** The same, locked until the end of the transaction. */
    byIdLocked: byId().orderBy(asc(queueItems.id)).for("no key update").prepare("items_by_id_locked"),
    /** The items that a worker with some tags may claim, in the queue's order. */
    claimable: db
      .select({ ...rowColumns, version, song: order.songVersion })
      .from(queueItems)
      .where(sql`${queueItems.id} IN (${order.claimable})`)
      .orderBy(asc(rank), asc(place), asc(queueItems.id))
      .limit(sql.placeholder("limit"))
      .prepare("items_claimable"),
    /** The first item that waits for nothing but a worker. */
    first: rows()
      .where(sql`${queueItems.id} = ${order.first}`)
      .prepare("items_first"),
    leaseDue: due("lease_expires_at").prepare("items_lease_due"),
    stallDue: due("NOT stalled AND moved_at").prepare("items_stall_due"),
    answers: db
      .select({ key: keyOfAnswer, digest, answer })
      .from(idempotencyKeys)
      .where(
        sql`${idempotencyKeys.key} = ANY(${sql.placeholder("keys")}::text[]) AND ${idempotencyKeys.created_at} > ${sql.placeholder("after")}::int8`,
      )
      .prepare("answers"),
  }
}

type ItemRow = Awaited<ReturnType<ReturnType<typeof itemReads>["byId"]["execute"]>>[number]

/** A row of these statements in the program's form. */
export const knownOf = ({ version: at, song: _song, ...row }: ItemRow & { song?: string }): KnownRow => ({
  stored: storedOf(row),
  version: at,
})

/**
 * The item directly before the place of another one among the waiting items. A third item, which is being
 * moved, does not count.
 */
const AHEAD = `SELECT q.place FROM queue_items q, queue_items b WHERE b.id = $1 AND q.section = 1
  AND q.rank = -b.priority AND q.place < coalesce(b.turn, b.id) AND q.id <> $2 ORDER BY q.place DESC LIMIT 1`

/**
 * Collects everything that the writes of one group must read before they decide. It is sent together, in one
 * round trip.
 */
export class GroupReads {
  readonly #link: PostgresConnections
  readonly #reads: ReturnType<typeof itemReads>
  readonly #decisions: GroupDecisions
  readonly #clock: Clock
  readonly #most: number
  readonly #claimable = new Map<string, Promise<number[]>>()
  readonly #keys = new Set<string>()
  readonly #claimKeys = new Set<string>()
  #claimed: Promise<void> | undefined
  #unnamed = 0

  /** `most` is how many items the group may change at most. */
  constructor(
    link: PostgresConnections,
    reads: ReturnType<typeof itemReads>,
    decisions: GroupDecisions,
    { clock, most }: { readonly clock: Clock; readonly most: number },
  ) {
    this.#link = link
    this.#reads = reads
    this.#decisions = decisions
    this.#clock = clock
    this.#most = most
  }

  /** Requests a number for a new item, and the answer that its key may already have. */
  forAdding(idempotency: Idempotency | undefined): void {
    if (idempotency) this.#keys.add(idempotency.key)
    else this.#unnamed += 1
  }

  /** The item that an earlier claim with this key got; none if there was none. */
  async forClaiming({ key }: Repeatable): Promise<number[]> {
    this.#claimKeys.add(key)
    // By then all claims of the group have asked.
    await (this.#claimed ??= Promise.resolve().then(() => this.#readClaimed()))
    const kept = this.#decisions.earlierClaim(key)
    return kept ? [kept.id] : []
  }

  /** As many items that can be claimed with these tags as the group may need, in the queue's order. */
  claimable(tags: readonly string[]): Promise<number[]> {
    const own = offeredKeysOf(tags)
    const key = JSON.stringify(own)
    const asked = this.#claimable.get(key) ?? this.#ripeFor(own)
    this.#claimable.set(key, asked)
    return asked
  }

  /** The items that are due. */
  async due({ due, by }: Due): Promise<number[]> {
    const { leaseDue, stallDue } = this.#reads
    return this.#read(await (due === "lease" ? leaseDue : stallDue).execute({ by }))
  }

  /**
   * The turn of the item before another one; a third item, which is being moved, does not count. Null if
   * there is none.
   */
  async ahead(id: number, before: number): Promise<number | null> {
    const [row] = await this.#link.ask<{ place: number }>(AHEAD, [before, id])
    return row?.place ?? null
  }

  /** Reads items, everything that was requested before, and numbers for new items. */
  async read(ids: readonly number[]): Promise<void> {
    const rows = ids.length > 0 ? this.#reads.byId.execute({ ids: [...ids] }) : []
    // If a number were taken for a key that already has its answer, it would leave a gap.
    const [found] = await Promise.all([
      rows,
      this.#keys.size > 0 ? this.#readAnswers(this.#keys) : this.#readNumbers(this.#unnamed),
    ])
    this.#read(found)
    if (this.#keys.size === 0) return
    const unanswered = [...this.#keys].filter((key) => !this.#decisions.answers.has(key)).length
    await this.#readNumbers(this.#unnamed + unanswered)
  }

  /** Reads the answers of earlier claims, and the items that these got. */
  async #readClaimed(): Promise<void> {
    await this.#readAnswers(this.#claimKeys)
    const ids = [...this.#claimKeys].flatMap((key) => this.#decisions.earlierClaim(key)?.id ?? [])
    if (ids.length > 0) this.#read(await this.#reads.byId.execute({ ids }))
  }

  async #readAnswers(keys: ReadonlySet<string>): Promise<void> {
    const after = this.#clock.now() - IDEMPOTENCY_MS
    const rows = await this.#reads.answers.execute({ keys: [...keys], after })
    for (const { key, digest, answer } of rows) this.#decisions.answers.set(key, { digest, answer })
  }

  async #readNumbers(count: number): Promise<void> {
    if (count === 0) return
    const rows = await this.#link.ask<{ id: number }>(
      "SELECT nextval('queue_items_ids')::float8 AS id FROM generate_series(1, $1::int)",
      [count],
    )
    this.#decisions.numbers.push(...rows.map(({ id }) => id))
  }

  async #ripeFor(tags: readonly string[]): Promise<number[]> {
    const [, rows] = await Promise.all([
      this.#link.ask(RIPEN, [this.#clock.steadyMs()]),
      this.#reads.claimable.execute({ tags: [...tags], limit: this.#most }),
    ])
    for (const { id, song } of rows) this.#decisions.songVersions.set(id, Number(song))
    return this.#read(rows)
  }

  #read(rows: readonly ItemRow[]): number[] {
    return rows.map((row) => this.#decisions.read(knownOf(row), true))
  }
}
