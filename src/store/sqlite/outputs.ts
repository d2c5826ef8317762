import type { Database } from "bun:sqlite"

import { and, asc, eq, getTableColumns, gt, gte, lte, max, sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { type OutputPiece, piecesAfter } from "../../item/output-piece.ts"
import type { Stored } from "../../item/stored.ts"
import type { OutputEnd, OutputPage, Outputs } from "../contract/outputs.ts"
import type { GroupCommit } from "./group-commit.ts"
import { lazily, slots } from "./prepared-statements.ts"
import { outputs } from "./schema.ts"

/** An attempt of an item. */
type AttemptKey = Readonly<Record<"queue_id" | "attempt", number>>

function statements(client: Database) {
  const db = drizzle(client)
  const slot = slots(getTableColumns(outputs))
  const ofAttempt = and(eq(outputs.queue_id, slot.queue_id), eq(outputs.attempt, slot.attempt))
  return lazily({
    end: () =>
      db
        .select({ end: max(outputs.to) })
        .from(outputs)
        .where(ofAttempt)
        .prepare(),
    add: () => db.insert(outputs).values(slot).prepare(),
    forgetFrom: () =>
      db
        .delete(outputs)
        .where(and(eq(outputs.queue_id, slot.queue_id), gte(outputs.attempt, slot.attempt)))
        .prepare(),
    /** Removes the pieces that end at this position or before. */
    trim: () =>
      db
        .delete(outputs)
        .where(and(ofAttempt, lte(outputs.to, slot.to)))
        .prepare(),
    /** The pieces that end after this position. */
    read: () =>
      db
        .select({ from: outputs.from, to: outputs.to, text: outputs.text })
        .from(outputs)
        .where(and(ofAttempt, gt(outputs.to, slot.to)))
        .orderBy(asc(outputs.to))
        .limit(sql.placeholder("limit"))
        .prepare(),
  })
}

/** The Outputs on SQLite. */
export class SqliteOutputs implements Outputs {
  readonly #statements: ReturnType<typeof statements>
  readonly #group: GroupCommit
  readonly #row: (id: number) => Stored

  /** `row` reads an item within a transaction. @throws AppError `not_found` */
  constructor(client: Database, group: GroupCommit, row: (id: number) => Stored) {
    this.#statements = statements(client)
    this.#group = group
    this.#row = row
  }

  /**
   * Removes, within the transaction under way, the stored output of an attempt that begins, and of later
   * attempts.
   */
  forgetFrom(id: number, attempt: number): void {
    this.#statements.forgetFrom.run({ queue_id: id, attempt })
  }

  append(
    id: number,
    pieces: readonly OutputPiece[],
    keepBytes: number,
    attemptOf: (stored: Stored) => number,
  ): Promise<OutputEnd> {
    return this.#group.run(() => {
      const key = { queue_id: id, attempt: attemptOf(this.#row(id)) }
      const before = this.#end(key)
      const added = piecesAfter(pieces, before)
      for (const piece of added) this.#statements.add.run({ ...key, ...piece })
      const end = added.at(-1)?.to ?? before
      if (added.length > 0) this.#statements.trim.run({ ...key, to: end - keepBytes })
      return { attempt: key.attempt, end }
    })
  }

  async read(id: number, attempt: number, after: number, limit: number): Promise<OutputPage> {
    const rows = this.#statements.read.all({ queue_id: id, attempt, to: after, limit: limit + 1 })
    return { pieces: rows.slice(0, limit), more: rows.length > limit }
  }

  async end(id: number, attempt: number): Promise<number> {
    return this.#end({ queue_id: id, attempt })
  }

  #end(key: AttemptKey): number {
    return this.#statements.end.get(key)?.end ?? 0
  }
}
