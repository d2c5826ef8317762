import { sql } from "drizzle-orm"
import {
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core"

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
import { jsonText, long, time } from "./column-types.ts"
import { followers, groups, instances, outages, songs, timers } from "./fleet-schema.ts"

const list = (values: readonly string[]) => sql.raw(values.map((value) => `'${value}'`).join(", "))

/**
 * The queue items, as in SQLite's schema, where the columns that serve the store are explained. `version` grows with
 * every write of what a decision is made on: what was decided still holds exactly when it is the same. `needs` are the
 * tags in ascending order, and `printed` grows with every write of output. There is no index on `last_update_id`: with it
 * every report would write every index.
 */
export const queueItems = pgTable(
  "queue_items",
  {
    id: long().primaryKey().generatedByDefaultAsIdentity({ name: "queue_items_ids" }),
    song_id: long().notNull(),
    title: text().notNull(),
    status: text({ enum: STATUSES }).notNull(),
    priority: long().notNull(),
    current_step: text().notNull(),
    progress: integer().notNull(),
    message: text().notNull(),
    error_message: text().notNull(),
    retry_count: long().notNull(),
    video_file_path: text().notNull(),
    video_file_size: long().notNull(),
    thumbnail_path: text().notNull(),
    flag: text({ enum: FLAGS }),
    queued_at: time().notNull(),
    requeued_at: time(),
    started_at: time(),
    completed_at: time(),
    updated_at: time().notNull(),
    attempt: long().notNull(),
    max_attempts: long().notNull(),
    outcome: text({ enum: OUTCOMES }),
    worker: text().notNull(),
    available_at: time(),
    turn: doublePrecision(),
    cancel_requested_at: time(),
    eta_seconds: doublePrecision(),
    eta_low_seconds: doublePrecision(),
    eta_high_seconds: doublePrecision(),
    eta_runs: long().notNull().default(0),
    time_progress: doublePrecision(),
    stalled: boolean().notNull(),
    stalled_since: time(),
    basis: text({ enum: BASES }),
    steps: jsonText<Steps>(),
    step: jsonText<Step>(),
    unit: jsonText<Unit>(),
    media: jsonText<Media>(),
    kind: text().notNull().default(""),
    totals: jsonText<Totals>()
      .notNull()
      .default(sql`'{}'`),
    tags: jsonText<string[]>().notNull(),
    metadata: jsonText<Record<string, unknown>>().notNull(),
    lease_token: text(),
    lease_holder: long(),
    verdict: text({ enum: VERDICTS }),
    lease_ms: long().notNull().default(0),
    lease_expires_at: long(),
    rescues: long().notNull().default(0),
    done: doublePrecision("share").notNull().default(0),
    rate: doublePrecision().notNull().default(0),
    attempt_at: long().notNull().default(0),
    moved_at: long().notNull().default(0),
    is_set_back: boolean().notNull().default(false),
    has_inner: boolean().notNull().default(false),
    steps_begun: long().notNull().default(0),
    course: jsonText(courseText),
    last_update_id: long().notNull(),
    version: long().notNull().default(0),
    printed: long().notNull().default(0),
    pruned_id: long().notNull().default(0),
    thinned_id: long().notNull().default(0),
    deleted_at: time(),
    available_ms: long(),
    needs: text()
      .array()
      .notNull()
      .default(sql`'{}'`),
    section: integer().generatedAlwaysAs(sql.raw(COLUMNS.section)),
    rank: long().generatedAlwaysAs(sql.raw(COLUMNS.rank)),
    place: doublePrecision().generatedAlwaysAs(sql.raw(COLUMNS.place)),
    thin_at: long().generatedAlwaysAs(sql.raw(COLUMNS.thin_at)),
  },
  (table) => [
    index("queue_items_thin").on(table.thin_at),
    index("queue_items_deleted").on(table.deleted_at),
    index("queue_items_order").on(table.section, table.rank, table.place, table.id),
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
    index("queue_items_finished")
      .on(table.completed_at, table.outcome, table.started_at)
      .where(sql`outcome IS NOT NULL AND deleted_at IS NULL`),
    check("queue_items_status", sql`${table.status} IN (${list(STATUSES)})`),
    check("queue_items_outcome", sql`${table.outcome} IN (${list(OUTCOMES)})`),
    check("queue_items_flag", sql`${table.flag} IN (${list(FLAGS)})`),
    check("queue_items_progress", sql`${table.progress} BETWEEN 0 AND 100`),
  ],
)

/** The history. Event IDs are given by the append, in the order of commits. */
export const updates = pgTable(
  "updates",
  {
    id: long().primaryKey(),
    queue_id: long()
      .notNull()
      .references(() => queueItems.id),
    song_id: long().notNull(),
    status: text({ enum: STATUSES }).notNull(),
    data: text().notNull(),
  },
  (table) => [index("updates_item").on(table.queue_id, table.id)],
)

/** Answers of `POST /queue` and of claims, kept for their repetition. */
export const idempotencyKeys = pgTable(
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
 * One row, as in SQLite's schema. Event IDs up to `floor` were given once, whether their updates are kept or not. `timeline`
 * is the server's timeline on which event IDs continue: a standby that takes over begins another one; 0 if that was never
 * known. `lost` has the event IDs of lost updates: of each range the last ID before it, and its last one.
 */
export const history = pgTable("history", {
  id: text().primaryKey(),
  alive_at: long(),
  floor: long().notNull().default(0),
  timeline: long()
    .notNull()
    .default(sql`database_timeline()`),
  lost: long()
    .array()
    .notNull()
    .default(sql`'{}'`),
  pruned_id: long().notNull().default(0),
  pruned: long().notNull().default(0),
  retain_from: long(),
  restored_id: long(),
  resumed_id: long().notNull().default(0),
  has_learned: boolean().notNull().default(false),
  paused_at: time(),
  minutes: long().notNull().default(0),
})

/**
 * How many hours servers have run on this database, and the newest event ID at the end of each: the age of an update, whatever
 * the machine's clock said.
 */
export const hours = pgTable("hours", {
  hour: long().primaryKey(),
  newest_id: long().notNull(),
})

/** How many items there are of each standing: the outcome of a finished one, otherwise the status. Kept by triggers. */
export const queueCounts = pgTable("queue_counts", {
  standing: text().primaryKey(),
  items: long().notNull(),
})

/** The attempts that completed, the newest of each kind and look. */
export const runs = pgTable(
  "runs",
  {
    id: long().primaryKey().generatedByDefaultAsIdentity({ name: "runs_ids" }),
    kind: text().notNull(),
    look: text().notNull(),
    worker: text().notNull(),
    queue_id: long().notNull(),
    seconds: doublePrecision().notNull(),
    steps: jsonText<readonly StepTrace[]>().notNull(),
    ended_at: time().notNull(),
  },
  (table) => [index("runs_alike").on(table.kind, table.look, table.id)],
)

/** What the commands of attempts printed, in pieces; positions count the bytes that were printed. */
export const outputs = pgTable(
  "outputs",
  {
    queue_id: long()
      .notNull()
      .references(() => queueItems.id),
    attempt: long().notNull(),
    to: long("until").notNull(),
    from: long("at").notNull(),
    text: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.queue_id, table.attempt, table.to] })],
)

