import { every, type Repetition, type Service } from "../service.ts"
import type { Instance, InstanceReport, Instances } from "../store/instances.ts"

const TELL_MS = 5000
/** What a server told that has been silent for so long counts no more. */
const SILENT_MS = 3 * TELL_MS

/** What is told, and who hears of errors. */
export interface FleetOptions {
  /** What this server is now. */
  readonly report: () => InstanceReport
  /** Takes what the other servers tell of themselves. */
  readonly onOthers: (others: readonly Instance[]) => void
  /** Called when it could not be told; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/** Tells the servers of one database about each other: by it each of them knows all. */
export class Fleet implements Service {
  readonly #instances: Instances
  readonly #options: FleetOptions
  #turns: Repetition | undefined

  constructor(instances: Instances, options: FleetOptions) {
    this.#instances = instances
    this.#options = options
  }

  /** Tells of this server, and each 5 s from then on. */
  async start(): Promise<void> {
    const turn = async (): Promise<void> => void (await this.all())
    this.#turns = every(TELL_MS, turn, this.#options.onError)
    await turn().catch(this.#options.onError)
  }

  /** Tells nothing more. */
  async stop(): Promise<void> {
    await this.#turns?.stop()
  }

  /** All servers that are there, this one as it is now. */
  async all(): Promise<readonly Instance[]> {
    const { report, onOthers } = this.#options
    await this.#instances.tell(report())
    const all = await this.#instances.all()
    const own = all.find(({ id }) => id === this.#instances.own)
    const sinceMs = Date.parse(own?.seen_at ?? "") - SILENT_MS
    onOthers(all.filter((one) => one !== own && Date.parse(one.seen_at) > sinceMs))
    return all
  }
}
