import { Repeating } from "../service.ts"
import type { Instance, InstanceReport, Instances } from "../store/contract/instances.ts"

/** The others read in their next turn what a server writes in its own, so at the latest two turns later. */
const TURN_MS = 2000
/** A server that has been silent for this long no longer counts. */
const SILENT_MS = 15_000

/** What a server writes about itself, and what is called with the reports of the others. */
export interface FleetOptions {
  /** What this server is now. */
  readonly report: () => InstanceReport
  /** Called with the other servers that are running, after each turn. */
  readonly onOthers: (others: readonly Instance[]) => void
  /** Called when the database could not be written or read; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/** The servers of one database know each other: each writes about itself into the database, and reads the others there. */
export class Fleet extends Repeating {
  readonly #instances: Instances
  readonly #options: FleetOptions

  constructor(instances: Instances, options: FleetOptions) {
    super(TURN_MS, options.onError)
    this.#instances = instances
    this.#options = options
  }

  /** Writes this server into the database at once, and every 2 s from then on. */
  override async start(): Promise<void> {
    await super.start()
    await this.turn().catch(this.#options.onError)
  }

  /** Writes this server as it is now, and reads the others. */
  async turn(): Promise<void> {
    await this.all()
  }

  /** Writes this server as it is now, and returns all servers, those that stopped lately included. */
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
