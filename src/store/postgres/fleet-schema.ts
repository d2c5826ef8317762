import { sql } from "drizzle-orm"
import { bigint, index, integer, pgSequence, pgTable, primaryKey, text } from "drizzle-orm/pg-core"

import type { WorkerReport } from "../contract/instances.ts"
import { jsonText, long, time } from "./column-types.ts"

/** The sequence from which instances take their epochs. */
export const epochs = pgSequence("instance_epochs")

/**
 * The programs that write this database, and the fence of each: a write that carries another epoch than its row
 * is refused. Epochs come from one sequence, so none comes twice. The columns that a server writes about
 * itself are null for other programs.
 */
export const instances = pgTable("instances", {
  id: text().primaryKey(),
  epoch: long()
    .notNull()
    .default(sql`nextval('instance_epochs')`),
  seen_at: time().notNull(),
  name: text(),
  version: text(),
  address: text(),
  since: time(),
  streams: integer().notNull().default(0),
  crew: jsonText<readonly WorkerReport[]>()
    .notNull()
    .default(sql`'[]'`),
})

/**
 * The groups of writes that were committed lately, with the items that each stored: for a program that lost the
 * answer.
 */
export const groups = pgTable(
  "groups",
  {
    instance: text()
      .notNull()
      .references(() => instances.id, { onDelete: "cascade" }),
    no: long().notNull(),
    kept: bigint({ mode: "number" }).array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.instance, table.no] })],
)

/**
 * How often an item of a song was claimed, if a song has one worker at a time: of two claims at once only one
 * can count.
 */
export const songs = pgTable("songs", {
  song_id: long().primaryKey(),
  version: long().notNull(),
})

/** Work that is done by one instance at a time: the instance that finds it due and moves `due_at` on does it. */
export const timers = pgTable("timers", {
  name: text().primaryKey(),
  due_at: long().notNull(),
})

/** The latest outages that were counted, for instances that started later. Times are milliseconds of the database. */
export const outages = pgTable("outages", {
  since_ms: long().notNull(),
  ended_ms: long().primaryKey(),
})

/** Which instances follow which webhooks. */
export const followers = pgTable(
  "followers",
  {
    url: text().notNull(),
    instance: text()
      .notNull()
      .references(() => instances.id, { onDelete: "cascade" }),
  },
  (table) => [
    primaryKey({ columns: [table.url, table.instance] }),
    index("followers_instance").on(table.instance),
  ],
)
