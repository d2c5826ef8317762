import { type Client, type FailRequest, type Held, ServerError, type WorkerAnswer } from "../client/client.ts"
import type { Report } from "../item/item.ts"
import { Patience, pause } from "./patience.ts"
import { Spool } from "./spool.ts"

/** Between two reports. */
const REPORT_EVERY_MS = 250
/** Between two held heartbeats: a server that cannot hold them is not to be stormed. */
const HEARTBEAT_PAUSE_MS = 50
const MAX_HELD_S = 20
/** How long the last report of a lent item may take: whoever lent it waits. */
const LENT_WITHIN_MS = 5000
/** The least that a try to report the end is given to be answered. */
const LAST_TRY_MS = 1500

/** Whether the server says nothing of the item, be it for now, be it that something in its place answers. */
const isAway = ({ isPassing, code }: ServerError): boolean => isPassing || code === ""

/** How a worker ends its lease. */
export type Verdict =
  | { readonly end: "complete" }
  | { readonly end: "fail"; readonly failure: FailRequest }
  | { readonly end: "release" }

/** Whom to report to, as whom, and whom to tell. */
export interface ReporterOptions {
  readonly client: Client
  readonly worker: string
  readonly leaseS: number
  /** The item belongs to the command that started us: it renews the lease, learns of a cancel, and ends it. */
  readonly isLent?: boolean
  /** Told what a user should know. */
  readonly say: (text: string) => void
  /** Called once, when the work is to stop, with the reason. */
  readonly onCancel: (reason: string) => void
}

/**
 * Reports the work on one item, whatever becomes of the server.
 *
 * It renews the lease, learns of a cancel the moment it is requested, and sends reports, a few a second at most. While
 * the server is away it keeps what is new and tries on. A lease that was lost is claimed again: only when somebody
 * else has the item, or it was called off or deleted, is the work told to stop.
 */
export class Reporter {
  readonly #options: ReporterOptions
  readonly #first: () => Promise<Held>
  readonly #spool = new Spool()
  readonly #over = new AbortController()
  readonly #loops: Promise<void>[] = []
  #id: number | undefined
  #held: Held | undefined
  #taking: Promise<Held> | undefined
  #isAway = false
  #isCancelled = false
  #isRefused = false
  #hasGivenUp = false

  /** `first` gets the item; it is called again while the server is away. @throws what `first` throws, from `hold` */
  constructor(options: ReporterOptions, first: () => Promise<Held>) {
    this.#options = options
    this.#first = first
  }

