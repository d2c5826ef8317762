import { openDatabase } from "../../../src/store/sqlite/open.ts"

/** Opens a database as a server does, and closes it. */
export function openAndClose(database: string): void {
  const { client, lock } = openDatabase(database)
  client.close()
  lock.close()
}
