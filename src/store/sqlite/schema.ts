import { sql } from "drizzle-orm"
import {
  blob,
  check,
  customType,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core"

import { courseText } from "../../item/estimate/course.ts"
import type { StepTrace } from "../../item/estimate/trace.ts"
import {
  BASES,
  FLAGS,
  type Media,
  OUTCOMES,
  STATUSES,
  type Step,
  type Steps,
  type Unit,
} from "../../item/item.ts"
import type { Totals } from "../../item/kind.ts"
import { VERDICTS } from "../../item/stored.ts"
import { DELIVERY_STATUSES, NOTICES } from "../../item/webhook-notice.ts"
import { ROLES } from "../contract/access.ts"
import { legalMoves } from "../moves-as-sql.ts"
import { COLUMNS } from "../row-parts.ts"

/** A time: RFC 3339 UTC in the program, epoch milliseconds in the database, where it is compared. */
const time = customType<{ data: string; driverData: number | null }>({
  dataType: () => "integer",
  // A placeholder passes null on as it is.
  toDriver: (value: string | null) => (value === null ? null : Date.parse(value)),
  fromDriver: (value) => new Date(value ?? 0).toISOString(),
})

/**
 * JSON text. A placeholder passes null on as it is; drizzle's own JSON mode would make it the text "null".
 */
const json = <T>(textOf: (value: T) => string = JSON.stringify) =>
  customType<{ data: T; driverData: string | null }>({
    dataType: () => "text",
    toDriver: (value: T | null) => (value === null ? null : textOf(value)),
    fromDriver: (value) => JSON.parse(value ?? "null"),
  })()

const list = (values: readonly string[]) => sql.raw(values.map((value) => `'${value}'`).join(", "))

/**
 * The queue items. The public columns come first and in the wire's order; the others serve the store.
 *
 * `pruned_id` is the highest event ID of the item that is no longer kept. `thinned_id` is the last update that the item
 * had when everything that may go was gone; `thin_at` is when a finished item ended whose updates were not thinned since.
 *
 * `section` and `rank` put the queue in its order with one index: processing items by id (0), waiting ones by
 * priority and id (1), finished ones by the end of their work, newest first (2); deleted ones have none. `needs` is
 * the key of the tags (see `needsOf`), and `available_ms` the steady time before which a waiting item is not claimed by
 * its place; null once that has come.
 */
export const queueItems = sqliteTable(
  "queue_items",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    song_id: integer().notNull(),
    title: text().notNull(),
    status: text({ enum: STATUSES }).notNull(),
    priority: integer().notNull(),
    current_step: text().notNull(),
    progress: integer().notNull(),
    message: text().notNull(),
    error_message: text().notNull(),
    retry_count: integer().notNull(),
    video_file_path: text().notNull(),
    video_file_size: integer().notNull(),
    thumbnail_path: text().notNull(),
    flag: text({ enum: FLAGS }),
    queued_at: time().notNull(),
    requeued_at: time(),
    started_at: time(),
    completed_at: time(),
    updated_at: time().notNull(),
    attempt: integer().notNull(),
    max_attempts: integer().notNull(),
    outcome: text({ enum: OUTCOMES }),
    worker: text().notNull(),
    available_at: time(),
    turn: real(),
    cancel_requested_at: time(),
    eta_seconds: real(),
    eta_low_seconds: real(),
    eta_high_seconds: real(),
    eta_runs: integer().notNull().default(0),
    time_progress: real(),
    stalled: integer({ mode: "boolean" }).notNull(),
    stalled_since: time(),
    basis: text({ enum: BASES }),
    steps: json<Steps>(),
    step: json<Step>(),
    unit: json<Unit>(),
    media: json<Media>(),
    kind: text().notNull().default(""),
    totals: text({ mode: "json" }).$type<Totals>().notNull().default({}),
    tags: text({ mode: "json" }).$type<string[]>().notNull(),
    metadata: text({ mode: "json" }).$type<Record<string, unknown>>().notNull(),
    lease_token: text(),
    lease_holder: integer(),
    verdict: text({ enum: VERDICTS }),
    lease_ms: integer().notNull().default(0),
    lease_expires_at: integer(),
    rescues: integer().notNull().default(0),
    done: real("share").notNull().default(0),
    rate: real().notNull().default(0),
    attempt_at: integer().notNull().default(0),
    moved_at: integer().notNull().default(0),
    is_set_back: integer({ mode: "boolean" }).notNull().default(false),
    has_inner: integer({ mode: "boolean" }).notNull().default(false),
    steps_begun: integer().notNull().default(0),
    course: json(courseText),
    last_update_id: integer().notNull(),
    pruned_id: integer().notNull().default(0),
    thinned_id: integer().notNull().default(0),
    deleted_at: time(),
    available_ms: integer(),
    needs: blob({ mode: "buffer" })
      .notNull()
      .default(sql`x''`),
    section: integer().generatedAlwaysAs(sql.raw(COLUMNS.section), { mode: "virtual" }),
    rank: integer().generatedAlwaysAs(sql.raw(COLUMNS.rank), { mode: "virtual" }),
    place: real().generatedAlwaysAs(sql.raw(COLUMNS.place), { mode: "virtual" }),
    thin_at: integer().generatedAlwaysAs(sql.raw(COLUMNS.thin_at), { mode: "virtual" }),
  },
  (table) => [
    index("queue_items_thin").on(table.thin_at),
    index("queue_items_deleted").on(table.deleted_at),
    index("queue_items_order").on(table.section, table.rank, table.place, table.id, table.available_ms),
    index("queue_items_status")
      .on(table.status, table.rank, table.place, table.id)
      .where(sql`deleted_at IS NULL`),
    index("queue_items_song").on(table.song_id, table.section, table.rank, table.place, table.id),
    index("queue_items_ready")
      .on(table.needs, table.rank, table.place, table.id)
      .where(sql`section = 1 AND available_ms IS NULL`),
    index("queue_items_available")
      .on(table.available_ms)
      .where(sql`available_ms IS NOT NULL`),
    index("queue_items_changed").on(table.last_update_id),
    index("queue_items_finished")
      .on(table.completed_at, table.outcome, table.started_at, table.deleted_at)
      .where(sql`outcome IS NOT NULL AND deleted_at IS NULL`),
    check("queue_items_status", sql`${table.status} IN (${list(STATUSES)})`),
    check("queue_items_outcome", sql`${table.outcome} IN (${list(OUTCOMES)})`),
    check("queue_items_flag", sql`${table.flag} IN (${list(FLAGS)})`),
    check("queue_items_progress", sql`${table.progress} BETWEEN 0 AND 100`),
  ],
)

