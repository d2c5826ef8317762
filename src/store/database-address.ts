/** Whether a database is named by the URL of a PostgreSQL server; otherwise it is a SQLite file. */
export const isPostgres = (database: string): boolean => /^postgres(ql)?:\/\//.test(database)

/** The URL of a server as it may be shown: without its password, and without everything after the path. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return `${url.split("://", 1)[0]}://...`
  const { protocol, username, host, pathname } = new URL(url)
  return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}`
}

/** A database as it may be shown: a file by its path, and a server by `shownUrl`. */
export const shownDatabase = (database: string): string =>
  isPostgres(database) ? shownUrl(database) : database
