/** The reasons for which the server can be degraded, each with a sentence for people. */
export const DEGRADED = {
  database_unwritable: "the database cannot be written; requests that change something are answered 503",
  file_replaced: "the database file was replaced, moved or deleted while the server ran",
  wal_pinned: "another program holds an old state of the database open, so its write-ahead log grows",
  database_full:
    "the database has reached --max-database-mb; items and reports are refused, results are stored",
  database_filling:
    "the database has nearly reached --max-database-mb; the oldest finished history goes first",
  proxy_untrusted:
    "requests come through a proxy that no --trusted-proxy names, so all of its clients count as one",
  backup_failed: "the latest backup could not be made; the log says why",
  descriptors_exhausted:
    "the process may open no more files, so new connections wait; raise its limit (LimitNOFILE, ulimit -n)",
  history_unreadable: "a part of the history cannot be read; streams say so by a gap",
} as const

/** The name of such a reason, as `/health` answers it. */
export type Reason = keyof typeof DEGRADED

/** What is wrong with the server now: its parts note it here, and `/health` answers it. */
export class Reasons {
  readonly #current = new Set<Reason>()

  /** Notes that a reason holds from now on, or no longer does. Noting the same again changes nothing. */
  set(reason: Reason, holds: boolean): void {
    if (holds) this.#current.add(reason)
    else this.#current.delete(reason)
  }

  /** The reasons that hold now, the oldest first; empty while all is well. */
  get current(): Reason[] {
    return [...this.#current]
  }
}
