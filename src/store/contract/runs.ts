import type { KeptRun, Run } from "../../item/estimate/earlier-run.ts"

/** A summary of the runs of a kind that look alike. */
export interface KnownKind {
  /** The kind. */
  readonly kind: string
  /** What the runs have in common; the same as `kind` if no kind was given. */
  readonly look: string
  /** How many runs are kept. */
  readonly runs: number
  /** How long they took on average, in seconds. */
  readonly seconds: number
  /** When the newest one ended, RFC 3339 UTC. */
  readonly ended_at: string
}

/**
 * The runs that are remembered: completed attempts, the newest of each kind and look. They are written with
 * the change that completes the item (`Change.run`), in its transaction. Each method is one transaction.
 */
export interface Runs {
  /**
   * The runs of a kind that have this look, the oldest first. If there are none, or if the look is empty because
   * nothing was reported yet, those that look like the newest run of the kind that reported anything; only if the newest
   * three reported nothing, those that did not either. If each of the newest three has another look, the newest runs
   * that reported anything, whatever they look like. Without a kind, the newest runs if there are at least three and
   * all look alike; otherwise none.
   */
  alike(kind: string, look: string): Promise<readonly Run[]>

  /** At most `limit` kinds, the one with the newest run first. */
  kinds(limit: number): Promise<readonly KnownKind[]>

  /** Forgets the runs of a kind; returns how many there were. */
  forget(kind: string): Promise<number>

  /** Whether the server has learned from the items of the history that completed before. */
  hasLearned(): Promise<boolean>

  /**
   * Adds runs from the history, the oldest first, each with the time of its end, and notes that this is done.
   */
  addLearned(runs: readonly (KeptRun & { readonly ended_at: string })[]): Promise<void>
}
