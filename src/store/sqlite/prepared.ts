import { type SQL, sql } from "drizzle-orm"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

/** A placeholder of this name, whose value is encoded as the column wants it. */
const slot = (key: string, column: SQLiteColumn): SQL => sql`${sql.param(sql.placeholder(key), column)}`

/** A placeholder for each column, named by its key. */
export const slots = <T extends Record<string, SQLiteColumn>>(columns: T): { [K in keyof T]: SQL } =>
  // Object.fromEntries forgets the keys it was given.
  Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, slot(key, column)])) as {
    [K in keyof T]: SQL
  }

/**
 * The same values, each made at its first use and then kept. Without preparing, drizzle builds a statement's
 * text each time, 17 times slower; preparing all of them at once would be a third of the server's start.
 */
export function lazily<T extends Record<string, () => unknown>>(
  makers: T,
): { readonly [K in keyof T]: ReturnType<T[K]> } {
  const made = {}
  for (const [key, make] of Object.entries(makers)) {
    const get = (): unknown => {
      const value = make()
      Object.defineProperty(made, key, { value })
      return value
    }
    Object.defineProperty(made, key, { get, configurable: true })
  }
  // Each key of the makers has been defined, as what its maker returns.
  return made as { [K in keyof T]: ReturnType<T[K]> }
}
