import { SQL } from "bun"

import { LIMIT_MS, STATEMENT_MS } from "./connections.ts"

/**
 * Settings on which the statements of this program rely. A role or a database may have other settings, for
 * other programs. A pooler refuses settings that it does not pass on, or drops them, which is noticed.
 */
const RELIED_ON = {
  // The migrations name this schema.
  search_path: "public",
  // With fewer digits, a number that is read would differ from the one that was stored.
  extra_float_digits: "1",
  // Otherwise a list with nulls has the text NULL in their place.
  array_nulls: "on",
  default_transaction_isolation: "read committed",
  // A role or a database may have it turned off, and then acknowledged writes could be lost.
  synchronous_commit: "on",
  // Connections must stay open for hours.
  idle_session_timeout: "0",
  // Compiling a statement would take longer than running it.
  jit: "off",
}

/**
 * After this time the server ends a transaction of several statements whose instance stands still: other instances wait
 * for the items that it has locked.
 */
const IN_TRANSACTION_MS = 2000

/** The settings of the sessions of an instance. */
const LIMITED = {
  ...RELIED_ON,
  application_name: "track-studio",
  statement_timeout: `${STATEMENT_MS}`,
  lock_timeout: `${LIMIT_MS - 1000}`,
  idle_in_transaction_session_timeout: `${IN_TRANSACTION_MS}`,
  client_connection_check_interval: "1000",
}

/** How many seconds a connection may take to open. */
const CONNECT_S = 2

/**
 * A pool of connections of an instance, which are kept. The client opens all of them at the first statement; one more
 * replaces one that was lost, and then `onReopened` is called.
 */
export function pool(url: string, max: number, onReopened: () => void): SQL {
  let opened = 0
  const onconnect = (): void => {
    opened += 1
    if (opened > max) onReopened()
  }
  return new SQL({ url, max, onconnect, connectionTimeout: CONNECT_S, idleTimeout: 0, connection: LIMITED })
}

/** One connection for work without a time limit. `name` is its name in the server's list. */
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
