import type { Database } from "bun:sqlite"

import { is, Param, Placeholder, type SQL, sql } from "drizzle-orm"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

/** A placeholder with this name. Its value is encoded for the column. */
export const slot = (key: string, column: SQLiteColumn): SQL =>
  sql`${sql.param(sql.placeholder(key), column)}`

/** A placeholder for each column, named by its key. */
export const slots = <T extends Record<string, SQLiteColumn>>(columns: T): { [K in keyof T]: SQL } =>
  // Object.fromEntries forgets the keys it was given.
  Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, slot(key, column)])) as {
    [K in keyof T]: SQL
  }

/**
 * An object with the values that these functions make. Each value is made when it is first used, and then
 * kept. Without this, drizzle builds the text of a statement each time, which is 17 times slower. To prepare
 * all statements at once would take a third of the server's start.
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
  // Each key of the makers was defined, with the value that its maker returns.
  return made as { [K in keyof T]: ReturnType<T[K]> }
}

/** Whether a name is a key of an object. */
export const isKey = <T extends object>(name: PropertyKey, all: T): name is keyof T => name in all

/** A value as SQLite takes it. */
type Bound = string | number | bigint | boolean | null | Uint8Array

/** Makes one parameter of a statement from the object that has the values. */
type ParameterMaker<From> = (from: From) => unknown

function takerOf<From>(
  param: unknown,
  valueOf: (name: string) => ParameterMaker<From>,
): ParameterMaker<From> {
  if (!is(param, Param) || !is(param.value, Placeholder)) return () => param
  const { encoder } = param
  const take = valueOf(param.value.name)
  return (from) => encoder.mapToDriverValue(take(from))
}

/**
 * A statement with slots that is run very often. At each run, drizzle examines every parameter again, which
 * takes as long as SQLite does. Here this is done only once. `valueOf` finds the value of a slot.
 */
export function often<From>(
  client: Database,
  query: { toSQL(): { sql: string; params: unknown[] } },
  valueOf: (name: string) => ParameterMaker<From>,
) {
  const { sql: text, params } = query.toSQL()
  const takers = params.map((param) => takerOf(param, valueOf))
  const statement = client.prepare<unknown, Bound[]>(text)
  // The encoders of the columns give what SQLite takes.
  return { run: (from: From) => void statement.run(...takers.map((take) => take(from) as Bound)) }
}
