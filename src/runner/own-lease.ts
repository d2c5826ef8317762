import { type Claimed, type Client, type Held, ServerError } from "../client/client.ts"
import type { QueueItem } from "../item/item.ts"
import { isMissing, isRefused, isUnreachable } from "./server-errors.ts"
import { stopwatch } from "./suspended-machine.ts"

/** A lease that ran out is noticed within this time. */
const RESCUED_WITHIN_MS = 2000

/** What tells the item of a lease, and its attempt, from others. */
export interface Begun extends Pick<QueueItem, "attempt"> {
  /**
   * When the item was added: if the database was replaced since, the same number may belong to another song. Absent if that is
   * unknown.
   */
  readonly queued_at?: string | undefined
}

/** The claims of this program by place whose answers were lost: each of them may hold any item that its tags fit. */
export class LostClaims {
  #count = 0
  #passedMs = stopwatch()

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** How long ago the last one was. */
  get lastMs(): number {
    return this.#passedMs()
  }

  /** Notes that a claim got no answer, though it may have been carried out. */
  add(): void {
    this.#count += 1
    this.#passedMs = stopwatch()
  }
}

/** Who holds a lease, and how it is claimed again. */
export interface OwnLeaseOptions {
  /** The server that gives the lease. */
  readonly client: Client
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** Once the item is there: which one it is, and the number of its attempt. Default: unknown. */
  readonly begun?: () => Begun | undefined
  /**
   * Whether the item is still ours if its attempts are counted from the beginning: after a restore, or after a person
   * has retried it. Default: it is.
   */
  readonly isOursAfterRetry?: () => boolean
  /** How many claims of an earlier worker may have been carried out, though it read no answer. Default 0. */
  readonly unanswered?: number
  /** The claims by place of the same program. Default: it makes none. */
  readonly lostClaims?: LostClaims
  /** Prints a line for the user. */
  readonly say: (text: string) => void
  /**
   * Called with how many claims of a lost item may have been carried out without an answer: before each claim, which
   * then counts, and after a claim that has failed.
   */
  readonly onUnanswered?: (claims: number) => void
  /** Called when an item was claimed again after its lease was lost; default: nothing. */
  readonly onClaimedAgain?: (claimed: Claimed) => void
}

/** What notes how claims of a lost item go, so that a next worker can go on with them. */
export type ClaimNotes = Required<Pick<OwnLeaseOptions, "onUnanswered" | "onClaimedAgain">>

/** The error for an item that only has the number of ours. */
function otherItem(id: number): ServerError {
  const text = `the server has begun a new queue, in which queue item ${id} is another one`
  return new ServerError(404, text, { code: "not_found" })
}

/** The lease of one item. It is claimed again after it was lost, unless another attempt has begun meanwhile. */
export class OwnLease {
  readonly #options: OwnLeaseOptions
  readonly #first: () => Promise<Held>
  #held: Held | undefined
  #last: Held | undefined
  #taking: Promise<Held> | undefined
  #begun: Begun | undefined
  /** Whether the last claim that was made elsewhere is ours. */
  #isTakenOver: Promise<boolean> = Promise.resolve(false)
  /** How many claims since the last lease may have been carried out, though their answers were lost. */
  #unanswered: number
  /** How many claims by place had got no answer when the lease was last known to be ours. */
  #lostBefore: number
  /** How long ago the server was last away: a lease becomes longer by that time. */
  #backMs = stopwatch()

  /** `first` gets the item and its lease; it is called again if the server could not be reached. */
  constructor(options: OwnLeaseOptions, first: () => Promise<Held>) {
    this.#options = options
    this.#first = first
    this.#unanswered = options.unanswered ?? 0
    this.#lostBefore = this.#lostCount
  }

  /** A lease that is held already; `begun` is its item. */
  static of(held: Held, begun: Begun, options: OwnLeaseOptions): OwnLease {
    const lease = new OwnLease(options, () => Promise.resolve(held))
    lease.#held = lease.#last = held
    lease.#begun = begun
    return lease
  }

  /** The item and its lease; undefined before they are there, and between a lost lease and the next claim. */
  get held(): Held | undefined {
    return this.#held
  }

  /** The lease that we hold, or the last one that we held. */
  get last(): Held | undefined {
    return this.#last
  }

