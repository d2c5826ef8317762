import type { Database } from "bun:sqlite"

/** The highest number that a table has given to a row; 0 if none. */
export const lastNumber = (client: Database, table: string): number =>
  client.query<{ seq: number }, [string]>("SELECT seq FROM sqlite_sequence WHERE name = ?").get(table)?.seq ??
  0

/** From now on a table gives numbers above this one. */
export function setLastNumber(client: Database, table: string, last: number): void {
  client.query("DELETE FROM sqlite_sequence WHERE name = ?").run(table)
  client.query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)").run(table, last)
}
