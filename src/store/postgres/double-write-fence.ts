import { AppError } from "../../errors.ts"
import { APPEND, type Appended } from "./append-statement.ts"
import type { PostgresConnections } from "./connections.ts"
import { isConnectionLost } from "./faults.ts"
import type { RolledBackCheck } from "./rolled-back-database.ts"

const ENTER = `INSERT INTO instances (id, seen_at) VALUES ($1, $2)
  ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at
  RETURNING epoch::float8 AS epoch, (SELECT resumed_id::float8 FROM history) AS era`
const COMMITTED = "SELECT array_to_json(kept)::text AS kept FROM groups WHERE instance = $1 AND no = $2"
const FORGET = "DELETE FROM groups WHERE instance = $1 AND no < $2"
/** The notes of earlier groups are removed whenever there are this many. */
const KEPT_GROUPS = 500

/** What is known of a group that was sent. */
export interface SentGroup {
  /** The items that were stored. */
  readonly kept: ReadonlySet<number>
  /** What the statement answered; undefined if its answer was lost. */
  readonly answer: Appended | undefined
}

/** Nothing was written: this instance was shut out, or what the group was decided on does not count any more. */
const SHUT_OUT = Symbol("shut out")

/** What is known of a group that was not stored. */
const NOTHING: SentGroup = { kept: new Set(), answer: undefined }

const idsOf = (json: string): ReadonlySet<number> => {
  const ids: number[] = JSON.parse(json)
  return new Set(ids)
}

/**
 * Sends groups so that each is stored once, even if the connection breaks. After a lost answer it is open
 * whether the group was stored, or will be. So the instance enters again under another epoch, which waits for
 * what is under way and shuts out what is still to come, and then reads whether the group is there.
 */
export class DoubleWriteFence {
  /** The name of this instance. */
  readonly instance = crypto.randomUUID()
  readonly #link: PostgresConnections
  readonly #seen: RolledBackCheck
  #epoch: number | undefined
  #group = 0
  #forgotten = 0

  /** `seen` knows the event IDs that this instance has seen. */
  constructor(link: PostgresConnections, seen: RolledBackCheck) {
    this.#link = link
    this.#seen = seen
  }

  /**
   * Stores a group; `parameters` are those of the statement after the first four. Tries again until `untilMs` on the
   * clock of `performance.now()`. A group of which nothing was stored is to be decided again.
   * @throws AppError `unavailable`, when it is not known whether it was stored; StatementError when a row was refused
   */
  async send(parameters: readonly unknown[], nowMs: number, untilMs: number): Promise<SentGroup> {
    this.#group += 1
    let isSent = false
    let isOpen = false
    const work = async (): Promise<SentGroup> => {
      const before = await this.#enter(nowMs, isSent)
      if (before) return before
      isSent = true
      try {
        const outcome = await this.#append(parameters)
        isOpen = false
        if (outcome !== SHUT_OUT) return outcome
      } catch (error) {
        // Any other error is an answer: nothing was stored.
        isOpen = isConnectionLost(error)
        throw error
      }
      return (await this.#enter(nowMs, isSent)) ?? NOTHING
    }
    try {
      return await this.#link.patiently(work, untilMs)
    } catch (error) {
      throw isOpen && error instanceof AppError ? unknownOutcome(error) : error
    }
  }

  /** Removes the notes of this instance, which stops. */
  async leave(): Promise<void> {
    await this.#link.ask("DELETE FROM instances WHERE id = $1", [this.instance])
  }

  /**
   * Enters this instance into the database, unless it is there. If the group was sent before, answers whether
   * it was stored.
   */
  async #enter(nowMs: number, isSent: boolean): Promise<SentGroup | undefined> {
    if (this.#epoch !== undefined) return undefined
    const [row] = await this.#link.ask<{ epoch: number; era: number }>(ENTER, [this.instance, nowMs])
    const [group] = isSent
      ? await this.#link.ask<{ kept: string }>(COMMITTED, [this.instance, this.#group])
      : []
    // After a failover or a restore the database may know less than was seen.
    if (row) this.#seen.begin(row.era)
    await this.#seen.raise(this.#link)
    this.#epoch = row?.epoch
    return group && { kept: idsOf(group.kept), answer: undefined }
  }

  async #append(parameters: readonly unknown[]): Promise<SentGroup | typeof SHUT_OUT> {
    try {
      const own = [this.instance, this.#group, this.#epoch, this.#seen.newest]
      const [answer] = await this.#link.ask<Appended>(APPEND, [...own, ...parameters])
      if (answer?.me !== 1) {
        this.#epoch = undefined
        return SHUT_OUT
      }
      this.#seen.note(answer.head)
      this.#forget()
      return { kept: idsOf(answer.kept), answer }
    } catch (error) {
      if (isConnectionLost(error)) this.#epoch = undefined
      throw error
    }
  }

  #forget(): void {
    if (this.#group - this.#forgotten < KEPT_GROUPS) return
    this.#forgotten = this.#group
    // Notes that were not removed now are removed the next time.
    this.#link.ask(FORGET, [this.instance, this.#group]).catch(() => undefined)
  }
}

const unknownOutcome = (cause: AppError): AppError =>
  new AppError(
    "unavailable",
    "the database did not answer: it is not known whether this change was stored; read it before you repeat it",
    { cause },
  )
