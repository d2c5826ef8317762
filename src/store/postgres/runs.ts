import { and, avg, count, desc, eq, max } from "drizzle-orm"

import { type KeptRun, MAX_RUNS, type Run } from "../../item/estimate/earlier-run.ts"
import type { KnownKind, Runs } from "../contract/runs.ts"
import { alikeRuns, type RunReads } from "../runs-to-compare-with.ts"
import type { PostgresConnections } from "./connections.ts"
import { history, runs } from "./schema.ts"

/** Adds runs in their order, keeps the newest of each kind and look, and notes that the history was learned from. */
const ADD_LEARNED = `WITH noted AS (UPDATE history SET has_learned = true WHERE NOT has_learned RETURNING id),
given AS MATERIALIZED (
  SELECT r.*, row_number() OVER (PARTITION BY r.kind, r.look ORDER BY r.ordinality DESC) AS n
  FROM json_populate_recordset(NULL::runs, $1::text::json) WITH ORDINALITY r, noted)
INSERT INTO runs (kind, look, worker, queue_id, seconds, steps, ended_at)
SELECT kind, look, worker, queue_id, seconds, steps, ended_at FROM given WHERE n <= ${MAX_RUNS} ORDER BY ordinality`

/** The Runs on PostgreSQL. They are written with the change that completes the item; see `APPEND`. */
export class PostgresRuns implements Runs {
  readonly #link: PostgresConnections
  readonly #reads: RunReads = {
    newest: (limit, kind) => this.#newest(limit, kind),
    of: (kind, look) => this.#of(kind, look),
  }

  /** Reads and writes on `link`. */
  constructor(link: PostgresConnections) {
    this.#link = link
  }

  alike(kind: string, look: string): Promise<readonly Run[]> {
    return alikeRuns(this.#reads, kind, look)
  }

  async kinds(limit: number): Promise<readonly KnownKind[]> {
    const ended = max(runs.ended_at)
    const kinds = this.#link.db
      .select({
        kind: runs.kind,
        look: runs.look,
        runs: count(),
        seconds: avg(runs.seconds).mapWith(Number),
        ended_at: ended.mapWith(runs.ended_at),
      })
      .from(runs)
      .groupBy(runs.kind, runs.look)
      .orderBy(desc(max(runs.id)))
      .limit(limit)
    return this.#link.get(kinds)
  }

  async forget(kind: string): Promise<number> {
    const forgotten = this.#link.db.delete(runs).where(eq(runs.kind, kind)).returning({ id: runs.id })
    return (await this.#link.get(forgotten)).length
  }

  async hasLearned(): Promise<boolean> {
    const [row] = await this.#link.get(this.#link.db.select().from(history))
    return row?.has_learned ?? true
  }

  async addLearned(learned: readonly (KeptRun & { readonly ended_at: string })[]): Promise<void> {
    const rows = learned.map(({ steps, ended_at, ...run }) => ({
      ...run,
      steps: JSON.stringify(steps),
      ended_at: Date.parse(ended_at),
    }))
    await this.#link.run(ADD_LEARNED, [JSON.stringify(rows)])
  }

  async #of(kind: string, look: string): Promise<Run[]> {
    const newest = this.#link.db
      .select({ steps: runs.steps, seconds: runs.seconds, worker: runs.worker })
      .from(runs)
      .where(and(eq(runs.kind, kind), eq(runs.look, look)))
      .orderBy(desc(runs.id))
      .limit(MAX_RUNS)
    return (await this.#link.get(newest)).toReversed()
  }

  #newest(limit: number, kind?: string): Promise<{ kind: string; look: string }[]> {
    return this.#link.get(
      this.#link.db
        .select({ kind: runs.kind, look: runs.look })
        .from(runs)
        .where(kind === undefined ? undefined : eq(runs.kind, kind))
        .orderBy(desc(runs.id))
        .limit(limit),
    )
  }
}
