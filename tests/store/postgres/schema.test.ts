import { expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { SQL } from "bun"
import { generateDrizzleJson, generateSQLiteDrizzleJson } from "drizzle-kit/api"
import { getTableConfig as ofPostgres, type PgTable } from "drizzle-orm/pg-core"
import { getTableConfig as ofSqlite, type SQLiteTable } from "drizzle-orm/sqlite-core"

import * as fleet from "../../../src/store/postgres/fleet-schema.ts"
import * as postgres from "../../../src/store/postgres/schema.ts"
import * as sqlite from "../../../src/store/sqlite/schema.ts"
import { added, put } from "../../contracts/store.contract.ts"
import { openStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const MIGRATIONS = join(import.meta.dir, "../../../src/store/postgres/postgres-migrations")
const SQLITE_MIGRATIONS = join(import.meta.dir, "../../../src/store/sqlite/migrations")

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/**
 * Columns that only one of them has: versions, the fence, the timeline, who sends what; and the mark by which a file is
 * recognised.
 */
const ONLY = {
  tables: ["instances", "groups", "timers", "followers", "songs", "outages"],
  postgres: [
    "queue_items.version",
    "queue_items.printed",
    "history.floor",
    "history.timeline",
    "history.lost",
    "deliveries.taken_until",
  ],
  sqlite: ["history.mark"],
}
/** Types that are the same in the program, but that each database stores in its own way. */
const FAMILY: Readonly<Record<string, string>> = {
  integer: "number",
  bigint: "number",
  boolean: "number",
  real: "fraction",
  "double precision": "fraction",
  "text[]": "blob",
}

interface Column {
  readonly name: string
  readonly notNull: boolean
  readonly primary: boolean
  readonly enumValues: readonly string[] | undefined
  readonly generated: unknown
  getSQLType(): string
}

const shapeOf = (table: string, columns: readonly Column[], without: readonly string[]) =>
  columns
    .filter(({ name }) => !without.includes(`${table}.${name}`))
    .map((column) => ({
      name: column.name,
      kind: FAMILY[column.getSQLType()] ?? column.getSQLType(),
      isRequired: column.notNull || column.primary,
      values: column.enumValues,
      isGenerated: column.generated !== undefined,
    }))
    .sort((a, b) => a.name.localeCompare(b.name))

/** The columns of every table of both databases, as far as they must be alike. */
function shapes(changed: readonly PgTable[] = postgres.TABLES) {
  const here = changed
    .map((table) => ofPostgres(table))
    .filter(({ name }) => !ONLY.tables.includes(name))
    .map(({ name, columns }) => [name, shapeOf(name, columns, ONLY.postgres)] as const)
  const tables: readonly SQLiteTable[] = sqlite.TABLES
  const there = tables
    .map((table) => ofSqlite(table))
    .map(({ name, columns }) => [name, shapeOf(name, columns, ONLY.sqlite)] as const)
  return { here: Object.fromEntries(here), there: Object.fromEntries(there) }
}

test("both databases have the same tables, with the same columns of the same kinds", () => {
  const { here, there } = shapes()
  expect(Object.keys(here).length).toBeGreaterThan(9)
  expect(here).toEqual(there)
  // The control: a missing table is found.
  const fewer = shapes(postgres.TABLES.slice(1))
  expect(fewer.here).not.toEqual(fewer.there)
})

/** What a schema and the record beside the newest migration have in common. */
const parts = ({ tables, sequences, enums }: Readonly<Record<string, unknown>>) => ({
  tables,
  sequences,
  enums,
})

const recorded = (migrations: string) => {
  const newest = readdirSync(join(migrations, "meta"))
    .filter((name) => name.endsWith("_snapshot.json"))
    .toSorted()
    .at(-1)
  return parts(JSON.parse(readFileSync(join(migrations, "meta", newest ?? ""), "utf8")))
}

test("the migrations have made all that the schemas say: each column with its default, each index, each rule", async () => {
  const there = parts({ ...(await generateSQLiteDrizzleJson({ ...sqlite })) })
  expect(Object.keys(there.tables ?? {}).length).toBe(sqlite.TABLES.length)
  expect(there).toEqual(recorded(SQLITE_MIGRATIONS))
  const here = parts({ ...generateDrizzleJson({ ...postgres, ...fleet }) })
  expect(Object.keys(here.tables ?? {}).length).toBe(postgres.TABLES.length)
  expect(here).toEqual(recorded(MIGRATIONS))
})

/** What a migration may do while servers of the version before still run: they know none of what it adds. */
const ADDS = [
  /^CREATE (TABLE|INDEX|SEQUENCE|FUNCTION) /,
  /^INSERT INTO /,
  /^ALTER TABLE "\w+" ADD COLUMN "\w+" (?!.*(UNIQUE|REFERENCES|GENERATED))(.* )?DEFAULT .*NOT NULL$/,
  /^ALTER TABLE "\w+" ADD COLUMN "\w+" [\w[\]]+$/,
]

const notOnlyAdding = (migration: string): string[] =>
  migration
    .split("--> statement-breakpoint")
    .map((statement) =>
      statement
        .replace(/^--.*$/gm, "")
        .trim()
        .replace(/;$/, ""),
    )
    .filter((statement) => !ADDS.some((adds) => adds.test(statement)))

test("after the first two migrations each one only adds, so that servers of the version before go on", () => {
  const later = readdirSync(MIGRATIONS).filter((name) => /^\d+_.*\.sql$/.test(name) && name > "0002")
  expect(later.length).toBeGreaterThan(6)
  for (const name of later) {
    const migration = readFileSync(join(MIGRATIONS, name), "utf8")
    expect([name, ...notOnlyAdding(migration)]).toEqual([name])
  }
  // The control: what would stop a server of the version before, or what it writes.
  const wrong = [
    'ALTER TABLE "runs" ADD COLUMN "must_be_given" text NOT NULL',
    'ALTER TABLE "runs" ADD COLUMN "once" text UNIQUE',
    'ALTER TABLE "runs" ALTER COLUMN "worker" SET NOT NULL',
    'ALTER TABLE "runs" RENAME COLUMN "worker" TO "box"',
    'CREATE UNIQUE INDEX "one_run" ON "runs" ("queue_id")',
    "CREATE OR REPLACE FUNCTION take_turn() RETURNS int8 LANGUAGE sql AS 'SELECT 1::int8'",
    'DROP TABLE "songs"',
  ]
  expect(wrong.flatMap(notOnlyAdding)).toEqual(wrong)
})

test("the database itself refuses the moves that the table of moves does not allow", () => {
  expect(readFileSync(join(MIGRATIONS, "0001_moves.sql"), "utf8")).toStartWith(postgres.movesTrigger())
})

withPostgres("reports touch no index: they are written where the row is", async () => {
  await using opened = await openStore()
  const { store, url } = opened
  await using client = new SQL({ url, max: 1 })
  const share = async (from: number): Promise<number> => {
    const id = await added(store)
    await put(store, id, { status: "processing" })
    await client.unsafe("SELECT pg_stat_reset()")
    for (let i = 0; i < 60; i += 1) await put(store, id, { message: `report ${from + i}`, progress: i })
    for (;;) {
      const [row]: { all: string; hot: string }[] = await client.unsafe(
        "SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'queue_items'",
      )
      if (Number(row?.all) >= 60) return Number(row?.hot) / Number(row?.all)
      await put(store, id, { message: "so that it is counted" })
    }
  }
  expect(await share(0)).toBeGreaterThan(0.8)
  // The control: an index on a column that every report changes.
  await client.unsafe("CREATE INDEX by_last_update ON queue_items (last_update_id)")
  expect(await share(100)).toBeLessThan(0.2)
  await client.unsafe("DROP INDEX by_last_update")
})
