import { Database } from "bun:sqlite"
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** The folder of the migrations that this binary knows. */
export const migrationsFolder = join(import.meta.dir, "migrations")

/** The names of the migrations, in their order. */
function migrationNames(): string[] {
  const journal: { entries: { tag: string }[] } = JSON.parse(
    readFileSync(join(migrationsFolder, "meta/_journal.json"), "utf8"),
  )
  return journal.entries.map(({ tag }) => tag)
}

/** How many migrations this binary knows. */
export const knownMigrations = (): number => migrationNames().length

/** A database in memory without items, as the first `count` migrations make it. */
function databaseLike(count: number): Database {
  const client = new Database(":memory:")
  for (const name of migrationNames().slice(0, count))
    client.run(readFileSync(join(migrationsFolder, `${name}.sql`), "utf8"))
  return client
}

/** SQL with names as they are: SQLite writes other quotes around the name of a table that was renamed, and back. */
const withoutQuotes = (sql: string): string => sql.replace(/(["`])(\w+)\1/g, "$2")

/** The columns, indexes and triggers of a database, by name, with the SQL that makes an index or a trigger. */
const partsOf = (client: Database): Map<string, string> =>
  new Map(
    client
      .query<{ name: string; sql: string }, []>(
        `SELECT m.name || '.' || x.name AS name, '' AS sql FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x
          WHERE m.type = 'table'
        UNION ALL SELECT type || ' ' || name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL`,
      )
      .all()
      .map(({ name, sql }) => [name, withoutQuotes(sql)]),
  )

/**
 * The first part that a new database of the same version has, and this one does not; undefined if it has all. It may
 * have more: Litestream adds tables.
 */
export function faultOfSchema(client: Database, applied: number): string | undefined {
  using like = databaseLike(applied)
  const found = partsOf(client)
  const [name] = [...partsOf(like)].find(([name, sql]) => found.get(name) !== sql) ?? []
  if (name === undefined) return undefined
  return found.has(name) ? `its ${name} is not that of this version` : `it has no ${name}`
}
