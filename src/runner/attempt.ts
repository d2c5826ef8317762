import { within } from "../background-work.ts"
import type { Claimed } from "../client/client.ts"
import { reasonOf } from "../errors.ts"
import type { Report } from "../item/item.ts"
import type { Files } from "../item/report.ts"
import { type Span, spanned } from "../item/step-span.ts"
import { type CommandEnd, CommandProcess } from "./command-process.ts"
import type { FileWatch } from "./expected-files.ts"
import type { Guarded } from "./kill-guard.ts"
import type { Plan } from "./progress-arguments.ts"
import type { Reporter, VerdictDelivery } from "./reporter.ts"
import { toStderr } from "./stderr.ts"
import { stopwatch } from "./suspended-machine.ts"
import { cancelling, onStep, type Stop, type Verdict, verdictOn } from "./verdict.ts"

/** The grace of a command whose item another worker has: two renders must not write one file. */
const TAKEN_GRACE_MS = 1000

/** A wait for processes that a command left running is not mentioned if it is shorter. */
const LEFT_SILENTLY_MS = 500

/** No lease is shorter: a command that was suspended for less is still ours. */
const RESUMED_AT_ONCE_MS = 900
/** How long a command that is resumed may wait for the server, which may be away. */
const ASK_WITHIN_MS = 2000
const ASK_PAUSE_MS = 10

/** How an attempt ended. */
export interface AttemptEnd extends CommandEnd {
  /** How the attempt ended, as the server knows it or will know it. */
  readonly verdict: Verdict
  /** Whether the server has the verdict. */
  readonly delivery: VerdictDelivery
  /** Why we stopped the command; undefined when it ended by itself. */
  readonly stop: Stop | undefined
}

/**
 * The result of `run`; undefined if `run` fails, which is then printed. A verdict must be reported even if
 * everything else fails.
 */
async function unless<T>(failure: string, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    toStderr(`${failure}: ${reasonOf(error)}`)
    return undefined
  }
}

/** What an attempt runs, and how it reports. */
export interface AttemptOptions {
  /** The command, and how to read its progress. */
  readonly plan: Plan
  /** Sends the reports and the verdict. */
  readonly reporter: Reporter
  /** Ends the command if we are killed. It is disposed of once the command has ended. */
  readonly guarded: Guarded
  /** Text for the command's standard input; if it is absent, the command shares our standard input. */
  readonly input?: string
  /** Changes to our environment for the command; `undefined` removes a variable. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** The part of the item's progress that the command fills; default all of it. */
  readonly span?: Span | undefined
  /** Whether we keep the lease when the command ends well, because other steps follow. Default false. */
  readonly keepsLease?: boolean
  /** Whether the item was added for this command, so that no other worker can render it. Default false. */
  readonly isOwn?: boolean
  /** The files that the command must write. */
  readonly files: FileWatch
  /** Exit codes that mean the command cannot run on this machine: the item is released. Default none. */
  readonly releaseCodes?: readonly number[]
  /** How long to keep trying to report the verdict while the server cannot be reached. */
  readonly reportWithinMs: number
  /**
   * How long a stopped command may take to end before it is killed; default 10 s, or 1 s if another worker has
   * the item.
   */
  readonly graceMs?: number
  /** Called with the verdict before it is reported; default: nothing. */
  readonly onVerdict?: (verdict: Verdict) => void
}

/** One attempt at an item: a running command and its reports. The command never waits for the server. */
export class Attempt {
  /** Resolves when the command has ended and its verdict was reported or was given up; never rejects. */
  readonly ended: Promise<AttemptEnd>
  readonly #options: AttemptOptions
  readonly #render: CommandProcess
  readonly #reporting = new AbortController()
  #stop: Stop | undefined
  #stopped: Promise<void> | undefined
  #hasEnded = false
  /** Whether Ctrl-C came before the end. The command may have ended by it without a signal: what it reads ends, too. */
  #isInterrupted = false
  /** Whether the command was stopped, or has ended without a result. */
  #isInVain = false
  /** How long the command has been suspended; undefined while it is not. */
  #suspendedMs: (() => number) | undefined
  #reportWithinMs: number
  #last: Report = {}

  /** Starts the command. @throws Error if it cannot be started */
  constructor(options: AttemptOptions) {
    const { plan, reporter, guarded, input, variables, reportWithinMs, span } = options
    this.#options = options
    this.#reportWithinMs = reportWithinMs
    const onReport = (report: Report): void => this.#report(report)
    const onPrinted = (bytes: Uint8Array, output: number): void => reporter.print(bytes, output)
    this.#render = CommandProcess.start({ plan, guarded, input, variables, onReport, onPrinted })
    reporter.start()
    // The steps before this one are done.
    if (span) this.#report({ progress: 0 })
    this.ended = this.#end()
  }