/**
 * The history: it is the log for replay, the record and the audit in one. `data` is the ProgressUpdate as it
 * is sent.
 */
export const updates = sqliteTable(
  "updates",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    queue_id: integer()
      .notNull()
      .references(() => queueItems.id),
    song_id: integer().notNull(),
    status: text({ enum: STATUSES }).notNull(),
    data: text().notNull(),
  },
  (table) => [index("updates_item").on(table.queue_id)],
)

/** Answers of `POST /queue` and of claims, kept for a repeated request. */
export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    key: text().primaryKey(),
    digest: text().notNull(),
    answer: text().notNull(),
    created_at: time().notNull(),
  },
  (table) => [index("idempotency_keys_age").on(table.created_at)],
)

/**
 * One row: the name of this history; when a server was last known to be alive (milliseconds, steady clock); the highest
 * event ID that is no longer kept, how many are not, and when removing may begin (epoch milliseconds); whether the
 * estimates have learned from its completed items; after a restore, the last event ID of the backup, and the highest ID
 * that was given before; since when the queue is paused; the mark that the last start wrote here and in the lock file;
 * and the minutes of service that are not in `hours` yet.
 */
export const history = sqliteTable("history", {
  id: text().primaryKey(),
  alive_at: integer(),
  pruned_id: integer().notNull().default(0),
  pruned: integer().notNull().default(0),
  retain_from: integer(),
  restored_id: integer(),
  resumed_id: integer().notNull().default(0),
  has_learned: integer({ mode: "boolean" }).notNull().default(false),
  paused_at: time(),
  mark: text(),
  minutes: integer().notNull().default(0),
})

