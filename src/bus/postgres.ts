import { SQL } from "bun"

import type { Bell } from "./bell-or-polling.ts"

/** The shortest time between two rings by NOTIFY, which costs the server 60 µs for each instance. */
export const POSTGRES_MERGE_MS = 10

const CONNECT_S = 2

/**
 * A bell of PostgreSQL: one connection listens, another speaks. It speaks in its own transaction: within the
 * transaction that writes, NOTIFY holds a lock of the whole database until the write is on the disk.
 */
export function postgresBell(url: string, channel: string): Bell {
  let onClose = (_error: unknown): void => undefined
  // One for the speaker; `listen` takes its own connection.
  const sql = new SQL({
    url,
    max: 1,
    connectionTimeout: CONNECT_S,
    idleTimeout: 0,
    // A listener is idle for hours, and a server may be configured to end idle sessions, or what takes long: how long an
    // echo may take is for the bus to say.
    connection: {
      application_name: "track-studio",
      idle_session_timeout: "0",
      statement_timeout: "0",
      lock_timeout: "0",
    },
    onclose: (error) => onClose(error),
  })
  return {
    async open(heard, lost) {
      onClose = lost
      await sql.listen(channel, heard)
    },
    say: (words) => sql`SELECT pg_notify(${channel}, ${words})`,
    close: () => void sql.close({ timeout: 0 }).catch(() => undefined),
  }
}
