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
export const sentRow = (columns: Readonly<Record<string, PgColumn>>, values: object): SentRow =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const column = columns[key]
      if (!column) return []
      // Only our own types are stored otherwise than they are given.
      const isPlain = value === null || !is(column, PgCustomColumn)
      return [[column.name, isPlain ? value : column.mapToDriverValue(value)] as const]
    }),
  )

/** A longer tag is compared by its digest: the index of what waiting items need cannot hold 32 longer ones. */
const TAG_BYTES = 64

const tagKey = (tag: string): string =>
  Buffer.byteLength(tag) <= TAG_BYTES ? tag : new Bun.CryptoHasher("sha256").update(tag).digest("hex")

/** The tags that an item needs, each once, in an order that is always the same; long ones by their digests. */
export const needsOf = (tags: readonly string[]): string[] => [...new Set(tags.map(tagKey))].sort()

/** The tags that a worker offers. Items of earlier versions have long tags as they are. */
export const offeredKeysOf = (tags: readonly string[]): string[] =>
  [...new Set([...tags, ...tags.map(tagKey)])].sort()
