import { every, type Repetition, type Service } from "../service.ts"
import type { Instance, InstanceReport, Instances } from "../store/instances.ts"

const TELL_MS = 5000

/** What is told, and who hears of errors. */
export interface RegisterOptions {
  /** What this server is now. */
  readonly report: () => InstanceReport
  /** Called when it could not be told; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/** Tells the servers of one database about each other: by it each of them knows all. */
export class Register implements Service {
  readonly #instances: Instances
  readonly #options: RegisterOptions
  #turns: Repetition | undefined

  constructor(instances: Instances, options: RegisterOptions) {
    this.#instances = instances
    this.#options = options
  }

  /** Tells of this server, and each 5 s from then on. */
  async start(): Promise<void> {
    this.#turns = every(TELL_MS, () => this.#tell(), this.#options.onError)
    await this.#tell().catch(this.#options.onError)
  }

  /** Tells nothing more. */
  async stop(): Promise<void> {
    await this.#turns?.stop()
  }

  /** All servers that are there, this one as it is now. */
  async all(): Promise<readonly Instance[]> {
    await this.#tell()
    return this.#instances.all()
  }

  #tell(): Promise<void> {
    return this.#instances.tell(this.#options.report())
  }
}
