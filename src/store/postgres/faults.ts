import { SQL } from "bun"
import { DrizzleQueryError } from "drizzle-orm"

import { codeOf } from "../../errors.ts"

/** The codes of Bun's client for a connection that was lost, or that could not be made. */
const WAY =
  /^ERR_POSTGRES_(CONNECTION|LIFETIME|IDLE|EXPECTED|UNEXPECTED|INVALID)|^ERR_SOCKET|^ECONN|^FailedToOpen/
/** The codes for a server that makes no encrypted connection, or whose certificate is not accepted. */
const TLS = /CERT|VERIFY|ALTNAME|TLS|SSL/
/** The SQLSTATE of a server that accepts no writes: a standby, to which a name may lead after a failover. */
export const READ_ONLY = "25006"
/**
 * SQLSTATEs of a server that is starting or ending, has become a standby, or has no room for one more
 * connection.
 */
const AWAY = ["57P01", "57P02", "57P03", "08000", "08003", "08006", READ_ONLY, "53300", "25P03"]
/**
 * SQLSTATEs of a server that gives this program no access any more, because a password, a right or a database
 * has changed.
 */
const SHUT = ["28000", "28P01", "3D000"]
/** The SQLSTATE with which a pooler refuses a setting of a session, or parameters that belong to another statement. */
export const UNKNOWN_PARAMETER = "08P01"
/**
 * SQLSTATEs of a connection that leads through a pooler. The others mean that another client has prepared a
 * statement of this name, or that it was prepared on another connection.
 */
const POOLED = [UNKNOWN_PARAMETER, "42P05", "26000"]
/** The code of such a connection. */
const POOLER = "connection pooler"
/** The SQLSTATE of a session that has no transaction: the connection on which it began is lost. */
const NO_TRANSACTION = "25P01"
/**
 * The word by which the server marks an error that ends the session, whatever its SQLSTATE. Some languages
 * use other words.
 */
const ENDING = ["FATAL", "PANIC"]
/**
 * The beginnings of SQLSTATEs of a server that cannot do the work now: no room on its disk or in its memory,
 * no right to a table, or no such table. A server that has no connection left (53300) will have one later.
 */
const UNABLE = /^53(?!300)|^42(501|P01)/
/** SQLSTATEs of a statement that the server has undone: a deadlock, a lock or a statement that took too long. */
const UNDONE = ["40001", "40P01", "55P03", "57014"]
/**
 * The beginnings of SQLSTATEs of what one write is to blame for: a value that a column or an index cannot hold, and a
 * row that a constraint or a trigger refused.
 */
const OF_ONE_WRITE = /^2[23]|^54/

/** The message of `LateError`. */
const LATE = "no answer in time"

/** No answer came before the deadline. The request may have been carried out, or may be carried out later. */
export class LateError extends Error {}

/**
 * A fault of the database without anything that must not be in a log or an answer: drizzle's errors contain
 * the statement with its parameters, and PostgreSQL's own messages contain values.
 */
export class StatementError extends Error {
  /** The SQLSTATE; empty if the server gave none. */
  readonly state: string
  /** The SQLSTATE, or words for one that says little; without one, the code of Bun's client. */
  readonly code: string

  /** Whether the error has ended the session. */
  readonly isEnding: boolean

  /** Takes the parts that may be shown from an error of the client, of drizzle, or of this program. */
  constructor(error: unknown) {
    const { state, constraint, code, isEnding } = partsOf(error)
    const pooler = POOLED.includes(state) ? POOLER : ""
    const why = [state && `SQLSTATE ${state}`, constraint && `constraint ${constraint}`, code, pooler]
    super(`PostgreSQL did not do what was asked (${why.filter((part) => part !== "").join(", ")})`)
    this.state = state
    this.code = pooler || state || code
    this.isEnding = isEnding
  }
}

/** What an error says about the database. */
interface FaultParts {
  readonly state: string
  readonly constraint: string
  readonly code: string
  readonly isEnding: boolean
}

/** The server's error inside an error, however it is wrapped. */
function partsOf(error: unknown): FaultParts {
  if (error instanceof StatementError) {
    const { state, isEnding } = error
    return { state, constraint: "", code: state === "" ? error.code : "", isEnding }
  }
  if (error instanceof SQL.PostgresError) {
    const { errno, constraint = "", code, severity = "" } = error
    const state = String(errno ?? "")
    return { state, constraint, code: state === "" ? code : "", isEnding: ENDING.includes(severity) }
  }
  if (error instanceof Error && error.cause !== undefined) return partsOf(error.cause)
  return { state: "", constraint: "", code: codeOrLate(error), isEnding: false }
}

const codeOrLate = (error: unknown): string => (error instanceof LateError ? LATE : codeOf(error))

/**
 * Whether an error comes from Bun's client, or is our own error about it. Errors of its TLS have no class of
 * their own.
 */
export const isOfDatabase = (error: unknown): boolean =>
  error instanceof SQL.SQLError ||
  error instanceof LateError ||
  error instanceof StatementError ||
  TLS.test(codeOrLate(error)) ||
  (error instanceof Error && error.cause !== undefined && isOfDatabase(error.cause))

/** The error that drizzle has wrapped. drizzle's own error contains the statement with its parameters. */
export const withoutStatement = (error: unknown): unknown =>
  error instanceof DrizzleQueryError ? error.cause : error

/** Whether the connection to the server was lost, so that the request may have been carried out. */
export function isConnectionLost(error: unknown): boolean {
  const { state, code, isEnding } = partsOf(error)
  const isOfWay = state === "" && (WAY.test(code) || TLS.test(code))
  const isOfServer = [...AWAY, ...SHUT, ...POOLED, NO_TRANSACTION].includes(state)
  return code === LATE || isEnding || isOfWay || isOfServer
}

/** Whether the connection leads through a pooler, behind which answers get mixed up. */
export const isOfPooler = (error: unknown): boolean => POOLED.includes(partsOf(error).state)

/** Whether no encrypted connection can be made to the server. */
export const isOfTls = (error: unknown): boolean => TLS.test(partsOf(error).code)

/** Whether the server cannot do the work now, and waiting for a moment will not help. */
export const isUnable = (error: unknown): boolean => UNABLE.test(partsOf(error).state)

/** Whether the server takes no writes. */
export const isReadOnly = (error: unknown): boolean => partsOf(error).state === READ_ONLY

/** Whether the server has undone a statement that may be tried again. */
export const isUndone = (error: unknown): boolean => UNDONE.includes(partsOf(error).state)

/** Whether a value or a row was refused, so that one write is to blame, and neither the server nor the way to it. */
export const isOfOneWrite = (error: unknown): boolean => OF_ONE_WRITE.test(partsOf(error).state)

/** An error as the server would send it. */
export const serverError = (state: string): SQL.PostgresError =>
  new SQL.PostgresError(`SQLSTATE ${state}`, { code: "ERR_POSTGRES_SERVER_ERROR", errno: state })

/** The SQLSTATE of an error; empty if it has none. */
export const stateOf = (error: unknown): string => partsOf(error).state
