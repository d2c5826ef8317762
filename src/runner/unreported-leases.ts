import { ServerError } from "../client/client.ts"
import { reasonOf } from "../errors.ts"
import { type HeirOptions, settle } from "./inherited-leases.ts"
import { type KeptLease, LeaseFile, leasesIn } from "./lease-file.ts"

/** One lease that is held. */
export interface UnreportedLease {
  /** Notes a change: a new token, or a verdict that is about to be reported. */
  readonly change: (change: Partial<KeptLease>) => void
  /** Forgets the lease, because it has ended. */
  readonly end: () => void
}

/**
 * The leases that a worker holds, kept in a file where that is possible, and those that it takes over from workers of
 * the same user that are gone. A disk that fails stops no render: the leases are then in memory alone, until it works again.
 */
export class UnreportedLeases {
  readonly #heir: HeirOptions
  readonly #server: string
  /** The leases that we hold, by token. */
  readonly #held = new Map<string, KeptLease>()
  /** The leases that we took over from an earlier worker, by token. */
  readonly #pending = new Map<string, KeptLease>()
  #folder: string | undefined
  #file: LeaseFile | undefined
  #isFailing = false

  /** `folder` is for what this user's workers keep; undefined keeps the leases in memory alone. */
  constructor(folder: string | undefined, server: string, heir: HeirOptions) {
    this.#heir = heir
    this.#server = server
    this.#folder = folder
    this.#withFile(() => undefined)
  }

  /** The descriptor of the locked file, for the guard; undefined without a file. */
  get descriptor(): number | undefined {
    return this.#file?.descriptor
  }

  /** Whether the leases outlive us. */
  get isKept(): boolean {
    return this.#file !== undefined && !this.#isFailing
  }

  /** Keeps a lease that was claimed. */
  hold(lease: KeptLease): UnreportedLease {
    let current = lease
    this.#set(current)
    return {
      change: (change) => {
        const before = current
        current = { ...current, ...change }
        if (before.token !== current.token) this.#remove(before)
        this.#set(current)
      },
      end: () => this.#remove(current),
    }
  }

  /**
   * Takes over what workers that are gone have left behind, and ends each of these leases: by its verdict, or back to
   * the queue. What could not be ended is tried again at the next call.
   * @throws ServerError when the server cannot be reached or does not let us in
   */
  async inherit(): Promise<void> {
    const adopted = this.#withFile((file) => file.adopt()) ?? []
    for (const lease of adopted) this.#pending.set(lease.token, lease)
    for (const lease of this.#pending.values()) {
      if (!(await settle(this.#heir, lease))) continue
      this.#pending.delete(lease.token)
      this.#remove(lease)
    }
  }

  /** Gives up the file; what it still lists is for the next worker. */
  close(): void {
    this.#try(() => this.#file?.close())
    this.#folder = this.#file = undefined
  }

  #set(lease: KeptLease): void {
    this.#held.set(lease.token, lease)
    this.#withFile((file) => file.set(lease))
  }

  #remove({ token }: KeptLease): void {
    this.#held.delete(token)
    this.#withFile((file) => file.remove(token))
  }

  #withFile<T>(work: (file: LeaseFile) => T): T | undefined {
    return this.#try(() => {
      const file = this.#opened()
      return file && work(file)
    })
  }

  /** The file, created now if the folder was not there, or not ours to write, until now. */
  #opened(): LeaseFile | undefined {
    if (this.#file || this.#folder === undefined) return this.#file
    this.#file = new LeaseFile(leasesIn(this.#folder), this.#server)
    for (const lease of this.#held.values()) this.#file.set(lease)
    return this.#file
  }

  /**
   * Works on the file. After a failure it is tried again at the next change, and each time we look for leases
   * that others left behind.
   */
  #try<T>(work: () => T): T | undefined {
    try {
      const result = work()
      this.#isFailing = false
      return result
    } catch (error) {
      if (error instanceof ServerError) throw error
      if (!this.#isFailing) {
        const reason = reasonOf(error)
        this.#heir.say(
          `leases cannot be kept on the disk: ${reason}; after a crash, items wait until their leases end`,
        )
      }
      this.#isFailing = true
      return undefined
    }
  }
}