/**
 * How many hours servers have run on this database, and the newest event ID at the end of each hour. This
 * gives the age of an update, even if the machine's clock was wrong.
 */
export const hours = sqliteTable("hours", {
  hour: integer().primaryKey(),
  newest_id: integer().notNull(),
})

/**
 * How many items there are of each standing: the outcome if the item is finished, otherwise the status.
 * Triggers keep it.
 */
export const queueCounts = sqliteTable("queue_counts", {
  standing: text().primaryKey(),
  items: integer().notNull(),
})

/** The attempts that completed, the newest of each kind and look. */
export const runs = sqliteTable(
  "runs",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    kind: text().notNull(),
    look: text().notNull(),
    worker: text().notNull(),
    queue_id: integer().notNull(),
    seconds: real().notNull(),
    steps: text({ mode: "json" }).$type<readonly StepTrace[]>().notNull(),
    ended_at: time().notNull(),
  },
  (table) => [index("runs_alike").on(table.kind, table.look, table.id)],
)

/** The output of the commands of attempts, in pieces. Positions count the bytes that were printed. */
export const outputs = sqliteTable(
  "outputs",
  {
    queue_id: integer()
      .notNull()
      .references(() => queueItems.id),
    attempt: integer().notNull(),
    to: integer("until").notNull(),
    from: integer("at").notNull(),
    text: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.queue_id, table.attempt, table.to] })],
)

/** The webhooks that follow the history, and the last event ID that was examined for each. */
export const webhooks = sqliteTable("webhooks", {
  url: text().primaryKey(),
  cursor: integer().notNull(),
})

/** The deliveries to webhooks. `next_attempt_at` is null once a delivery is over. */
export const deliveries = sqliteTable(
  "deliveries",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    url: text().notNull(),
    notice: text({ enum: NOTICES }).notNull(),
    update_id: integer().notNull(),
    queue_id: integer().notNull(),
    data: text().notNull(),
    status: text({ enum: DELIVERY_STATUSES }).notNull().default("pending"),
    attempts: integer().notNull().default(0),
    next_attempt_at: time(),
    answer: integer(),
    error: text().notNull().default(""),
    created_at: time().notNull(),
    finished_at: time(),
  },
  (table) => [
    index("deliveries_due").on(table.url, table.next_attempt_at),
    index("deliveries_finished").on(table.finished_at),
    index("deliveries_status").on(table.status, table.id),
  ],
)

/** The trigger that refuses an illegal move by any program. It is generated from the table of moves. */
export function movesTrigger(): string {
  return `CREATE TRIGGER queue_items_moves BEFORE UPDATE OF status ON queue_items
WHEN OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (VALUES ${legalMoves})
BEGIN
  SELECT RAISE(ABORT, 'illegal move');
END;
`
}

/**
 * The access tokens, as hashes: the tokens themselves are stored nowhere. Rows stay when a token is revoked.
 */
export const tokens = sqliteTable(
  "tokens",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    hash: text().notNull(),
    label: text().notNull(),
    role: text({ enum: ROLES }).notNull(),
    item: integer(),
    history: text().notNull(),
    created_at: time().notNull(),
    expires_at: time(),
    revoked_at: time(),
    last_used_at: time(),
  },
  (table) => [uniqueIndex("tokens_hash").on(table.hash)],
)

/** The tickets. Each replaces a token at one path. */
export const tickets = sqliteTable(
  "tickets",
  {
    hash: text().primaryKey(),
    token_id: integer()
      .notNull()
      .references(() => tokens.id),
    method: text().notNull(),
    path: text().notNull(),
    use_by: time().notNull(),
    expires_at: time().notNull(),
    used_at: time(),
  },
  (table) => [index("tickets_token").on(table.token_id), index("tickets_end").on(table.expires_at)],
)

/** All tables. */
export const TABLES = [
  queueItems,
  updates,
  idempotencyKeys,
  history,
  hours,
  queueCounts,
  runs,
  outputs,
  webhooks,
  deliveries,
  tokens,
  tickets,
] as const
