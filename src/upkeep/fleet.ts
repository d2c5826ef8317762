import { Repeating } from "../background-work.ts"
import type { Instance, InstanceReport, Instances } from "../store/contract/instances.ts"

/**
 * A server writes in its own round, and the others read that in their next round. This takes at most two rounds.
 */
const ROUND_MS = 2000
/** A server that has not written for this time no longer counts. */
const SILENT_MS = 15_000

/** The report of this server about itself, and the callbacks for the reports of the others. */
export interface FleetOptions {
  /** The present report of this server. */
  readonly report: () => InstanceReport
  /** Called with the other servers that are running, after each round. */
  readonly onOthers: (others: readonly Instance[]) => void
  /** Called if the database could not be written or read. The next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * The servers of one database know each other: each writes a report about itself into the database, and reads
 * the reports of the others.
 */
export class Fleet extends Repeating {
  readonly #instances: Instances
  readonly #options: FleetOptions

  constructor(instances: Instances, options: FleetOptions) {
    super(ROUND_MS, options.onError)
    this.#instances = instances
    this.#options = options
  }

  /** Writes the report of this server into the database at once, and then every 2 s. */
  override async start(): Promise<void> {
    await super.start()
    await this.round().catch(this.#options.onError)
  }

  /** Writes the present report of this server, and reads those of the others. */
  async round(): Promise<void> {
    await this.all()
  }

  /** Writes the present report of this server, and returns all servers, also those that stopped lately. */
  async all(): Promise<readonly Instance[]> {
    const { report, onOthers } = this.#options
    await this.#instances.write(report())
    const all = await this.#instances.all()
    const own = all.find(({ id }) => id === this.#instances.own)
    const sinceMs = Date.parse(own?.seen_at ?? "") - SILENT_MS
    onOthers(all.filter((one) => one !== own && Date.parse(one.seen_at) > sinceMs))
    return all
  }
}
