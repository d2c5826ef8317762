import { within } from "../background-work.ts"
import { type Claimed, type Held, ServerError, type WorkerAnswer } from "../client/client.ts"
import { LATE_ANSWER, pause } from "../client/missed-keepalives.ts"
import { reasonOf } from "../errors.ts"
import type { Report } from "../item/item.ts"
import { OlderServer } from "./older-server.ts"
import { OutputSender } from "./output-sender.ts"
import { OwnLease, type OwnLeaseOptions } from "./own-lease.ts"
import { RetryPauses } from "./retry-pauses.ts"
import { isDenied, isMissing, isUnreachable, rest } from "./server-errors.ts"
import { watchSuspension } from "./suspended-machine.ts"
import { deliver, type Verdict } from "./verdict.ts"
import { WaitingReports } from "./waiting-reports.ts"

/** The shortest time between two reports. */
const REPORT_EVERY_MS = 250
/** The pause between two held heartbeats: a server that cannot hold them must not get too many. */
const HEARTBEAT_PAUSE_MS = 50
const MAX_HELD_S = 20
/** How long the last report of a lent item may take, because the command that lent the item waits. */
const LENT_WITHIN_MS = 5000
/** The shortest time for each try to report the verdict. */
const LAST_TRY_MS = 1500
/** The error of a try that has used all the time that was left. */
const OUT_OF_TIME = new ServerError(0, LATE_ANSWER)

/** Rejects once the try under way has had its shortest time since the signal aborted; not for a signal that has. */
function cutAfter(signal: AbortSignal): Promise<never> {
  const cut = Promise.withResolvers<never>()
  cut.promise.catch(() => undefined)
  const hurry = (): unknown => setTimeout(cut.reject, LAST_TRY_MS, OUT_OF_TIME).unref()
  signal.addEventListener("abort", hurry, { once: true })
  return cut.promise
}

/** The keys of a report that every version of the server knows. */
const OLDER_KEYS = ["progress", "current_step", "message", "step", "unit", "media"] as const

const olderOf = (report: Report): Report =>
  Object.fromEntries(OLDER_KEYS.flatMap((key) => (key in report ? [[key, report[key]]] : [])))

/**
 * Waits until a time of `performance.now()`, or until the signal aborts. A loop calls this when it has something to
 * send again, not directly after it has sent: then a process that has nothing to send sleeps on.
 */
async function pauseUntil(untilMs: number, signal: AbortSignal): Promise<void> {
  const restMs = untilMs - performance.now()
  if (restMs > 0) await pause(restMs, signal)
}

/** Where and how a reporter reports. */
export interface ReporterOptions extends OwnLeaseOptions {
  /** Whether the lease belongs to the command that started us, which renews and ends it. Default false. */
  readonly isLent?: boolean
  /** Once the item is there: whether another process has begun this attempt. Default: no. */
  readonly isContinued?: () => boolean
  /** Whether the reports come from the reader around a command that may itself report. Default false. */
  readonly isOuter?: boolean
  /** Whether somebody else goes on trying to report a verdict for an item that the server does not have. Default false. */
  readonly isHandedOn?: boolean
  /**
   * Called once, with the reason, when the work must stop. `isTaken`: another worker has the item, or has
   * finished it, and writes the same file.
   */
  readonly onCancel: (reason: string, isTaken: boolean) => void
  /** Called when the worker must take no more items, perhaps more than once; default: nothing. */
  readonly onDrain?: () => void
}

/**
 * What became of a verdict: the server has it, refuses it for good, could not be reached yet, or does not have the item
 * (only with `isHandedOn`).
 */
export type VerdictDelivery = "delivered" | "refused" | "pending" | "missing"

/**
 * Reports the work on one item.
 *
 * It renews the lease, learns of a cancel the moment it is requested, and sends at most four reports a second. While
 * the server cannot be reached, it keeps what is new and tries again. A lease that was lost is claimed again: the work
 * stops only when another worker has the item, or when the item was cancelled or deleted.
 */
