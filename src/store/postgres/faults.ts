import { SQL } from "bun"

/** Codes of Bun's client that mean: the way to the server was lost, or there was none. */
const WAY =
  /^ERR_POSTGRES_(CONNECTION|LIFETIME|IDLE|EXPECTED|UNEXPECTED|INVALID)|^ERR_SOCKET|^ECONN|^FailedToOpen/
/** The SQLSTATE of a server that takes no writes: a standby, to which a name may lead after a failover. */
export const READ_ONLY = "25006"
/**
 * SQLSTATEs of a server that is starting or ending, has become a standby, or has no room for one more
 * connection.
 */
const AWAY = ["57P01", "57P02", "57P03", "08000", "08003", "08006", READ_ONLY, "53300", "25P03"]
/** SQLSTATEs of a statement that the server has undone: a deadlock, a lock or a statement that took too long. */
const UNDONE = ["40001", "40P01", "55P03", "57014"]
/** The first two characters of the SQLSTATE of a row that a constraint or a trigger refused. */
const CONSTRAINT = "23"

/** The message of `LateError`. */
const LATE = "no answer in time"

/** No answer came within the deadline: the request may have been carried out, or may be later. */
export class LateError extends Error {}

/**
 * A fault of the database, without anything that a log or an answer must not have: drizzle's errors carry the
 * statement with its parameters, and PostgreSQL's own messages carry values.
 */
export class StatementError extends Error {
  /** The SQLSTATE; empty if the server gave none. */
  readonly state: string
  /** The SQLSTATE; without one, the code of Bun's client. */
  readonly code: string

  /** Takes what may be shown from an error of the client, of drizzle, or of this program. */
  constructor(error: unknown) {
    const { state, constraint, code } = partsOf(error)
    const why = [state && `SQLSTATE ${state}`, constraint && `constraint ${constraint}`, code]
    super(`PostgreSQL did not do what was asked (${why.filter((part) => part !== "").join(", ")})`)
    this.state = state
    this.code = state === "" ? code : state
  }
}

/** The server's error inside an error, however it is wrapped. */
function partsOf(error: unknown): { state: string; constraint: string; code: string } {
  if (error instanceof StatementError) {
    return { state: error.state, constraint: "", code: error.state === "" ? error.code : "" }
  }
  if (error instanceof SQL.PostgresError) {
    const { errno, constraint = "", code } = error
    return { state: String(errno ?? ""), constraint, code: errno === undefined ? code : "" }
  }
  if (error instanceof Error && error.cause !== undefined) return partsOf(error.cause)
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  return { state: "", constraint: "", code: error instanceof LateError ? LATE : code }
}

/** Whether an error is Bun's client's, or our own about it. */
export const isOfDatabase = (error: unknown): boolean =>
  error instanceof SQL.SQLError ||
  error instanceof LateError ||
  error instanceof StatementError ||
  (error instanceof Error && error.cause !== undefined && isOfDatabase(error.cause))

/** Whether the way to the server was lost: the request may have been carried out. */
export function isConnectionLost(error: unknown): boolean {
  const { state, code } = partsOf(error)
  return code === LATE || AWAY.includes(state) || (state === "" && WAY.test(code))
}

/** Whether the server takes no writes. */
export const isReadOnly = (error: unknown): boolean => partsOf(error).state === READ_ONLY

/** Whether the server has undone a statement that may be tried again. */
export const isUndone = (error: unknown): boolean => UNDONE.includes(partsOf(error).state)

/** Whether a constraint or a trigger refused a row. */
export const isRefused = (error: unknown): boolean => partsOf(error).state.startsWith(CONSTRAINT)

/** The SQLSTATE of an error; empty if it has none. */
export const stateOf = (error: unknown): string => partsOf(error).state