  /** The item and its lease. If we hold no lease, the item is claimed, in one try. @throws ServerError */
  hold(): Promise<Held> {
    if (this.#held) return Promise.resolve(this.#held)
    this.#taking ??= this.#take()
      .catch(async (error: unknown) => {
        // The item may have been taken over meanwhile, so that our claim was refused.
        await this.#isTakenOver
        if (this.#held) return this.#held
        // In the right database the lease may still be ours.
        if (isMissing(error)) this.#held = this.#last
        throw error
      })
      .finally(() => {
        this.#taking = undefined
      })
    return this.#taking
  }

  /** Whether a claim whose answer was lost may hold the item: then it can be claimed once that lease has run out. */
  get isPerhapsOurs(): boolean {
    const { leaseS, lostClaims } = this.#options
    const mostMs = leaseS * 1000 + RESCUED_WITHIN_MS
    const isByPlace = this.#lostCount > this.#lostBefore && (lostClaims?.lastMs ?? mostMs) < mostMs
    return isByPlace || (this.#unanswered > 0 && this.#backMs() < mostMs)
  }

  /** Notes that the server has just said that the lease is ours. */
  confirmed(): void {
    this.#lostBefore = this.#lostCount
  }

  /**
   * Holds the item by a claim that was made elsewhere in this program, unless another attempt has begun since the lease
   * was lost. It does not if `isWanted` returns false once that is known; default: it returns true. Returns whether it
   * holds the item now.
   */
  takeOver(claimed: Claimed, isWanted = (): boolean => true): Promise<boolean> {
    return (this.#isTakenOver = this.#goesOnBy(claimed, isWanted))
  }

  async #goesOnBy({ item, lease }: Claimed, isWanted: () => boolean): Promise<boolean> {
    const last = this.#last
    if (!this.isFor(item) || !(await this.#isOurs(item))) return false
    // A lease that we have got meanwhile is newer than this one.
    if (this.#last !== last || !isWanted()) return false
    this.#begun = item
    this.#answered()
    this.#held = this.#last = { id: item.id, token: lease.token }
    this.#options.onClaimedAgain?.({ item, lease })
    return true
  }

  /** Whether this is our item, and not another one with its number. */
  isFor(item: QueueItem): boolean {
    return this.#last?.id === item.id && !this.#isOther(item)
  }

  /** This lease was lost. If it is still the one that we hold, we hold none any more. */
  lost(held: Held | undefined): void {
    if (this.#held === held) this.#held = undefined
  }

  async #take(): Promise<Held> {
    this.#held = this.#last = this.#last ? await this.#again(this.#last) : await this.#begin()
    return this.#held
  }

  async #begin(): Promise<Held> {
    const held = await this.#first()
    this.#begun = this.#options.begun?.()
    return held
  }

  async #again(last: Held): Promise<Held> {
    const { client, worker, leaseS, say } = this.#options
    const { id } = last
    await this.#checkStillThere(id)
    this.#options.onUnanswered?.(this.#unanswered + 1)
    const claimed = await client.take(id, { worker, lease: leaseS }, last).catch((error: unknown) => {
      if (error instanceof ServerError && isUnreachable(error)) this.#unreachable(error)
      this.#options.onUnanswered?.(this.#unanswered)
      throw error
    })
    const held = { id, token: claimed.lease.token }
    await this.#checkNoOther(held, claimed.item)
    say(`the lease of queue item ${id} is no longer in force; claimed the item again`)
    this.#options.onClaimedAgain?.(claimed)
    return held
  }

  /** A claim of an item that only has the number of ours would count as one of its attempts. @throws ServerError */
  async #checkStillThere(id: number): Promise<void> {
    let item: QueueItem | undefined
    try {
      item = await this.#options.client.get(id)
    } catch (error) {
      if (isMissing(error)) throw error
      // Perhaps we may not read; the claim tells.
    }
    if (item && this.#isOther(item)) throw otherItem(id)
  }

  get #lostCount(): number {
    return this.#options.lostClaims?.count ?? 0
  }

  /** A claim has told us who holds the item. */
  #answered(): void {
    this.#unanswered = 0
    this.confirmed()
  }

  #unreachable(error: ServerError): void {
    if (!isRefused(error)) this.#unanswered += 1
    this.#backMs = stopwatch()
  }

  /**
   * If another attempt has begun and ended meanwhile, it may have written the same file, so that what we render is
   * worth nothing: the item goes back to the queue. So does the item of another song that has its number.
   */
  async #checkNoOther(held: Held, item: QueueItem): Promise<void> {
    const [isOther, isOurs] = [this.#isOther(item), await this.#isOurs(item)]
    if (!isOther) this.#begun = item
    this.#answered()
    if (isOurs && !isOther) return
    // If that fails, the lease ends by itself.
    await this.#options.client.release(held).catch(() => undefined)
    const { id } = held
    if (isOther) throw otherItem(id)
    const text = `another attempt of queue item ${id} has begun since its lease ended`
    throw new ServerError(409, text, { code: "illegal_move" })
  }

  /** Whether an item only has the number of ours: the server has begun a new database. */
  #isOther({ queued_at }: QueueItem): boolean {
    const before = this.#begun?.queued_at
    return before !== undefined && before !== queued_at
  }

  /** Whether no other attempt has begun, if a claim has just begun this one. */
  async #isOurs({ id, attempt }: QueueItem): Promise<boolean> {
    const before = this.#begun?.attempt
    if (before === undefined) return true
    const lost = this.#unanswered + this.#lostCount - this.#lostBefore
    if (attempt <= before) return this.#options.isOursAfterRetry?.() ?? true
    if (attempt === before + 1) return true
    // In a long outage many claims get no answer, but few or none of them are carried out.
    return attempt <= before + 1 + lost && !(await this.#wasTaken(id, before, attempt))
  }

  /**
   * Whether the history shows that another worker had the item between two attempts. Our own claims whose answers were
   * lost only began, and lost their leases. False if the history cannot be read.
   */
  async #wasTaken(id: number, before: number, until: number): Promise<boolean> {
    const { client, worker: own } = this.#options
    try {
      for (let after = 0; ;) {
        const { updates, next } = await client.history(id, after)
        const between = updates.filter(({ attempt = 0 }) => attempt > before && attempt < until)
        // An item whose worker was lost names no worker; neither does one that is rendered without a lease.
        const isOthers = ({ worker = "", status }: (typeof updates)[number]): boolean =>
          status === "processing" ? worker !== own : status === "queued" || worker !== ""
        if (between.some(isOthers)) return true
        if (!next || next <= after) return false
        after = next
      }
    } catch {
      return false
    }
  }
}
