/** What a server tells of itself. */
export interface InstanceReport {
  /** What its owner calls it; by default the name of its machine. */
  readonly name: string
  /** Its version. */
  readonly version: string
  /** Where it listens, as a URL. */
  readonly address: string
  /** Since when it runs, RFC 3339 UTC. */
  readonly since: string
  /** How many streams are open on it. */
  readonly streams: number
}

/** A server that uses the database. */
export interface Instance extends InstanceReport {
  /** Another one after each start. */
  readonly id: string
  /** When it told of itself last, RFC 3339 UTC. */
  readonly seen_at: string
}

/** The servers that use one database know each other by it. */
export interface Instances {
  /** The id of this server. */
  readonly own: string

  /** Tells what this server is now; it is forgotten a minute after it told of itself last. */
  tell(report: InstanceReport): Promise<void>

  /** The servers that are known, this one among them once it has told of itself, in the order of their starts. */
  all(): Promise<readonly Instance[]>
}
