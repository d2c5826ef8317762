import { SQL } from "bun"

import { LIMIT_MS } from "./connections.ts"

/**
 * What the statements of this program rely on: a role or a database may have other settings, for other programs.
 * A pooler refuses what it does not pass on, or swallows it, which is noticed.
 */
const RELIED_ON = {
  // The migrations name this schema.
  search_path: "public",
  // With fewer digits a number that is read is not the one that was stored.
  extra_float_digits: "1",
  default_transaction_isolation: "read committed",
  // A role or a database may have it turned off, and then what was answered could be lost.
  synchronous_commit: "on",
  // Connections that are kept for hours are what is wanted here.
  idle_session_timeout: "0",
  // Compiling takes longer than these statements run.
  jit: "off",
}

/** The longest time that a statement of an instance takes on the server, which ends it before the instance gives up. */
export const STATEMENT_MS = LIMIT_MS - 500

/** The settings of the sessions of an instance. */
const LIMITED = {
  ...RELIED_ON,
  application_name: "track-studio",
  statement_timeout: `${STATEMENT_MS}`,
  lock_timeout: `${LIMIT_MS - 1000}`,
  idle_in_transaction_session_timeout: `${LIMIT_MS}`,
  client_connection_check_interval: "1000",
}

/** How many seconds a connection may take to open. */
const CONNECT_S = 2

/** A pool of connections of an instance, which are kept. */
export const pool = (url: string, max: number): SQL =>
  new SQL({ url, max, connectionTimeout: CONNECT_S, idleTimeout: 0, connection: LIMITED })

/** One connection for work that takes as long as it takes; `name` is what the server lists it as. */
export const unlimited = (url: string, name: string): SQL =>
  new SQL({
    url,
    max: 1,
    connectionTimeout: CONNECT_S,
    connection: {
      ...RELIED_ON,
      application_name: name,
      statement_timeout: "0",
      lock_timeout: "0",
      idle_in_transaction_session_timeout: "0",
    },
  })
