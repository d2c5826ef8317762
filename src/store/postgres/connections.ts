import type { SQL } from "bun"
import { drizzle } from "drizzle-orm/pg-proxy"

import { within } from "../../background-work.ts"
import { backoff } from "../../backoff.ts"
import { AppError } from "../../errors.ts"
import { SLOW_MS } from "../outages-extend-leases.ts"
import { Deadline } from "./deadline.ts"
import {
  isConnectionLost,
  isOfDatabase,
  isOfPooler,
  isReadOnly,
  isUnable,
  isUndone,
  LateError,
  READ_ONLY,
  serverError,
  StatementError,
  UNKNOWN_PARAMETER,
  withoutStatement,
} from "./faults.ts"

/**
 * How long one statement may take before the pool is given up. Without a limit Bun's client would wait for
 * ever on a dead network.
 */
export const LIMIT_MS = 5000
/**
 * The longest time that a statement may take on the server. The server ends it before the instance gives up. A pooler
 * does not pass this setting on.
 */
export const STATEMENT_MS = LIMIT_MS - 500
/** Whether a standby answers, or a pooler, or a server that takes no writes (`on`) or does (`off`). */
const WHO_ANSWERS = `SELECT CASE WHEN setting <> '${STATEMENT_MS}' THEN 'pooler' WHEN pg_is_in_recovery() THEN 'standby'
    ELSE current_setting('transaction_read_only') END AS is
  FROM pg_settings WHERE name = 'statement_timeout'`
/** How long a read or a write is tried again while the server is away. */
export const PATIENCE_MS = 8000
/** The pause between two tries. The spread keeps instances from trying again at the same moment. */
const RETRY = { firstMs: 10, mostMs: 250, spread: 0.5 }

/** How connections are made, and the callback. */
export interface ConnectionsOptions {
  /**
   * Opens a pool of connections to the server. It calls `onReopened` when the client has replaced a connection that was
   * lost, before anything is answered on the new one.
   */
  readonly open: (onReopened: () => void) => SQL
  /**
   * Called when an answer was slow or did not come, with how many milliseconds ago the question was sent, and whether it
   * has come.
   */
  readonly onDoubt: (ageMs: number, isAnswered: boolean) => void
  /**
   * Whether reads go on while the server takes no writes, unless it is a standby, which may lack what viewers have seen.
   * Absent for no: everything waits for a server that takes writes.
   */
  readonly isForReads?: boolean
  /**
   * Called when a server takes writes after one that took none: the address may lead to another server now. Absent for no
   * call.
   */
  readonly onTakesWrites?: () => void
}

/** A query that drizzle has prepared. */
interface PreparedQuery<T> {
  execute(values: Record<string, unknown>): Promise<T>
}

/**
 * The way to PostgreSQL: a pool of connections that never hangs. If a statement is not answered in time,
 * everything under way on the pool ends, and another pool takes its place. While the server is unavailable,
 * one probe tries to reach it, and everything else waits for the probe.
 */
