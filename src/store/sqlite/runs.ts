import type { Database } from "bun:sqlite"

import { and, asc, avg, count, desc, eq, max, notInArray } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sqlite"

import { type KeptRun, MAX_RUNS, type Run } from "../../item/estimate/earlier-run.ts"
import type { KnownKind, Runs } from "../contract/runs.ts"
import { alikeRuns, type RunReads } from "../runs-to-compare-with.ts"
import type { GroupCommit } from "./group-commit.ts"
import { history, runs } from "./schema.ts"

/** The Runs on SQLite. */
export class SqliteRuns implements Runs {
  readonly #db: ReturnType<typeof drizzle>
  readonly #group: GroupCommit
  readonly #reads: RunReads = {
    newest: async (limit, kind) => this.#newest(limit, kind),
    of: async (kind, look) => this.#of(kind, look),
  }

  constructor(client: Database, group: GroupCommit) {
    this.#db = drizzle(client)
    this.#group = group
  }

  alike(kind: string, look: string): Promise<readonly Run[]> {
    return alikeRuns(this.#reads, kind, look)
  }

  async kinds(limit: number): Promise<readonly KnownKind[]> {
    const ended = max(runs.ended_at)
    return this.#db
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
      .all()
  }

  forget(kind: string): Promise<number> {
    return this.#group.run(
      () => this.#db.delete(runs).where(eq(runs.kind, kind)).returning({ id: runs.id }).all().length,
    )
  }

  async hasLearned(): Promise<boolean> {
    return this.#db.select().from(history).get()?.has_learned ?? true
  }

  addLearned(learned: readonly (KeptRun & { readonly ended_at: string })[]): Promise<void> {
    return this.#group.run(() => {
      for (const run of learned) this.keep(run, run.ended_at)
      this.#db.update(history).set({ has_learned: true }).run()
    })
  }

  /**
   * Adds a run that ended at this time, within the transaction under way, and removes the oldest runs beyond
   * the number to keep.
   */
  keep({ kind, look, worker, queue_id, seconds, steps }: KeptRun, ended_at: string): void {
    const db = this.#db
    db.insert(runs).values({ kind, look, worker, queue_id, seconds, steps, ended_at }).run()
    const alike = and(eq(runs.kind, kind), eq(runs.look, look))
    const newest = db.select({ id: runs.id }).from(runs).where(alike).orderBy(desc(runs.id)).limit(MAX_RUNS)
    db.delete(runs)
      .where(and(alike, notInArray(runs.id, newest)))
      .run()
  }

  #of(kind: string, look: string): Run[] {
    return this.#db
      .select({ steps: runs.steps, seconds: runs.seconds, worker: runs.worker })
      .from(runs)
      .where(and(eq(runs.kind, kind), eq(runs.look, look)))
      .orderBy(asc(runs.id))
      .all()
  }

  #newest(limit: number, kind?: string): { kind: string; look: string }[] {
    return this.#db
      .select({ kind: runs.kind, look: runs.look })
      .from(runs)
      .where(kind === undefined ? undefined : eq(runs.kind, kind))
      .orderBy(desc(runs.id))
      .limit(limit)
      .all()
  }
}
