import type { Claimed } from "../client/client.ts"
import { reasonOf } from "../errors.ts"
import { type KeptLease, LeaseFile, leasesIn } from "./lease-file.ts"
import { type HeirOptions, LeaseOfKilledWorker } from "./leases-of-killed-workers.ts"
import type { ClaimNotes } from "./own-lease.ts"
import { stopwatch } from "./suspended-machine.ts"
import type { Verdict } from "./verdict.ts"

/** Within this time a guard has ended its commands, and a living worker has noticed that it lost a lease. */
const GIVEN_UP_WITHIN_MS = 5000
/** How often to look whether it has. */
const LOOK_MS = 50

/** One lease that we hold. */
export interface WorkerLease {
  /** Notes the verdict, which is about to be reported. */
  readonly onVerdict: (verdict: Verdict) => void
  /** These note how the item is claimed again. */
  readonly notes: ClaimNotes
  /** Goes on reporting the verdict at each `inherit`, because the server does not have the item now. */
  readonly tryOn: () => void
  /** Forgets the lease, because it has ended. */
  readonly end: () => void
}

/**
 * The leases that a worker holds, and those that it takes over from workers of the same user that are gone.
 * They are kept in a file if possible. A disk that fails stops no render: until it works again, the leases
 * are only in memory.
 */
export class WorkerLeases {
  readonly #heir: HeirOptions
  /** The leases that we hold, by token. */
  readonly #held = new Map<string, KeptLease>()
  /** The leases that we took over from an earlier worker, and how each is kept. */
  readonly #pending = new Map<LeaseOfKilledWorker, WorkerLease>()
  #file: LeaseFile | undefined
  #isFailing = false
  /** How many files of other versions were said to be there. */
  #unreadableCount = 0

  /**
   * `folder` is the folder for what this user's workers store. If it is undefined, the leases are kept only
   * in memory.
   */
  constructor(folder: string | undefined, server: string, heir: HeirOptions) {
    this.#heir = heir
    this.#file = folder === undefined ? undefined : new LeaseFile(leasesIn(folder), server)
    this.#try(() => this.#file?.save())
  }

  /** The descriptor of the locked file, for the guard; undefined if there is no file. */
  get descriptor(): number | undefined {
    return this.#file?.descriptor
  }

  /** Whether the leases are still there after this process has ended. */
  get isKept(): boolean {
    return this.#file !== undefined && !this.#isFailing
  }

  /** Keeps a lease that was claimed. */
  hold(lease: KeptLease): WorkerLease {
    let current = lease
    this.#set(current)
    const change = (part: Partial<KeptLease>): void => {
      const { token } = current
      current = { ...current, ...part }
      this.#set(current, token)
    }
    const kept: WorkerLease = {
      onVerdict: (verdict) => change({ verdict }),
      notes: {
        onUnanswered: (unanswered) => {
          if (unanswered !== current.unanswered) change({ unanswered })
        },
        onClaimedAgain: ({ item: { attempt }, lease: { token } }) =>
          change({ token, attempt, unanswered: 0 }),
      },
      tryOn: () => void this.#pending.set(new LeaseOfKilledWorker(this.#heir, current, kept.notes), kept),
      end: () => this.#remove(current.token),
    }
    return kept
  }

  /**
   * Takes over the leases of workers that are gone, and ends each of them: by its verdict, or by giving the
   * item back. A lease that could not be ended is tried again at the next call.
   * @throws ServerError if the server cannot be reached or denies us access
   */
  async inherit(): Promise<void> {
    this.#adopt()
    for (const [lease, kept] of this.#pending) {
      if (!(await lease.settle())) continue
      this.#pending.delete(lease)
      kept.end()
    }
  }

  /**
   * Whether a claimed item was already completed by an earlier worker, and need not be rendered again: `inherit`
   * reports that result. While another worker of this user, or the guard of one that was killed, still has the item in
   * its file, it waits for some seconds, and no longer than half of the new lease: its command may be about to end, and
   * we do not know its result yet.
   */
  async takeOver(claimed: Claimed): Promise<boolean> {
    const passedMs = stopwatch()
    const mostMs = Math.min(GIVEN_UP_WITHIN_MS, this.#heir.leaseS * 500)
    while (this.#file?.isListedElsewhere(claimed.item) && passedMs() < mostMs) {
      this.#adopt()
      await Bun.sleep(LOOK_MS)
    }
    for (const lease of [...this.#pending.keys()]) if (await lease.takeOver(claimed)) return true
    return false
  }

  /** Gives up the file. The next worker takes over what it still lists. */
  close(): void {
    this.#try(() => this.#file?.close())
    this.#file = undefined
  }

  #adopt(): void {
    for (const lease of this.#file?.adopt() ?? []) {
      // Two files list a lease if the worker that took it over was killed meanwhile.
      if (this.#held.has(lease.token)) continue
      const kept = this.hold(lease)
      this.#pending.set(new LeaseOfKilledWorker(this.#heir, lease, kept.notes), kept)
    }
    this.#try(() => this.#file?.save())
    this.#sayUnreadable()
  }

  /** Says once of each file that it may hold results which another version of this program must report. */
  #sayUnreadable(): void {
    const paths = [...(this.#file?.unreadable ?? [])]
    for (const path of paths.slice(this.#unreadableCount)) {
      const text = "lists leases of another version of track-studio"
      this.#heir.say(`${path} ${text}; their results are reported once a worker of that version starts`)
    }
    this.#unreadableCount = paths.length
  }

  #set(lease: KeptLease, former = lease.token): void {
    this.#held.delete(former)
    this.#held.set(lease.token, lease)
    this.#try(() => this.#file?.set(lease, former))
  }

  #remove(token: string): void {
    this.#held.delete(token)
    this.#try(() => this.#file?.remove(token))
  }

  /**
   * Works on the file. After a failure it is tried again at the next change, and each time we look for leases
   * of other workers.
   */
  #try(work: () => void): void {
    try {
      work()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) {
        const reason = reasonOf(error)
        this.#heir.say(
          `leases cannot be kept on the disk: ${reason}; after a crash, items wait until their leases end`,
        )
      }
      this.#isFailing = true
    }
  }
}
