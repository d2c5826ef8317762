import { type Database, SQLiteError, type Statement } from "bun:sqlite"

import { AppError, codeOf } from "../../errors.ts"

const BUSY_LIMIT_MS = 5000
const BUSY_PAUSE_MS = 10

/** Callbacks for the transactions of a group. Times are milliseconds of one clock. */
export interface Observer {
  /** The clock. */
  readonly nowMs: () => number
  /** Called at the beginning of each transaction; it may write in the transaction. */
  begun(nowMs: number): void
  /** Called at the end of the transaction that began at `nowMs`; it may write in the transaction. */
  ending(nowMs: number): void
  /** Called once a transaction of `writes` writes that began at `nowMs` has been committed, `tookMs` later. */
  committed(nowMs: number, writes: number, tookMs: number): void
  /**
   * Called when a transaction that was first tried at `sinceMs` could not begin or be committed. `code` is SQLite's, or
   * the name of another error.
   */
  failed(sinceMs: number, code: string): void
}

interface WaitingWrite {
  readonly work: () => unknown
  readonly settle: (result: WriteResult) => void
}
type WriteResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

/** The database could not be written. */
class Unavailable extends AppError {
  constructor(message: string, cause: unknown) {
    super("unavailable", message, { cause })
  }
}

const unavailable = (cause: unknown): Unavailable =>
  new Unavailable("the database cannot be written now; nothing was changed", cause)

/**
 * Whether a commit failed after it was written, but before it was surely on the disk. After a crash, it may
 * be on the disk.
 */
const isUnsynced = (error: unknown): boolean => codeOf(error).startsWith("SQLITE_IOERR")

const unconfirmed = (cause: unknown): Unavailable =>
  new Unavailable(
    "the disk did not confirm this change: it is not known whether it was stored; read it before you repeat it",
    cause,
  )

/** SQLite's code for an error, or for the one that caused it; the name of one that is not SQLite's. */
function nameOfFault(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  if (error instanceof AppError && error.cause !== undefined) return nameOfFault(error.cause)
  return error instanceof SQLiteError ? (error.code ?? "SQLITE_ERROR") : error.name
}

/** Whether an error is a fault of the database, and not a row that a constraint refused. */
const isFault = (error: unknown): boolean =>
  error instanceof SQLiteError && !error.code?.startsWith("SQLITE_CONSTRAINT")

/**
 * Writes that arrive in one tick of the event loop share one commit, so that they wait for the disk only
 * once.
 *
 * Each write has its own savepoint: if one throws, only that one is undone and fails. If the commit fails, or
 * an error ends the transaction, all of its writes fail with AppError `unavailable`. While another process
 * holds the write lock, the group waits by timer, for at most 5 s.
 */
export class GroupCommit {
  readonly #client: Database
  readonly #observer: Observer
  readonly #begin: Statement
  readonly #savepoint: Statement
  readonly #release: Statement
  readonly #undo: Statement
  readonly #commit: Statement
  #waiting: WaitingWrite[] = []
  #isDraining = false
  #refusal: AppError | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(client: Database, observer: Observer) {
    this.#client = client
    this.#observer = observer
    this.#begin = client.prepare("BEGIN IMMEDIATE")
    this.#savepoint = client.prepare("SAVEPOINT write")
    this.#release = client.prepare("RELEASE write")
    this.#undo = client.prepare("ROLLBACK TO write")
    this.#commit = client.prepare("COMMIT")
  }

  /** Runs `work` inside the next transaction; resolves with its result when that is durable. */
  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (result: WriteResult): void =>
        // The value is what `work` of this same call returned.
        result.ok ? resolve(result.value as T) : reject(result.error)
      this.#waiting.push({ work, settle })
      if (this.#waiting.length === 1) this.#flushing = this.#flushSoon()
    })
  }

  /**
   * From now on the group does not wait for the write lock of another process: a write that cannot be done at
   * once fails.
   */
  drain(): void {
    this.#isDraining = true
  }

  /** Refuses every write from now on. */
  refuse(refusal: AppError): void {
    this.#refusal = refusal
  }

  /** Resolves when nothing is waiting to be written. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0) await this.#flushing
  }

  async #flushSoon(): Promise<void> {
    // Two ticks of the event loop: in one tick, only about half of the clients that just got an answer send
    // their next request.
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))
    const triedMs = this.#observer.nowMs()
    const begun = await this.#beginWithin(BUSY_LIMIT_MS)
    const writes = this.#waiting
    this.#waiting = []
    if (!begun.ok) this.#observer.failed(triedMs, nameOfFault(begun.error))
    const results = begun.ok ? this.#write(writes, triedMs) : writes.map(() => begun)
    writes.forEach((write, i) => write.settle(results[i] ?? { ok: false, error: unavailable("no result") }))
  }

  async #beginWithin(limitMs: number): Promise<WriteResult> {
    const deadline = performance.now() + limitMs
    for (;;) {
      if (this.#refusal) return { ok: false, error: this.#refusal }
      try {
        this.#begin.run()
        return { ok: true, value: undefined }
      } catch (error) {
        const busy = codeOf(error).startsWith("SQLITE_BUSY")
        if (!busy || this.#isDraining || performance.now() > deadline)
          return { ok: false, error: unavailable(error) }
        await Bun.sleep(BUSY_PAUSE_MS)
      }
    }
  }

  #write(writes: readonly WaitingWrite[], triedMs: number): WriteResult[] {
    let isCommitting = false
    const startedMs = performance.now()
    try {
      const nowMs = this.#observer.nowMs()
      this.#observer.begun(nowMs)
      const results = writes.map((write) => this.#attempt(write))
      this.#observer.ending(nowMs)
      isCommitting = true
      this.#commit.run()
      this.#observer.committed(nowMs, writes.length, performance.now() - startedMs)
      const fault = results.find((result) => !result.ok && result.error instanceof Unavailable)
      if (fault && !fault.ok) this.#observer.failed(nowMs, nameOfFault(fault.error))
      return results
    } catch (error) {
      if (this.#client.inTransaction) this.#client.run("ROLLBACK")
      this.#observer.failed(triedMs, nameOfFault(error))
      const failure = isCommitting && isUnsynced(error) ? unconfirmed(error) : unavailable(error)
      return writes.map(() => ({ ok: false, error: failure }))
    }
  }

  /** @throws the error that has ended the transaction */
  #attempt(write: WaitingWrite): WriteResult {
    this.#savepoint.run()
    try {
      const value = write.work()
      this.#release.run()
      return { ok: true, value }
    } catch (error) {
      if (!this.#client.inTransaction) throw error
      this.#undo.run()
      this.#release.run()
      return { ok: false, error: isFault(error) ? unavailable(error) : error }
    }
  }
}