/** The webhooks that follow the history, and the last event ID that was examined for each. */
export const webhooks = pgTable("webhooks", {
  url: text().primaryKey(),
  cursor: long().notNull(),
})

/**
 * What is sent to webhooks. `next_attempt_at` is null once a delivery is over; until `taken_until` an instance is sending
 * it.
 */
export const deliveries = pgTable(
  "deliveries",
  {
    id: long().primaryKey().generatedByDefaultAsIdentity({ name: "deliveries_ids" }),
    url: text().notNull(),
    notice: text({ enum: NOTICES }).notNull(),
    update_id: long().notNull(),
    queue_id: long().notNull(),
    data: text().notNull(),
    status: text({ enum: DELIVERY_STATUSES }).notNull().default("pending"),
    attempts: integer().notNull().default(0),
    next_attempt_at: time(),
    taken_until: time(),
    answer: integer(),
    error: text().notNull().default(""),
    created_at: time().notNull(),
    finished_at: time(),
  },
  (table) => [
    index("deliveries_due").on(table.url, table.next_attempt_at),
    index("deliveries_finished").on(table.finished_at),
    index("deliveries_status").on(table.status, table.id),
    uniqueIndex("deliveries_once").on(table.update_id, table.url, table.notice),
  ],
)

/**
 * The access tokens, as hashes: the tokens themselves are stored nowhere. Rows stay when a token is revoked.
 */
export const tokens = pgTable(
  "tokens",
  {
    id: long().primaryKey().generatedByDefaultAsIdentity({ name: "tokens_ids" }),
    hash: text().notNull(),
    label: text().notNull(),
    role: text({ enum: ROLES }).notNull(),
    item: long(),
    history: text().notNull(),
    created_at: time().notNull(),
    expires_at: time(),
    revoked_at: time(),
    last_used_at: time(),
  },
  (table) => [uniqueIndex("tokens_hash").on(table.hash)],
)

/** The tickets; each stands in for a token at one path. */
export const tickets = pgTable(
  "tickets",
  {
    hash: text().primaryKey(),
    token_id: long()
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

/** The trigger that refuses an illegal move by any program, generated from the table of moves. */
export function movesTrigger(): string {
  return `CREATE FUNCTION queue_items_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'illegal move' USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER queue_items_moves BEFORE UPDATE OF status ON queue_items FOR EACH ROW
WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (${legalMoves}))
EXECUTE FUNCTION queue_items_moves();
`
}

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
  instances,
  followers,
  groups,
  timers,
  songs,
  outages,
] as const
