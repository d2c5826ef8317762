import type { Instance, InstanceReport, Instances } from "../contract/instances.ts"

/** The Instances on SQLite. Only one server has the file, so there are no other servers. */
export class SqliteInstances implements Instances {
  readonly own = crypto.randomUUID()
  readonly #now: () => number
  #self: Instance | undefined

  /** `now` is the clock, in epoch milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  async write(report: InstanceReport): Promise<void> {
    this.#self = { id: this.own, ...report, seen_at: new Date(this.#now()).toISOString() }
  }

  async all(): Promise<readonly Instance[]> {
    return this.#self ? [this.#self] : []
  }
}
