/** Whether a database is named by the URL of a PostgreSQL server; otherwise it is a SQLite file. */
export const isPostgres = (database: string): boolean => /^postgres(ql)?:\/\//.test(database)

/** A database as it may be shown: a URL without its password, and without what follows the database's name. */
export function shownDatabase(database: string): string {
  if (!isPostgres(database)) return database
  if (!URL.canParse(database)) return "postgres://..."
  const { protocol, username, host, pathname } = new URL(database)
  return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}`
}