export class PostgresConnections {
  /** drizzle on these connections. */
  readonly db: ReturnType<typeof drizzle>
  readonly #options: ConnectionsOptions
  #sql: SQL
  /** Whether a server answers on this pool, and no pooler. */
  #isOfServer = false
  #asking: Promise<string> | undefined
  #probing: Promise<void> | undefined
  /** Why the server is unavailable, while a probe is under way. */
  #lost = new StatementError(undefined)
  /** When it was last noticed that this process had stood still, on the clock of `performance.now()`. */
  #stoodUntilMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  #isDraining = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#sql = this.#opened()
    this.db = drizzle(async (text, parameters: unknown[], method) => ({
      rows: method === "all" ? await this.#send(text, parameters, true) : await this.ask(text, parameters),
    }))
  }

  /**
   * Why the server is unavailable: the SQLSTATE, or the code of Bun's client; undefined if it is available.
   */
  get lostBy(): string | undefined {
    return this.#probing && this.#lost.code
  }

  /**
   * Sends a statement once; returns the rows as objects.
   * @throws the error of the client, the server or the deadline; see `patiently`
   */
  ask<T>(text: string, parameters: readonly unknown[] = []): Promise<T[]> {
    return this.#send(text, parameters, false)
  }

  /**
   * Ends a transaction on a pool of one connection. It is sent without waiting for the answer of the statement before; if
   * that fails, nothing is stored.
   * @throws as `ask`; if the connection on which the transaction began was lost, an error that says so
   */
  async commit(): Promise<void> {
    // If the connection was lost, the client sends this on a new one. There a mere COMMIT would succeed.
    await this.#answered((pool) => Promise.all([pool`COMMIT AND CHAIN`, pool`ROLLBACK`]))
  }

  /**
   * Sends a statement, and repeats it while the server is unavailable. @throws AppError `unavailable`,
   * StatementError
   */
  run<T>(text: string, parameters: readonly unknown[] = []): Promise<T[]> {
    return this.patiently(() => this.ask<T>(text, parameters))
  }

  /** The same for a query of drizzle. @throws AppError `unavailable`, StatementError */
  get<T>(query: PreparedQuery<T>, values: Record<string, unknown> = {}): Promise<T> {
    return this.patiently(() => query.execute(values))
  }

  /**
   * Repeats work as long as the connection is lost, or the server has undone the work, for 8 s, also after this process
   * stood still. With `endMs`, on the clock of `performance.now()`, until then; such work is not even tried while the probe
   * has not reached the server. Doing the work twice must have the same result.
   * @throws AppError `unavailable` after that time, or at once if the server cannot do the work,
   * StatementError for a refused statement, and the errors of the work
   */
  async patiently<T>(work: () => Promise<T>, endMs?: number): Promise<T> {
    const startedMs = performance.now()
    const lastMs = endMs ?? startedMs + PATIENCE_MS
    const sinceMs = Math.min(startedMs, lastMs - PATIENCE_MS)
    // What a pooler answers may be the answer to another question.
    if (this.#probing && (endMs !== undefined || isOfPooler(this.#lost))) {
      if (this.#isDraining) throw unreachable(this.#lost)
      await this.#found(this.#untilMs(sinceMs, lastMs), this.#lost)
    }
    for (let tries = 0; ; tries += 1) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof AppError || !isOfDatabase(error)) throw withoutStatement(error)
        if (isUnable(error)) throw unable(error)
        if (!isConnectionLost(error) && !isUndone(error)) throw new StatementError(error)
        const canBeRead = isReadOnly(error) && (await this.#canBeRead())
        if (isReadOnly(error) && !canBeRead) this.#renew(this.#sql)
        const untilMs = this.#untilMs(sinceMs, lastMs)
        if (this.#isDraining || performance.now() >= untilMs) throw unreachable(error)
        if (isConnectionLost(error) && !canBeRead) await this.#found(untilMs, error)
        else await Bun.sleep(backoff(RETRY, tries))
      }
    }
  }

  /** Whether reads go on: then a write that the server does not take waits by itself. */
  async #canBeRead(): Promise<boolean> {
    if (!this.#options.isForReads) return false
    return await this.#whoAnswers(this.#sql).then(
      (is) => is === "on",
      () => false,
    )
  }

  #untilMs(sinceMs: number, endMs: number): number {
    const hasStood = this.#stoodUntilMs > sinceMs
    return hasStood ? Math.max(endMs, this.#stoodUntilMs + PATIENCE_MS) : endMs
  }

  /** Leaves the server that answers now for the one to which the address leads; what is under way is asked again. */
  reopen(): void {
    this.#renew(this.#sql)
  }

  /** From now on nothing waits for an unavailable server. */
  drain(): void {
    this.#isDraining = true
  }

  /** Closes all connections; whatever is under way rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#sql.close({ timeout: 0 })
  }

  #send<T>(text: string, parameters: readonly unknown[], asArrays: boolean): Promise<T[]> {
    return this.#answered((pool) => {
      const query = pool.unsafe(text, [...parameters])
      // An array of rows, in the form that the statement gives them.
      return asArrays ? query.values() : query
    })
  }

  async #answered<T>(send: (pool: SQL) => Promise<T>): Promise<T> {
    const pool = this.#sql
    // The address may lead to a pooler by now, even to one that drops the settings of a session instead of refusing them.
    if (!this.#isOfServer) await (this.#asking ??= this.#whoAnswers(pool))
    return this.#inTime(pool, send)
  }

  /** Who answers on a pool: see `WHO_ANSWERS`. @throws the error of a pooler */
  async #whoAnswers(pool: SQL): Promise<string> {
    try {
      const [row] = await this.#inTime<{ is: string }[]>(pool, () => pool.unsafe(WHO_ANSWERS))
      if (row?.is === "pooler") throw serverError(UNKNOWN_PARAMETER)
      if (pool === this.#sql) this.#isOfServer = true
      return row?.is ?? ""
    } finally {
      if (pool === this.#sql) this.#asking = undefined
    }
  }

  async #inTime<T>(pool: SQL, send: (pool: SQL) => Promise<T>): Promise<T> {
    const askedMs = performance.now()
    const deadline = new Deadline(LIMIT_MS)
    const answer = send(pool)
    let isAnswered = false
    try {
      const rows = await Promise.race([answer, deadline.passed])
      isAnswered = true
      return rows
    } catch (error) {
      if (error instanceof LateError) {
        answer.catch(() => undefined)
        this.#renew(pool)
      }
      if (isConnectionLost(error)) this.#options.onDoubt(performance.now() - askedMs, false)
      throw error
    } finally {
      deadline.end()
      if (deadline.hasStood) this.#stoodUntilMs = performance.now()
      if (performance.now() - askedMs > SLOW_MS)
        this.#options.onDoubt(performance.now() - askedMs, isAnswered)
    }
  }

  /** Waits for the one probe, but not beyond a time. @throws AppError `unavailable` */
  async #found(untilMs: number, error: unknown): Promise<void> {
    if (!this.#probing) this.#lost = new StatementError(error)
    this.#probing ??= this.#probe().finally(() => (this.#probing = undefined))
    if (await within(Math.max(0, untilMs - performance.now()), this.#probing)) return
    throw unreachable(this.#lost)
  }

  /** Tries until the server answers and accepts writes, or can be read. */
  async #probe(): Promise<void> {
    let wasReadOnly = isReadOnly(this.#lost)
    for (let tries = 0; !this.#isClosed; tries += 1) {
      await Bun.sleep(backoff(RETRY, tries))
      try {
        const is = await this.#whoAnswers(this.#sql)
        if (is === "off" && wasReadOnly) this.#options.onTakesWrites?.()
        if (is === "off" || (is === "on" && this.#options.isForReads)) return
        wasReadOnly ||= is !== ""
        if (is !== "") this.#lost = new StatementError(serverError(READ_ONLY))
      } catch (error) {
        if (!isConnectionLost(error)) return
        this.#lost = new StatementError(error)
        if (!isOfPooler(error)) continue
      }
      // This connection may lead to a server that stays a standby, or to a pooler, while the name already leads to another
      // server.
      this.#renew(this.#sql)
    }
  }

  #opened(): SQL {
    const pool: SQL = this.#options.open(() => this.#renew(pool))
    return pool
  }

  #renew(pool: SQL): void {
    if (pool !== this.#sql || this.#isClosed) return
    this.#sql = this.#opened()
    this.#isOfServer = false
    this.#asking = undefined
    pool.close({ timeout: 0 }).catch(() => undefined)
  }
}

/** The error if the server answers but could not do the work, for a reason that is not in the request. */
export const unable = (error: unknown): AppError =>
  new AppError("unavailable", "the database cannot do this now", { cause: new StatementError(error) })

function whyUnreachable(error: unknown): string {
  if (isReadOnly(error))
    return "the database takes no writes now: it is a standby, or default_transaction_read_only is on"
  if (isOfPooler(error))
    return "the database cannot be reached now: its address leads to a connection pooler, behind which answers get mixed up"
  return isUndone(error)
    ? "the database does not finish this: it is too busy, or another program holds a lock on it"
    : "the database cannot be reached now"
}

// A change whose answer was lost may be stored, so this does not say that nothing was changed.
const unreachable = (error: unknown): AppError =>
  new AppError("unavailable", whyUnreachable(error), { cause: new StatementError(error) })

/** The database was unavailable for work that has certainly changed nothing. */
export class UnchangedError extends AppError {}

/** The error of work that has certainly changed nothing: if it is `unavailable`, its message says so. */
export const withoutChange = (error: unknown): unknown =>
  error instanceof AppError && error.code === "unavailable"
    ? new UnchangedError("unavailable", `${error.message}; nothing was changed`, { cause: error.cause })
    : error
