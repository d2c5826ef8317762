import { and, desc, eq, getTableColumns, isNull, lt, sql } from "drizzle-orm"

import { unknownItem } from "../../errors.ts"
import type { StoredUpdate } from "../../item/stored.ts"
import {
  type Bounds,
  type History,
  type LatestIds,
  type LatestOf,
  type Page,
  PAGE_BYTES,
  type PageQuery,
} from "../contract/history.ts"
import { deleted_at, last_update_id } from "./columns.ts"
import type { PostgresConnections } from "./connections.ts"
import { LOST, rangesIn, type RolledBackCheck } from "./rolled-back-database.ts"
import { queueItems, updates } from "./schema.ts"

/** The newest event ID, as SQL. */
export const HEAD =
  "(SELECT greatest(h.floor, coalesce((SELECT max(u.id) FROM updates u), 0)) FROM history h)"

/** Rows of updates, cut to a page of about `PAGE_BYTES`, with how many there were. */
const cut = (rows: string): string =>
  `SELECT id::float8 AS id, queue_id::float8 AS queue_id, song_id::float8 AS song_id, status, data, total::int AS total
  FROM (SELECT one.*, sum(length(data)) OVER (ORDER BY id) - length(data) AS before, count(*) OVER () AS total
    FROM (${rows}) one) all_of_them
  WHERE before < ${PAGE_BYTES} ORDER BY id`

const PAGE = cut("SELECT * FROM updates WHERE id > $1 ORDER BY id LIMIT $2")
const ITEM_PAGE = cut("SELECT * FROM updates WHERE id > $1 AND queue_id = $3 ORDER BY id LIMIT $2")
const BY_ID = cut("SELECT * FROM updates WHERE id = ANY($1::int8[])")

/** The event IDs of a snapshot, ascending, with the head. */
const snapshot = (ids: string): string =>
  `SELECT ${HEAD}::float8 AS head, (SELECT coalesce(json_agg(id ORDER BY id), '[]')::text FROM (${ids}) last(id)) AS ids`

const OPEN = snapshot("SELECT last_update_id FROM queue_items WHERE section < 2")
// Nothing finds items by their last update; the history itself does.
const CHANGED = snapshot("SELECT max(id) FROM updates WHERE id > $1 GROUP BY queue_id")
/** If an item has more updates than this, checking every item is quicker. */
const MANY_UPDATES = 50_000
const CHANGED_LONG_AGO = snapshot("SELECT last_update_id FROM queue_items WHERE last_update_id > $1")
const CHANGED_ITEM = snapshot("SELECT last_update_id FROM queue_items WHERE last_update_id > $1 AND id = $2")
const COUNT = "SELECT count(*)::int AS n FROM updates WHERE id > $1 AND id <= $2"
const PRUNED = `SELECT pruned_id::float8 AS id, pruned::float8 AS count, array_to_json(${LOST})::text AS lost,
  resumed_id::float8 AS resumed, ${HEAD}::float8 AS head,
  (SELECT q.pruned_id::float8 FROM queue_items q WHERE q.id = $1) AS own FROM history h`

/** The event IDs that are no longer kept. */
interface Pruned {
  readonly id: number
  readonly count: number
  readonly lost: string
  readonly resumed: number
  readonly head: number
  readonly own: number | null
}

type CountedUpdate = StoredUpdate & { readonly total: number }

const updateColumns = getTableColumns(updates)

/** Statements that read single updates. */
function updateReads({ db }: PostgresConnections) {
  return {
    previous: db
      .select(updateColumns)
      .from(updates)
      .where(and(eq(updates.queue_id, sql.placeholder("queueId")), lt(updates.id, sql.placeholder("id"))))
      .orderBy(desc(updates.id))
      .limit(1)
      .prepare("previous_update"),
    latestOfItem: db
      .select({ ...updateColumns, head: sql<string>`${sql.raw(HEAD)}` })
      .from(queueItems)
      .innerJoin(updates, eq(updates.id, last_update_id))
      .where(and(eq(queueItems.id, sql.placeholder("id")), isNull(deleted_at)))
      .prepare("latest_of_item"),
  }
}

