/** A worker as one server knows it. */
export interface WorkerReport {
  /** Its name. */
  readonly worker: string
  /** Its tags. */
  readonly tags: readonly string[]
  /** The version of the worker's program; empty if it did not say. */
  readonly version: string
  /** Whether it takes items by their place. */
  readonly isTaking: boolean
  /** Whether one of its claims waits at this server. */
  readonly isWaiting: boolean
  /** When it last claimed or reported, in epoch milliseconds. */
  readonly heardMs: number
  /** Since when it has held no item, in epoch milliseconds. */
  readonly idleMs: number
  /** The starts of the worker's program that are known, the latest last. */
  readonly starts: readonly string[]
  /** The starts that must take no more items; null if the worker is not drained. */
  readonly drained: readonly string[] | null
  /** When it was last drained or allowed to take items again, in epoch milliseconds; 0 for never. */
  readonly drainedMs: number
}

/** What a server writes about itself into the database. */
export interface InstanceReport {
  /** The name that its owner gave it; by default the name of its machine. */
  readonly name: string
  /** Its version. */
  readonly version: string
  /** Where it listens, as a URL. */
  readonly address: string
  /** When it started, RFC 3339 UTC. */
  readonly since: string
  /** How many streams are open on it. */
  readonly streams: number
  /** The workers that it knows: its crew. */
  readonly crew: readonly WorkerReport[]
}

/** A server that uses the database. */
export interface Instance extends InstanceReport {
  /** The ID of the server, which is different after each start. */
  readonly id: string
  /** When it last wrote about itself, RFC 3339 UTC. */
  readonly seen_at: string
}

/** The servers that use one database, as they find each other in it. */
export interface Instances {
  /** The id of this server. */
  readonly own: string

  /** Writes the present facts about this server. A server is forgotten one minute after its last write. */
  write(report: InstanceReport): Promise<void>

  /**
   * The servers that are known, this one among them once it has written about itself, in the order of their
   * starts.
   */
  all(): Promise<readonly Instance[]>
}
