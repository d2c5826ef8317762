import { within } from "../background-work.ts"
import type { Client, Held } from "../client/client.ts"
import { reasonOf } from "../errors.ts"
import { type Span, spanOf } from "../item/step-span.ts"
import { shellWord } from "../text.ts"
import { Attempt, type AttemptEnd } from "./attempt.ts"
import { variablesOf } from "./command-variables.ts"
import { type ExpectedFiles, FileWatch } from "./expected-files.ts"
import type { ItemSource } from "./item-source.ts"
import { KillGuard } from "./kill-guard.ts"
import { keepLease, leasesIn } from "./lease-file.ts"
import type { Plan } from "./progress-arguments.ts"
import { Reporter } from "./reporter.ts"
import { dieOf } from "./signals.ts"
import { toStderr } from "./stderr.ts"
import { isCancelling, type Verdict, wordOf } from "./verdict.ts"

/** How long the server may take to answer before the command is started without it. */
const START_WITHIN_MS = 3000
/**
 * Less than the 10 s of a command, so that a `run` inside of another one can stop its own command before it
 * is killed.
 */
const LENT_GRACE_MS = 8000
const NOT_EXECUTABLE = 126
/** The verdict on an item that was added for a command which a signal kept from starting. */
const NOT_BEGUN: Verdict = {
  end: "fail",
  failure: { error_message: "stopped before the command was started", retryable: false, cancelled: true },
}
/**
 * How long a lease is kept on the disk for the next step. The server alone knows when it ends: an outage makes it longer,
 * and the clock of this machine may jump.
 */
const KEPT_MS = 24 * 3_600_000

/** What a run renders, and which server gets the reports. */
export interface RunOptions {
  /** The server that has the queue. */
  readonly client: Client
  /** URL of the server, passed to the command. */
  readonly server: string
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** How long to keep trying to report the result. */
  readonly reportWithinMs: number
  /** The command, and how to read its progress. */
  readonly plan: Plan
  /** Where the item comes from. */
  readonly source: ItemSource
  /**
   * The part of the item's progress that the command fills. Undefined: the next declared step, or all of it.
   */
  readonly span: Span | undefined
  /** The files that the command must write. */
  readonly files: ExpectedFiles
  /** The folder in which leases are kept for the next step; undefined if the user has no home folder. */
  readonly stateFolder: string | undefined
}

/** One render of one item, as `track-studio run` does it. */
export class RunOneItem {
  readonly #options: RunOptions
  readonly #reporter: Reporter
  readonly #guard = new KillGuard()
  #attempt: Attempt | undefined
  #earlySignal: NodeJS.Signals | undefined
  #keepsLease = false
  #isStep = false

