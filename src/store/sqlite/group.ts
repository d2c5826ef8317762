import { type Database, SQLiteError, type Statement } from "bun:sqlite"

import { AppError } from "../../errors.ts"

const BUSY_LIMIT_MS = 5000
const BUSY_PAUSE_MS = 10

interface Job {
  readonly work: () => unknown
  readonly settle: (outcome: Outcome) => void
}
type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

const unavailable = (cause: unknown): AppError =>
  new AppError("unavailable", "the database cannot be written now; nothing was changed", { cause })

/** A fault of the database, as opposed to a row that a constraint refused. */
const isFault = (error: unknown): boolean =>
  error instanceof SQLiteError && !error.code?.startsWith("SQLITE_CONSTRAINT")

/**
 * Writes that arrive in one turn of the event loop share one commit, and so one wait for the disk.
 *
 * Each has a savepoint of its own: one that throws is undone and fails alone. When the commit fails, or an error
 * has ended the transaction, all fail with AppError `unavailable`. While another process holds the write lock the
 * group waits by timer, for 5 s at most.
 */
export class GroupCommit {
  readonly #client: Database
  readonly #begun: () => void
  readonly #begin: Statement
  readonly #savepoint: Statement
  readonly #release: Statement
  readonly #undo: Statement
  readonly #commit: Statement
  #jobs: Job[] = []
  #flushing: Promise<void> = Promise.resolve()

  /** `begun` is called first thing in each transaction. */
  constructor(client: Database, begun: () => void) {
    this.#client = client
    this.#begun = begun
    this.#begin = client.prepare("BEGIN IMMEDIATE")
    this.#savepoint = client.prepare("SAVEPOINT write")
    this.#release = client.prepare("RELEASE write")
    this.#undo = client.prepare("ROLLBACK TO write")
    this.#commit = client.prepare("COMMIT")
  }

  /** Runs `work` inside the next transaction; resolves with its result once that is durable. */
  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (outcome: Outcome): void =>
        // The value is what `work` of this same call returned.
        outcome.ok ? resolve(outcome.value as T) : reject(outcome.error)
      this.#jobs.push({ work, settle })
      if (this.#jobs.length === 1) this.#flushing = this.#flushSoon()
    })
  }

  /** Resolves when nothing is waiting to be written. */
  async idle(): Promise<void> {
    while (this.#jobs.length > 0) await this.#flushing
  }

  async #flushSoon(): Promise<void> {
    // Two turns: one gathers only about half of the requests whose answers have just gone out.
    await new Promise<void>((turn) => setImmediate(() => setImmediate(turn)))
    const begun = await this.#beginWithin(BUSY_LIMIT_MS)
    const jobs = this.#jobs
    this.#jobs = []
    const outcomes = begun.ok ? this.#write(jobs) : jobs.map(() => begun)
    jobs.forEach((job, i) => job.settle(outcomes[i] ?? { ok: false, error: unavailable("no outcome") }))
  }

  async #beginWithin(limitMs: number): Promise<Outcome> {
    const deadline = performance.now() + limitMs
    for (;;) {
      try {
        this.#begin.run()
        return { ok: true, value: undefined }
      } catch (error) {
        const busy = error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY")
        if (!busy || performance.now() > deadline) return { ok: false, error: unavailable(error) }
        await Bun.sleep(BUSY_PAUSE_MS)
      }
    }
  }

  #write(jobs: readonly Job[]): Outcome[] {
    try {
      this.#begun()
      const outcomes = jobs.map((job) => this.#attempt(job))
      this.#commit.run()
      return outcomes
    } catch (error) {
      if (this.#client.inTransaction) this.#client.run("ROLLBACK")
      return jobs.map(() => ({ ok: false, error: unavailable(error) }))
    }
  }

  /** @throws whatever has ended the transaction */
  #attempt(job: Job): Outcome {
    this.#savepoint.run()
    try {
      const value = job.work()
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