export class Reporter {
  readonly #options: ReporterOptions
  readonly #lease: OwnLease
  readonly #waiting = new WaitingReports()
  readonly #over = new AbortController()
  readonly #loops: Promise<void>[] = []
  readonly #outputSender: OutputSender | undefined
  /** Ends the heartbeat under way. */
  #heartbeat: AbortController | undefined
  /** Whether we have stood still since the last heartbeat. */
  #isWoken = false
  #confirmations = 0
  /** What must happen until the server answers again, as the user has read it; empty while it answers. */
  #awaited = ""
  readonly #server = new OlderServer()
  #isCancelled = false
  #isRefused = false
  #hasGivenUp = false

  /** `first` gets the item and its lease. It is called again if the server could not be reached. */
  constructor(options: ReporterOptions, first: () => Promise<Held>) {
    this.#options = options
    this.#lease = new OwnLease(options, first)
    // The output of a command inside another one is sent by the reporter of the outer one.
    if (!options.isLent)
      this.#outputSender = new OutputSender(
        options.client,
        this.#over.signal,
        options.isContinued ?? (() => false),
      )
  }

  /**
   * Gets the item before the work begins, even if the server is unreachable for a while.
   * @throws ServerError if the server refuses
   */
  async begin(): Promise<void> {
    try {
      await this.#lease.hold()
    } catch (error) {
      if (!(error instanceof ServerError && isUnreachable(error))) throw error
      this.#offline(error)
    }
  }

  /** The item and its lease; undefined before they are there, and between a lost lease and the next claim. */
  get held(): Held | undefined {
    return this.#lease.held
  }

  /** The lease that we hold, or the last one that we held; undefined if there was none. */
  get last(): Held | undefined {
    return this.#lease.last
  }

  /** Whether the lease belongs to the command that started us. */
  get isLent(): boolean {
    return this.#options.isLent ?? false
  }

  /**
   * Holds our item by a claim that was made elsewhere in this program, if `isWanted` still returns true once it is known
   * to be ours. Returns whether it holds the item now.
   */
  async takeOver(claimed: Claimed, isWanted: () => boolean): Promise<boolean> {
    const isOn = (): boolean => !this.#hasGivenUp && !this.#isCancelled && isWanted()
    return isOn() && this.#lease.takeOver(claimed, isOn)
  }

  /**
   * Gives our item up if this is a claim of it, because another attempt of it begins in this program: the work must stop.
   * Returns whether it is our item.
   */
  giveWay({ item }: Claimed): boolean {
    if (!this.#lease.isFor(item)) return false
    const text = `another attempt of queue item ${item.id} has begun since its lease ended`
    this.#giveUp(new ServerError(409, text, { code: "illegal_move" }))
    return true
  }

  /** Begins to send reports and to renew the lease. */
  start(): void {
    this.#loops.push(this.#sending())
    if (!this.#options.isLent) {
      this.#loops.push(this.#renewing())
      const watch = watchSuspension(() => this.ask())
      this.#over.signal.addEventListener("abort", () => void watch.stop())
    }
    if (this.#outputSender) this.#loops.push(this.#sendOutput(this.#outputSender))
  }

  /**
   * Sends, a little later, what the command prints on an output, 1 or 2. The bytes must not change any more.
   */
  print(bytes: Uint8Array, output: number): void {
    this.#outputSender?.push(bytes, output)
  }

  /** Asks at once whether the lease is still ours, by a connection that is not dead; see `confirmations`. */
  ask(): void {
    this.#isWoken = true
    this.#heartbeat?.abort()
  }

  /** How often the server has answered `ask` by saying that the lease is ours. */
  get confirmations(): number {
    return this.#confirmations
  }

  /** Queues a report; the newest of each step is sent. */
  push(report: Report): void {
    this.#waiting.push(this.#options.isOuter ? { ...report, outer: true } : report)
  }

  /**
   * Sends what is left, and then the verdict. Without a verdict, or with a lent item, the lease is kept. If
   * the server is unreachable or denies us access, it tries again for `withinMs`, or until the signal aborts: then a
   * try that is under way has a moment left.
   * Never rejects.
   */
  async finish(
    verdict: Verdict | undefined,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<VerdictDelivery> {
    this.#over.abort()
    const { isLent = false, say } = this.#options
    const deadlineMs = performance.now() + (isLent ? Math.min(withinMs, LENT_WITHIN_MS) : withinMs)
    const pauses = this.#pauses()
    const cut = cutAfter(signal)
    while (!this.#hasGivenUp) {
      let held: Held | undefined
      const end = async (): Promise<void> => {
        await Promise.all(this.#loops)
        held = await this.#lease.hold()
        // Both requests are sent at the same time, so that the server waits for its disk only once.
        const both = await Promise.allSettled([this.#flush(held), this.#outputSender?.finish(held)])
        for (const each of both) if (each.status === "rejected") throw each.reason
        if (verdict && !isLent) await deliver(this.#options.client, held, verdict)
      }
      try {
        const tried = Promise.race([end(), cut])
        if (!(await within(Math.max(LAST_TRY_MS, deadlineMs - performance.now()), tried))) throw OUT_OF_TIME
        return "delivered"
      } catch (error) {
        this.#failed(error, held)
        if (this.#hasGivenUp) return "refused"
        if (isMissing(error) && this.#options.isHandedOn) return "missing"
        // A timer may fire a moment before the deadline, while the request of that try is not finished.
        if (error === OUT_OF_TIME || signal.aborted || performance.now() > deadlineMs) {
          if (!isLent) say(`could not report the result: ${reasonOf(error)}`)
          return "pending"
        }
        await rest(error, pauses, signal, deadlineMs - performance.now())
      }
    }
    return "refused"
  }

  /** An outage makes the lease longer by its own length, so what was left of it is our time to report. */
  #pauses(): RetryPauses {
    return new RetryPauses((this.#options.leaseS * 1000) / 4)
  }

  /** Renews the lease for as long as the work goes on. */
  async #renewing(): Promise<void> {
    const { client, leaseS } = this.#options
    const { signal } = this.#over
    const mostS = Math.min(MAX_HELD_S, Math.ceil(leaseS / 2))
    const pauses = this.#pauses()
    while (!signal.aborted) {
      let held: Held | undefined
      const heartbeat = (this.#heartbeat = new AbortController())
      const waitS = this.#isCancelled || this.#isWoken ? 0 : mostS
      this.#isWoken = false
      try {
        held = await this.#lease.hold()
        const either = AbortSignal.any([signal, heartbeat.signal])
        this.#answered(await client.heartbeat(held, waitS, either))
        if (waitS === 0) this.#confirmations += 1
        pauses.reset()
        await pause(this.#isCancelled ? leaseS * 300 : HEARTBEAT_PAUSE_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        if (heartbeat.signal.aborted) continue
        this.#failed(error, held)
        await rest(error, pauses, signal)
      }
    }
  }

  async #sending(): Promise<void> {
    const { signal } = this.#over
    const pauses = this.#pauses()
    for (let restUntilMs = 0; ;) {
      await this.#waiting.filled(signal)
      await pauseUntil(restUntilMs, signal)
      if (signal.aborted) return
      let held: Held | undefined
      try {
        held = await this.#lease.hold()
        await this.#send(held)
        pauses.reset()
        restUntilMs = performance.now() + REPORT_EVERY_MS
      } catch (error) {
        this.#failed(error, held)
        await rest(error, pauses, signal)
      }
    }
  }

  /** Sends what the command prints, with the lease that the other loops hold. */
  async #sendOutput(sender: OutputSender): Promise<void> {
    const { signal } = this.#over
    const pauses = this.#pauses()
    for (let restUntilMs = 0; ;) {
      await sender.filled(signal)
      await pauseUntil(restUntilMs, signal)
      if (signal.aborted) return
      try {
        const waitMs = this.#lease.held ? await sender.send(this.#lease.held, signal) : 0
        pauses.reset()
        restUntilMs = performance.now() + Math.max(waitMs, REPORT_EVERY_MS)
      } catch (error) {
        // The other loops say that the server cannot be reached, and get another lease.
        await rest(error, pauses, signal)
      }
    }
  }

  /** Sends the oldest report. If that fails it is kept, and dropped only if the server cannot read it. */
  async #send(held: Held): Promise<boolean> {
    const report = this.#waiting.take()
    if (!report) return false
    try {
      this.#answered(await this.#report(held, report))
    } catch (error) {
      if (!(error instanceof ServerError) || (error.status !== 413 && error.status !== 422)) {
        this.#waiting.giveBack(report)
        throw error
      }
    }
    return true
  }

  /** Sends a report. A server that does not know all keys gets only those that every version knows. */
  #report(held: Held, report: Report): Promise<WorkerAnswer> {
    const { client } = this.#options
    const send = (what: Report): Promise<WorkerAnswer> => client.report(held, what)
    return this.#server.ask(
      () => send(report),
      () => send(olderOf(report)),
    )
  }

  async #flush(held: Held): Promise<void> {
    while (await this.#send(held));
  }

  #answered({ directive, item, drain }: WorkerAnswer): void {
    this.#lease.confirmed()
    if (this.#awaited !== "") this.#options.say("the server is back")
    this.#awaited = ""
    if (drain) this.#options.onDrain?.()
    if (directive === "cancel" && !this.#options.isLent)
      this.#cancel(`queue item ${item.id} was cancelled`, false)
  }

  #cancel(reason: string, isTaken: boolean): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    this.#options.onCancel(reason, isTaken)
  }

  /** Decides what an error means for the work. In most cases the work goes on. */
  #failed(error: unknown, held: Held | undefined): void {
    if (!(error instanceof ServerError)) return this.#giveUp(error)
    if (isUnreachable(error) || isDenied(error)) return this.#offline(error)
    if (isMissing(error) && this.#lease.last && !this.#options.isLent) return this.#offline(error)
    const canClaim = !this.#options.isLent && !this.#isCancelled
    if (error.code === "lease_lost" && canClaim) return this.#lease.lost(held)
    // Our own claim may hold the item, because its answer was lost. That lease expires soon.
    const isPerhapsOurs = this.#lease.last === undefined || this.#lease.isPerhapsOurs
    if (error.code === "illegal_move" && isPerhapsOurs) return this.#refused(error)
    // After a restore the item waits one minute for the worker that held it at the time of the backup.
    if (error.code === "leased" && canClaim) return this.#refused(error)
    this.#giveUp(error)
  }

  #offline(error: ServerError): void {
    const when = isDenied(error) ? "allows it" : isMissing(error) ? "has this item again" : "is back"
    const text = `${error.message}; rendering continues, and progress is reported once the server ${when}`
    if (this.#awaited !== when) this.#options.say(text)
    this.#awaited = when
  }

  #refused(error: ServerError): void {
    if (!this.#isRefused)
      this.#options.say(`${error.message}; rendering continues, and the claim is tried again`)
    this.#isRefused = true
  }

  #giveUp(error: unknown): void {
    this.#hasGivenUp = true
    this.#over.abort()
    const { isLent, say } = this.#options
    if (isLent || this.#isCancelled) return
    const code = error instanceof ServerError ? error.code : ""
    const isTaken = code === "illegal_move"
    if ((isTaken || code === "gone") && this.#lease.last !== undefined) this.#cancel(reasonOf(error), isTaken)
    else say(`${reasonOf(error)}; rendering continues without reports`)
  }
}
