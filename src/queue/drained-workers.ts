import { BoundedMap } from "../bounded-map.ts"
import type { WorkerReport } from "../store/contract/instances.ts"

/** How many workers are remembered; the one that was drained or resumed longest ago is forgotten first. */
const MANY = 10_000

/** Whether a worker takes no more items. */
interface Drain {
  /** The starts of the worker that take no more items; null if it may take items again. */
  readonly starts: ReadonlySet<string> | null
  /** Since when this holds, in epoch milliseconds. */
  readonly sinceMs: number
}

/** What servers tell each other about the drain of a worker. */
type DrainReport = Pick<WorkerReport, "worker" | "drained" | "drainedMs">

/**
 * The workers that were drained: they finish their items and take no more. If one server drains a worker and another
 * one resumes it, the later of the two counts.
 */
export class DrainedWorkers {
  readonly #drains = new BoundedMap<string, Drain>(MANY)

  /** Drains the starts of a worker; null lets the worker take items again. */
  set(worker: string, starts: ReadonlySet<string> | null, sinceMs: number): void {
    this.#drains.set(worker, { starts, sinceMs })
  }

  /**
   * Takes another server's report about a worker. Returns whether this drains a worker that was not drained.
   */
  learn({ worker, drained, drainedMs }: DrainReport): boolean {
    if (drainedMs <= (this.#drains.get(worker)?.sinceMs ?? 0)) return false
    this.set(worker, drained && new Set(drained), drainedMs)
    return drained !== null
  }

  /** The report about a worker for the other servers. */
  reportOf(worker: string): DrainReport {
    const { starts = null, sinceMs: drainedMs = 0 } = this.#drains.get(worker) ?? {}
    return { worker, drained: starts && [...starts], drainedMs }
  }

  /** Whether any start of a worker is drained. */
  has(worker: string): boolean {
    return this.#drains.get(worker)?.starts instanceof Set
  }

  /**
   * Whether a start of a worker takes no more items. A start that was not known when the worker was drained takes items
   * again; a worker that does not identify its starts (`instance` is undefined) stays drained.
   */
  isDrained(worker: string, instance: string | undefined): boolean {
    const drained = this.#drains.get(worker)?.starts ?? null
    return drained !== null && (instance === undefined || drained.has(instance))
  }
}