/** The History on PostgreSQL. */
export class PostgresHistory implements History {
  readonly historyId: string
  readonly #link: PostgresConnections
  readonly #backCheck: RolledBackCheck
  readonly #reads: ReturnType<typeof updateReads>

  /** Reads on `link`; `backCheck` gets the event IDs that were read. */
  constructor(link: PostgresConnections, historyId: string, backCheck: RolledBackCheck) {
    this.#link = link
    this.#backCheck = backCheck
    this.historyId = historyId
    this.#reads = updateReads(link)
  }

  page({ after, queueId, limit }: PageQuery): Promise<Page> {
    return queueId === undefined
      ? this.#page(PAGE, [after, limit], limit)
      : this.#page(ITEM_PAGE, [after, limit, queueId], limit)
  }

  async latest(which: LatestOf): Promise<LatestIds> {
    const [text, parameters] =
      which.of === "open"
        ? [OPEN, []]
        : which.queueId === undefined
          ? [this.#backCheck.newest - which.after > MANY_UPDATES ? CHANGED_LONG_AGO : CHANGED, [which.after]]
          : [CHANGED_ITEM, [which.after, which.queueId]]
    const [row] = await this.#link.run<{ head: number; ids: string }>(text, parameters)
    const ids: number[] = JSON.parse(row?.ids ?? "[]")
    return { ids, head: row?.head ?? 0 }
  }

  async latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }> {
    const [row] = await this.#link.get(this.#reads.latestOfItem, { id })
    if (!row) throw unknownItem(id)
    const { head, ...update } = row
    return { update, head: Number(head) }
  }

  updates(ids: readonly number[]): Promise<Page> {
    return this.#page(BY_ID, [[...ids]], ids.length + 1)
  }

  async previous({ id, queue_id }: StoredUpdate): Promise<StoredUpdate | null> {
    const [row] = await this.#link.get(this.#reads.previous, { id, queueId: queue_id })
    return row ?? null
  }

  async count(after: number, upTo: number, queueId?: number): Promise<number> {
    if (queueId === undefined) {
      // Event IDs have no holes but those of retention and of a restore.
      const pruned = await this.#pruned()
      if (after >= Math.max(pruned.id, pruned.resumed)) return upTo - after
    }
    const [where, parameters] = queueId === undefined ? ["", []] : [" AND queue_id = $3", [queueId]]
    const [row] = await this.#link.run<{ n: number }>(`${COUNT}${where}`, [after, upTo, ...parameters])
    return row?.n ?? 0
  }

  async bounds(queueId?: number): Promise<Bounds> {
    const found = await this.#pruned(queueId)
    const newest = await this.#checked(found.head)
    const isBack = newest > found.head
    const { id, count, lost, head, own } = isBack ? await this.#pruned(queueId) : found
    return { oldest: (own ?? id) + 1, newest: head, lost: rangesIn(lost), stored: head - count }
  }

  async head(): Promise<number> {
    const [row] = await this.#link.run<{ head: number }>(`SELECT ${HEAD}::float8 AS head`)
    return this.#checked(row?.head ?? 0)
  }

  /** The newest event ID, after checking whether the database has gone back. */
  #checked(head: number): Promise<number> {
    return this.#link.patiently(() => this.#backCheck.checked(this.#link, head))
  }

  async #pruned(queueId: number | null = null): Promise<Pruned> {
    const [row] = await this.#link.run<Pruned>(PRUNED, [queueId])
    return row ?? { id: 0, count: 0, lost: "[]", resumed: 0, head: 0, own: null }
  }

  async #page(text: string, parameters: readonly unknown[], limit: number): Promise<Page> {
    const rows = await this.#link.run<CountedUpdate>(text, parameters)
    const [first] = rows
    this.#backCheck.note(rows.at(-1)?.id ?? 0)
    const more = first !== undefined && (rows.length < first.total || first.total >= limit)
    return { updates: rows.map(({ total: _total, ...update }) => update), more }
  }
}
