import { and, asc, eq, gt } from "drizzle-orm"

import { unknownItem } from "../../errors.ts"
import { type OutputPiece, piecesAfter } from "../../item/output-piece.ts"
import type { Stored } from "../../item/stored.ts"
import type { OutputEnd, OutputPage, Outputs } from "../contract/outputs.ts"
import type { PostgresConnections } from "./connections.ts"
import { type itemReads, knownOf } from "./group-reads.ts"
import { outputs } from "./schema.ts"

const END = `SELECT coalesce(max(until), 0)::float8 AS until,
    (SELECT printed::float8 FROM queue_items WHERE id = $1) AS printed
  FROM outputs WHERE queue_id = $1 AND attempt = $2`

/**
 * Stores pieces, if the attempt and the lease are those of the decision, and no other instance has stored pieces in the
 * meantime. Other changes of the item do not count: an instance that is far from the database would never store a piece
 * of an item that reports often. The item's version does not change, because what groups keep of the item in memory is
 * still valid.
 */
const ADD = `WITH held AS (
  UPDATE queue_items SET printed = printed + 1 WHERE id = $1 AND attempt = $2 AND printed = $8 AND deleted_at IS NULL
    AND started_at IS NOT DISTINCT FROM $9::int8 AND lease_token IS NOT DISTINCT FROM $10::text
  RETURNING id),
added AS (
  INSERT INTO outputs (queue_id, attempt, until, at, text)
  SELECT held.id, $3::int8, p.until, p.at, p.text
  FROM held, unnest($4::int8[], $5::int8[], $6::text[]) p(until, at, text)),
trimmed AS (
  DELETE FROM outputs o USING held WHERE o.queue_id = held.id AND o.attempt = $3::int8 AND o.until <= $7::int8)
SELECT count(*)::int AS n FROM held`

/** The Outputs on PostgreSQL. */
export class PostgresOutputs implements Outputs {
  readonly #link: PostgresConnections
  readonly #reads: ReturnType<typeof itemReads>

  /** Reads and writes on `link`. */
  constructor(link: PostgresConnections, reads: ReturnType<typeof itemReads>) {
    this.#link = link
    this.#reads = reads
  }

  append(
    id: number,
    pieces: readonly OutputPiece[],
    keepBytes: number,
    attemptOf: (stored: Stored) => number,
  ): Promise<OutputEnd> {
    return this.#link.patiently(async () => {
      for (;;) {
        const [row] = await this.#reads.byId.execute({ ids: [id] })
        if (!row) throw unknownItem(id)
        const { stored } = knownOf(row)
        const { item, work } = stored
        const attempt = attemptOf(stored)
        const { until: before, printed } = await this.#end(id, attempt)
        const added = piecesAfter(pieces, before)
        const end = added.at(-1)?.to ?? before
        if (added.length === 0) return { attempt, end }
        const columns = [
          added.map(({ to }) => to),
          added.map(({ from }) => from),
          added.map(({ text }) => text),
        ]
        const startedMs = item.started_at === null ? null : Date.parse(item.started_at)
        const decidedOn = [startedMs, work.lease_token]
        const parameters = [id, item.attempt, attempt, ...columns, end - keepBytes, printed, ...decidedOn]
        const [held] = await this.#link.ask<{ n: number }>(ADD, parameters)
        if (held?.n === 1) return { attempt, end }
      }
    })
  }

  async read(id: number, attempt: number, after: number, limit: number): Promise<OutputPage> {
    const rows = await this.#link.get(
      this.#link.db
        .select({ from: outputs.from, to: outputs.to, text: outputs.text })
        .from(outputs)
        .where(and(eq(outputs.queue_id, id), eq(outputs.attempt, attempt), gt(outputs.to, after)))
        .orderBy(asc(outputs.to))
        .limit(limit + 1),
    )
    return { pieces: rows.slice(0, limit), more: rows.length > limit }
  }

  async end(id: number, attempt: number): Promise<number> {
    return (await this.#link.patiently(() => this.#end(id, attempt))).until
  }

  /** Where the output of an attempt ends, and how often output of its item was stored; both of one moment. */
  async #end(id: number, attempt: number): Promise<{ until: number; printed: number }> {
    const [row] = await this.#link.ask<{ until: number; printed: number }>(END, [id, attempt])
    return row ?? { until: 0, printed: 0 }
  }
}
