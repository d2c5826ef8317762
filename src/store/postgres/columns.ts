import { getTableColumns, is } from "drizzle-orm"
import { type PgColumn, PgCustomColumn } from "drizzle-orm/pg-core"

import { itemOf, workOf } from "../row-parts.ts"
import { queueItems } from "./schema.ts"

const columns = getTableColumns(queueItems)

/** The columns of a queue item, in the wire's order. */
export const itemColumns = itemOf(columns)
/** Everything of a row that the domain knows. */
export const rowColumns = { ...itemColumns, ...workOf(columns) }
export const { deleted_at, last_update_id, place, rank, section, version } = columns

/** A row as it is sent in JSON: the names and values of the database. */
export type SentRow = Readonly<Record<string, unknown>>

/** Values by the keys of their columns, as the database wants them in JSON. Keys without a column are left out. */
export const sent = (columns: Readonly<Record<string, PgColumn>>, values: object): SentRow =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const column = columns[key]
      if (!column) return []
      // Only our own types are stored otherwise than they are given.
      const isPlain = value === null || !is(column, PgCustomColumn)
      return [[column.name, isPlain ? value : column.mapToDriverValue(value)] as const]
    }),
  )

/** The tags that an item needs, each once, in an order that is always the same. */
export const needsOf = (tags: readonly string[]): string[] => [...new Set(tags)].sort()