  constructor(options: RunOptions) {
    const { client, worker, leaseS, source } = options
    this.#options = options
    const onCancel = (reason: string, isTaken: boolean): void => this.#cancel(reason, isTaken)
    this.#reporter = new Reporter(
      {
        ...{ client, worker, leaseS, say: toStderr, onCancel },
        ...{ isLent: source.isLent, isContinued: source.isContinued, begun: () => source.item() },
      },
      source.first,
    )
  }

  /** The first signal that came before the command was started; undefined if there was none. */
  get earlySignal(): NodeJS.Signals | undefined {
    return this.#earlySignal
  }

  /** Takes a signal that was sent to our process. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#attempt) this.#earlySignal = signal
    else if (this.#options.source.isLent && signal === "SIGTERM") this.#attempt.stop({ by: "signal", signal })
    else this.#attempt.signal(signal)
  }

  /** Suspends the command, or resumes it. */
  suspend(isSuspended: boolean): void {
    this.#attempt?.suspend(isSuspended)
  }

  /**
   * Resolves with how the attempt ended, or with an exit code if none began.
   * @throws ServerError if there is no item
   */
  async render(): Promise<AttemptEnd | number> {
    const { plan, source, server, reportWithinMs } = this.#options
    await within(START_WITHIN_MS, this.#reporter.begin())
    if (this.#earlySignal) {
      await this.#reporter.finish(source.isOwn ? NOT_BEGUN : { end: "release" }, 0, AbortSignal.abort())
      if (source.isOwn && !this.#reporter.last) sayUnreported(NOT_BEGUN, undefined, this.#options)
      return 128
    }
    const span = this.#options.span ?? (await this.#nextStep())
    const step = span?.step
    this.#isStep = step !== undefined
    this.#keepsLease = !source.isLent && step !== undefined && step.index < step.total
    const variables = source.isLent ? {} : variablesOf(source.item(), this.#reporter.held, server)
    const graceMs = source.isLent ? { graceMs: LENT_GRACE_MS } : {}
    const files = new FileWatch(this.#options.files)
    try {
      const [reporter, guarded, keepsLease] = [this.#reporter, this.#guard.watch(), this.#keepsLease]
      const { isOwn = false } = source
      const command = { plan, variables, span, files, keepsLease, isOwn }
      this.#attempt = new Attempt({ ...command, reporter, guarded, reportWithinMs, ...graceMs })
    } catch (error) {
      return this.#notStarted(error)
    }
    return this.#attempt.ended
  }

  /**
   * The exit code for an attempt: the exit code of the command, or 1 if the command ended with 0 and the
   * server does not know the item as completed. If a signal ended the command, the same signal must end this
   * process, so do not handle it again.
   */
  async exitCode(end: AttemptEnd): Promise<number> {
    const { code, signal, verdict, stop, delivery } = end
    const { isLent } = this.#options.source
    if (this.#keepsLease && verdict.end === "complete") {
      this.#keep()
      return 0
    }
    if (!isLent && delivery === "pending") sayUnreported(verdict, this.#reporter.last, this.#options)
    const [reason] = verdict.end === "fail" ? (verdict.failure.error_message ?? "").split("\n") : []
    // The worker that started us fails the item, and knows the step only from this text.
    if (isLent && this.#isStep && reason !== undefined) toStderr(reason)
    if (signal !== null && stop?.by !== "cancel") await dieOf(signal)
    if (code !== 0) return code
    const isMarked = reason !== undefined && stop?.by !== "cancel" && !(isLent && this.#isStep)
    if (isMarked)
      toStderr(`${reason}, so the item was ${isCancelling(verdict) ? "cancelled" : "marked failed"}`)
    return verdict.end === "complete" && (isLent || delivery === "delivered") ? 0 : 1
  }

  /** The next declared step, if the attempt was begun by another process and has declared its steps. */
  async #nextStep(): Promise<Span | undefined> {
    const { client, source } = this.#options
    const { held } = this.#reporter
    if (!held || !source.isContinued()) return undefined
    try {
      const { step } = await client.beginStep(held, AbortSignal.timeout(START_WITHIN_MS))
      return step ? spanOf(step) : undefined
    } catch {
      // If there is no answer, the command is started anyway, and reports as if there were no steps.
      return undefined
    }
  }

  /** Keeps the lease for the next run of this item. */
  #keep(): void {
    const { server, stateFolder, leaseS } = this.#options
    const { held } = this.#reporter
    if (!held) return
    try {
      if (stateFolder === undefined) throw new Error("HOME is not set")
      const kept_until = Date.now() + KEPT_MS
      keepLease(leasesIn(stateFolder), server, { ...held, attempt: 0, kept_until })
      toStderr(`queue item ${held.id}: continue within ${leaseS} s with the next step: run --item ${held.id}`)
    } catch (error) {
      const reason = reasonOf(error)
      toStderr(`queue item ${held.id}: its lease cannot be kept for the next step: ${reason}`)
    }
  }

  async #notStarted(error: unknown): Promise<number> {
    const error_message = `the command cannot be run: ${reasonOf(error)}`
    toStderr(error_message)
    const verdict = { end: "fail", failure: { error_message, retryable: false } } as const
    await this.#reporter.finish(verdict, this.#options.reportWithinMs, AbortSignal.abort())
    return NOT_EXECUTABLE
  }

  #cancel(reason: string, isTaken: boolean): void {
    toStderr(this.#attempt?.hasEnded ? reason : `${reason}; stopping the command`)
    this.#attempt?.stop({ by: "cancel", reason, isTaken })
  }
}

/** The command by which a person can report the result later. */
function laterCommand(
  verdict: Verdict,
  id: number | undefined,
  last: Held | undefined,
  { source, server }: RunOptions,
): string {
  const at = `--server ${server}`
  const isComplete = verdict.end === "complete"
  if (id !== undefined && isCancelling(verdict)) return `track-studio cancel ${id} ${at}`
  if (!last) {
    const named = id === undefined ? source.name : `--item ${id}`
    return `track-studio run ${named} ${at} -- ${isComplete ? "true" : "false"}`
  }
  const [reason = ""] = (verdict.end === "fail" ? (verdict.failure.error_message ?? "") : "").split("\n")
  const status = isComplete ? "completed" : `failed --error ${shellWord(reason)}`
  return `track-studio set ${last.id} --status ${status} --lease ${last.token} ${at}`
}

/** Says how to find the item of a command that was interrupted, if the server may have added it without an answer. */
function sayPerhapsAdded({ source, server }: RunOptions): void {
  if (!source.isPerhapsAdded?.()) return
  toStderr(
    `the server has not answered, but may have added a queue item; once it is back, look for it and cancel it: track-studio list ${source.name} --server ${server}`,
  )
}

/** Says which result the server does not have, and how to report it. */
function sayUnreported(verdict: Verdict, last: Held | undefined, options: RunOptions): void {
  // The server may have added or found the item, and not have answered the claim.
  const id = last?.id ?? options.source.id?.()
  if (id === undefined && isCancelling(verdict)) return sayPerhapsAdded(options)
  const item = id === undefined ? "its queue item" : `queue item ${id}`
  toStderr(
    `${item} ${wordOf(verdict)}, but this could not be reported; once the server is back, run: ${laterCommand(verdict, id, last, options)}`,
  )
}