  /** The item and its lease, got now where there is none; one try. @throws ServerError */
  hold(): Promise<Held> {
    if (this.#held) return Promise.resolve(this.#held)
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined
    })
    return this.#taking
  }

  /** Gets the item before the work begins; the server may be away. @throws ServerError when the item cannot be had */
  async begin(): Promise<void> {
    try {
      await this.hold()
    } catch (error) {
      if (!(error instanceof ServerError && isAway(error))) throw error
      this.#away(error)
    }
  }

  /** The item and its lease, if there is one now. */
  get held(): Held | undefined {
    return this.#held
  }

  /** Begins to report and to renew the lease, trying on while the server is away. */
  start(): void {
    this.#loops.push(this.#sending())
    if (!this.#options.isLent) this.#loops.push(this.#renewing())
  }

  /** Takes note of progress. */
  push(report: Report): void {
    this.#spool.push(report)
  }

  /**
   * Sends what is left and the verdict; tries for `withinMs`, or until the signal aborts, where the server is away.
   * Answers whether the server knows it.
   */
  async finish(verdict: Verdict, withinMs: number, signal: AbortSignal): Promise<boolean> {
    this.#over.abort()
    const { isLent = false, say } = this.#options
    const deadlineMs = performance.now() + (isLent ? Math.min(withinMs, LENT_WITHIN_MS) : withinMs)
    const patience = this.#patience()
    while (!this.#hasGivenUp) {
      let held: Held | undefined
      const end = async (): Promise<void> => {
        await Promise.all(this.#loops)
        held = await this.hold()
        await this.#flush(held)
        if (!isLent) await this.#deliver(held, verdict)
      }
      try {
        await answered(end(), Math.max(LAST_TRY_MS, deadlineMs - performance.now()))
        return true
      } catch (error) {
        this.#trouble(error, held)
        if (this.#hasGivenUp) break
        if (signal.aborted || performance.now() > deadlineMs) {
          if (!isLent) say(`the end of the work could not be reported: ${reasonOf(error)}`)
          break
        }
      }
      await patience.wait(signal)
    }
    return false
  }

  /** A server that is back gives a lease one length more, in which it must hear of us. */
  #patience(): Patience {
    return new Patience((this.#options.leaseS * 1000) / 4)
  }

  async #take(): Promise<Held> {
    const { client, worker, leaseS, say } = this.#options
    if (this.#id === undefined) {
      this.#held = await this.#first()
      this.#id = this.#held.id
      return this.#held
    }
    const claimed = await client.claim({ worker, lease: leaseS, id: this.#id })
    if (!claimed) throw new Error(`queue item ${this.#id} was not claimed`)
    say(`the lease of queue item ${this.#id} had run out; it was claimed again`)
    this.#held = { id: this.#id, token: claimed.lease.token }
    return this.#held
  }

  /** Renews the lease for as long as the work goes on. */
  async #renewing(): Promise<void> {
    const { client, leaseS } = this.#options
    const { signal } = this.#over
    const waitS = Math.min(MAX_HELD_S, Math.ceil(leaseS / 2))
    const patience = this.#patience()
    while (!signal.aborted) {
      let held: Held | undefined
      try {
        held = await this.hold()
        this.#heard(await client.heartbeat(held, this.#isCancelled ? 0 : waitS, signal))
        patience.reset()
        await pause(this.#isCancelled ? leaseS * 300 : HEARTBEAT_PAUSE_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#trouble(error, held)
        await patience.wait(signal)
      }
    }
  }

  async #sending(): Promise<void> {
    const { signal } = this.#over
    const patience = this.#patience()
    for (;;) {
      await this.#spool.filled(signal)
      if (signal.aborted) return
      let held: Held | undefined
      try {
        held = await this.hold()
        await this.#send(held)
        patience.reset()
        await pause(REPORT_EVERY_MS, signal)
      } catch (error) {
        this.#trouble(error, held)
        await patience.wait(signal)
      }
    }
  }

  /** Sends the oldest report. What could not be sent stays; what the server cannot read goes. */
  async #send(held: Held): Promise<boolean> {
    const report = this.#spool.take()
    if (!report) return false
    try {
      this.#heard(await this.#options.client.report(held, report))
    } catch (error) {
      if (!(error instanceof ServerError) || (error.status !== 413 && error.status !== 422)) {
        this.#spool.giveBack(report)
        throw error
      }
    }
    return true
  }

  async #flush(held: Held): Promise<void> {
    while (await this.#send(held));
  }

  async #deliver(held: Held, verdict: Verdict): Promise<void> {
    const { client } = this.#options
    if (verdict.end === "complete") await client.complete(held)
    else if (verdict.end === "fail") await client.fail(held, verdict.failure)
    else await client.release(held)
  }

  #heard({ directive, item }: WorkerAnswer): void {
    if (this.#isAway) this.#options.say("the server is back")
    this.#isAway = false
    if (directive === "cancel" && !this.#options.isLent) this.#cancel(`queue item ${item.id} was called off`)
  }

  #cancel(reason: string): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    this.#options.onCancel(reason)
  }

  /** What an error means for the work: mostly nothing. */
  #trouble(error: unknown, held: Held | undefined): void {
    if (!(error instanceof ServerError)) return this.#giveUp(error)
    if (isAway(error)) return this.#away(error)
    const isOurs = !this.#options.isLent && !this.#isCancelled
    if (error.code === "lease_lost" && isOurs) {
      if (this.#held === held) this.#held = undefined
      return
    }
    // It may be our own claim, whose answer was lost: then its lease will run out.
    if (error.code === "illegal_move" && this.#id === undefined) return this.#refused(error)
    this.#giveUp(error)
  }

  #away(error: ServerError): void {
    if (!this.#isAway)
      this.#options.say(`${error.message}; the work goes on, and is reported when it answers`)
    this.#isAway = true
  }

  #refused(error: ServerError): void {
    if (!this.#isRefused)
      this.#options.say(`${error.message}; the work goes on, and the claim is tried again`)
    this.#isRefused = true
  }

  #giveUp(error: unknown): void {
    this.#hasGivenUp = true
    this.#over.abort()
    const { isLent, say } = this.#options
    if (isLent || this.#isCancelled) return
    const code = error instanceof ServerError ? error.code : ""
    const isTaken = code === "illegal_move" || code === "gone"
    if (isTaken && this.#id !== undefined) this.#cancel(reasonOf(error))
    else say(`${reasonOf(error)}; the work goes on without reports`)
  }
}

/** What is done within that time. @throws ServerError when it is not; it may be done yet */
async function answered(done: Promise<void>, withinMs: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new ServerError(0, "the server did not answer in time")), withinMs)
  try {
    await Promise.race([done, promise])
  } finally {
    clearTimeout(timer)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
