import { Column, type GetColumnData } from "drizzle-orm"
import type { SQLiteColumn } from "drizzle-orm/sqlite-core"

/** Rows of these columns, as the program knows them. */
type Rows<Columns extends Readonly<Record<string, SQLiteColumn>>> = {
  [Key in keyof Columns]: GetColumnData<Columns[Key]>
}[]

/** How a value of a column is decoded; undefined if it stays as SQLite gives it. */
function decoderOf(column: SQLiteColumn): ((value: unknown) => unknown) | undefined {
  if (column.mapFromDriverValue === Column.prototype.mapFromDriverValue) return undefined
  return (value) => (value === null ? null : column.mapFromDriverValue(value))
}

/**
 * Returns what makes rows of the values that a query gives. drizzle does the same, but finds out for each value of each
 * row how to decode it: with a thousand rows this takes twice as long as everything else, and no other work goes on
 * meanwhile. The query must select exactly these columns, in this order.
 */
export function rowsOf<Columns extends Readonly<Record<string, SQLiteColumn>>>(columns: Columns) {
  const decoded = Object.entries(columns).map(([key, column]) => ({ key, decode: decoderOf(column) }))
  return (found: readonly (readonly unknown[])[]): Rows<Columns> => {
    const rows = found.map((values) => {
      const row: Record<string, unknown> = {}
      let at = 0
      for (const { key, decode } of decoded) {
        const value = values[at]
        row[key] = decode ? decode(value) : value
        at += 1
      }
      return row
    })
    // Each row has each column, decoded as the column says.
    return rows as Rows<Columns>
  }
}
