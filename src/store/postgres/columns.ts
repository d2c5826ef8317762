import { getTableColumns, is } from "drizzle-orm"
import { type PgColumn, PgCustomColumn } from "drizzle-orm/pg-core"

import { queueItems } from "./schema.ts"

const {
  last_update_id,
  version,
  printed: _printed,
  pruned_id: _pruned,
  thinned_id: _thinned,
  deleted_at,
  available_ms: _available,
  needs: _needs,
  section,
  rank,
  place,
  thin_at: _thinAt,
  lease_token,
  lease_holder,
  verdict,
  lease_ms,
  lease_expires_at,
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
  ...items
} = getTableColumns(queueItems)

/** The columns of a queue item, in the wire's order. */
export const itemColumns = items
/** Everything of a row that the domain knows. */
export const rowColumns = {
  ...itemColumns,
  lease_token,
  lease_holder,
  verdict,
  lease_ms,
  lease_expires_at,
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
}
export { deleted_at, last_update_id, place, rank, section, version }

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
