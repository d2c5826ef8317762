import { AppError } from "../../errors.ts"
import { APPEND, type Appended } from "./append-statement.ts"
import { type PostgresConnections, withoutChange } from "./connections.ts"
import type { DatabaseClock } from "./database-clock.ts"
import { isConnectionLost } from "./faults.ts"
import { ERA, type Era, type RolledBackCheck } from "./rolled-back-database.ts"

/** Enters an instance; `$3` is the note that this makes, null for none. */
const ENTER = `WITH me AS (
  INSERT INTO instances (id, seen_at) VALUES ($1, $2)
  ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at RETURNING id, epoch),
mark AS (
  INSERT INTO groups (instance, no, kept) SELECT id, $3::int8, '{}' FROM me WHERE $3::int8 IS NOT NULL
  ON CONFLICT DO NOTHING)
SELECT epoch::float8 AS epoch, ${ERA} FROM me`
const COMMITTED =
  "SELECT no::float8 AS no, array_to_json(kept)::text AS kept FROM groups WHERE instance = $1 AND no IN ($2, $3)"
const FORGET = "DELETE FROM groups WHERE instance = $1 AND no < $2"
/** The notes of earlier groups are removed whenever there are this many. */
const KEPT_GROUPS = 500

/**
 * Nothing was written: this instance was shut out, or the group was decided on rows that are no longer valid.
 */
const SHUT_OUT = Symbol("shut out")

const idsIn = (json: string): ReadonlySet<number> => {
  const ids: number[] = JSON.parse(json)
  return new Set(ids)
}

/**
 * Sends groups so that each is stored once, even if the connection breaks. After a lost answer it is unknown
 * whether the group was stored, or will be. So the instance enters the database again under another epoch:
 * this waits for writes under way and refuses writes that arrive later. Then the instance reads whether the
 * group is there. If an instance stands still for minutes, another one removes its notes; notes are complete
 * only as long as an earlier one is still there.
 */
export class DoubleWriteFence {
  /** The name of this instance. */
  readonly instance = crypto.randomUUID()
  readonly #link: PostgresConnections
  readonly #backCheck: RolledBackCheck
  readonly #clock: DatabaseClock
  #epoch: number | undefined
  /** Whether the group is part of a transaction, which it ends. */
  #isBegun = false
  #group = 0
  /** The latest note that was certainly made. */
  #noted = 0
  #forgotten = 0

  /** `backCheck` knows the event IDs that this instance has seen. `clock` learns the time of each answer. */
  constructor(link: PostgresConnections, backCheck: RolledBackCheck, clock: DatabaseClock) {
    this.#link = link
    this.#backCheck = backCheck
    this.#clock = clock
  }

  /**
   * Stores a group; `parameters` are the parameters of the statement after the first four. It tries again
   * until `untilMs` on the clock of `performance.now()`. Returns the IDs of the items that were stored; the
   * others must be decided again.
   * @throws AppError `unavailable` if it is unknown whether it was stored; StatementError if a row was
   * refused
   */
  async send(parameters: readonly unknown[], nowMs: number, untilMs: number): Promise<ReadonlySet<number>> {
    this.#group += 1
    let isOpen = false
    const work = async (): Promise<ReadonlySet<number>> => {
      const before = await this.#enter(nowMs, isOpen)
      if (before) return before
      isOpen = false
      try {
        const kept = await this.#append(parameters)
        if (kept !== SHUT_OUT) return kept
      } catch (error) {
        // Any other error is an answer: nothing was stored.
        isOpen = isConnectionLost(error)
        throw error
      }
      return (await this.#enter(nowMs, isOpen)) ?? new Set()
    }
    try {
      return await this.#link.patiently(work, untilMs)
    } catch (error) {
      throw isOpen ? unknownOutcome(error) : withoutChange(error)
    }
  }

  /** Begins a transaction, which ends with the next group that is sent, or by `rollBack`. */
  async begin(): Promise<void> {
    await this.rollBack()
    await this.#link.ask("BEGIN")
    this.#isBegun = true
  }

  /** Ends a transaction that has stored no group. */
  async rollBack(): Promise<void> {
    if (!this.#isBegun) return
    this.#isBegun = false
    await this.#link.ask("ROLLBACK")
  }

  /** Removes the notes of this instance when it stops. */
  async leave(): Promise<void> {
    await this.#link.ask("DELETE FROM instances WHERE id = $1", [this.instance])
  }

  /**
   * Enters this instance into the database, unless it is there. If it is unknown whether the group was
   * stored, returns what was stored of it, or undefined if nothing was.
   * @throws AppError `unavailable` if this can no longer be found out
   */
  async #enter(nowMs: number, isOpen: boolean): Promise<ReadonlySet<number> | undefined> {
    if (this.#epoch !== undefined) return undefined
    // After a failover or a restore the database may know less than was seen, also of eras.
    await this.#backCheck.raise(this.#link)
    const mark = isOpen ? null : this.#group - 1
    const own = [this.instance, nowMs, mark]
    const [row] = await this.#link.ask<Era & { epoch: number }>(ENTER, own)
    const group = mark === null ? await this.#committed() : undefined
    this.#noted = mark ?? (group ? this.#group : this.#noted)
    if (row) this.#backCheck.begin(row)
    this.#epoch = row?.epoch
    return group && idsIn(group.kept)
  }

  async #committed(): Promise<{ readonly kept: string } | undefined> {
    const asked = [this.instance, this.#group, this.#noted]
    const notes = await this.#link.ask<{ no: number; kept: string }>(COMMITTED, asked)
    if (notes.length === 0) {
      const message =
        "the database has no note of this server's last writes: it has gone back, or this server stood still for ten minutes"
      throw new AppError("unavailable", message)
    }
    return notes.find(({ no }) => no === this.#group)
  }

  async #append(parameters: readonly unknown[]): Promise<ReadonlySet<number> | typeof SHUT_OUT> {
    try {
      const own = [this.instance, this.#group, this.#epoch, this.#backCheck.newest]
      const askedMs = performance.now()
      const all = [...own, ...parameters, this.#clock.now()]
      const appended = this.#link.ask<Appended>(APPEND, all)
      // The commit follows at once: other instances wait for the append lock until it arrives.
      const [[answer]] = await Promise.all([appended, this.#commit()])
      if (answer) this.#clock.sample(answer.now, askedMs)
      if (answer?.me !== 1) {
        this.#epoch = undefined
        return SHUT_OUT
      }
      this.#noted = this.#group
      this.#backCheck.note(answer.head)
      this.#forget()
      return idsIn(answer.kept)
    } catch (error) {
      if (isConnectionLost(error)) this.#epoch = undefined
      throw error
    }
  }

  /** Ends the transaction with what was sent just before; if that fails, nothing of it is stored. */
  async #commit(): Promise<void> {
    if (!this.#isBegun) return
    this.#isBegun = false
    await this.#link.commit()
  }

  #forget(): void {
    if (this.#group - this.#forgotten < KEPT_GROUPS) return
    this.#forgotten = this.#group
    // Notes that could not be removed now are removed the next time.
    this.#link.ask(FORGET, [this.instance, this.#group]).catch(() => undefined)
  }
}

const unknownOutcome = (error: unknown): AppError =>
  new AppError(
    "unavailable",
    "the database did not answer: it is not known whether this change was stored; read it before you repeat it",
    { cause: error instanceof AppError ? (error.cause ?? error) : error },
  )