  /** Passes a signal on to the command. Once the command has ended, the signal stops the tries to report instead. */
  signal(signal: NodeJS.Signals): void {
    // Programs use these two signals for any purpose, so they do not explain why the command ended.
    const isEnding = signal !== "SIGUSR1" && signal !== "SIGUSR2"
    if (isEnding) this.hurry()
    this.#isInterrupted ||= signal === "SIGINT" && !this.#hasEnded
    if (this.#hasEnded || !this.#render.session.forward(signal)) return this.#reporting.abort()
    if (isEnding) this.#stop ??= { by: "signal", signal }
  }

  /** From now on the command and its end no longer wait for a program that does not read our output. */
  hurry(): void {
    this.#render.hurry()
  }

  /** Whether the command has ended, so that at most its verdict is still to be reported. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Stops the command and every process that it started. */
  stop(stop: Stop): void {
    if (this.#hasEnded) return this.#reporting.abort()
    this.#stop = stop
    this.#isInVain = true
    const isTaken = stop.by === "cancel" && stop.isTaken
    this.#stopped = this.#render.stop(isTaken ? TAKEN_GRACE_MS : this.#options.graceMs)
  }

  /**
   * Goes on by a claim of its item that was made elsewhere in this program; returns whether it does. It does not if the
   * item must be rendered again.
   */
  takeOver(claimed: Claimed): Promise<boolean> {
    return this.#options.reporter.takeOver(claimed, () => !this.#isInVain)
  }

  /** If this is a claim of our item, stops the command, which must not write beside the next one; resolves once it has ended. */
  async giveWay(claimed: Claimed): Promise<void> {
    if (!this.#options.reporter.giveWay(claimed)) return
    await this.#render.ended
    await this.#stopped
  }

  /** Stops the tries to report the verdict `ms` from now, or from the end of the command if that comes later. */
  reportWithin(ms: number): void {
    this.#reportWithinMs = Math.min(this.#reportWithinMs, ms)
    if (this.#hasEnded) setTimeout(() => this.#reporting.abort(), ms).unref()
  }

  /**
   * Suspends the command and every process that it started, or resumes them: after a while only once the server says that
   * the item is still ours, because another worker may be writing the same file.
   */
  suspend(isSuspended: boolean): void {
    if (!isSuspended) return void this.#resume()
    this.#suspendedMs ??= stopwatch()
    this.#render.session.signal("SIGSTOP")
  }

  async #resume(): Promise<void> {
    const { reporter } = this.#options
    const { confirmations } = reporter
    const isLong = !reporter.isLent && (this.#suspendedMs?.() ?? 0) > RESUMED_AT_ONCE_MS
    this.#suspendedMs = undefined
    const passedMs = stopwatch()
    if (isLong) reporter.ask()
    while (isLong && !this.#stop && reporter.confirmations === confirmations && passedMs() < ASK_WITHIN_MS) {
      await Bun.sleep(ASK_PAUSE_MS)
    }
    this.#render.session.signal("SIGCONT")
  }

  #report(report: Report): void {
    const { span, reporter } = this.#options
    this.#last = span ? spanned(report, span) : report
    reporter.push(this.#last)
  }

  /** Reports what the command itself does not report: that its part is done, and the files that it made. */
  #reportEnd(files: Files): void {
    const { span, reporter } = this.#options
    const end = span ? { ...spanned({ progress: 100 }, span), ...this.#last, progress: span.to } : this.#last
    if (span || Object.keys(files).length > 0) reporter.push({ ...end, ...files })
  }

  /** Ends what the command has left running, and says so if that takes long. */
  async #leftoversEnded(): Promise<void> {
    const stopped = (this.#stopped ??= this.#render.stop(this.#options.graceMs))
    if (await within(LEFT_SILENTLY_MS, stopped)) return
    toStderr("the command has ended; stopping processes that it left running")
    await stopped
  }

  async #end(): Promise<AttemptEnd> {
    const end = await this.#render.ended
    await this.#stopped
    const { guarded, reporter, files, span, keepsLease, isOwn, releaseCodes = [], onVerdict } = this.#options
    const found =
      end.code === 0 && !this.#stop
        ? await unless("the files of the command could not be checked", () => files.end(end.evidence))
        : undefined
    this.#hasEnded = true
    for (const path of found?.unchecked ?? []) toStderr(`${path}: not verified, as ffprobe takes too long`)
    const judged = verdictOn(end, this.#stop, releaseCodes, found)
    const verdict = onStep(isOwn && this.#isInterrupted ? cancelling(judged) : judged, span?.step)
    this.#isInVain ||= verdict.end !== "complete"
    // The next attempt must not write beside what this one left behind.
    if (this.#isInVain) await this.#leftoversEnded()
    guarded[Symbol.dispose]()
    const isOn = keepsLease && verdict.end === "complete"
    if (verdict.end === "complete" && (isOn || reporter.isLent)) this.#reportEnd(found?.files ?? {})
    await unless("the verdict could not be kept", async () => onVerdict?.(verdict))
    const ending = isOn ? undefined : verdict
    const delivery = await reporter.finish(ending, this.#reportWithinMs, this.#reporting.signal)
    return { ...end, verdict, delivery, stop: this.#stop }
  }
}
