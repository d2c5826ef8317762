import { reasonOf } from "../errors.ts"
import type { Report, Step } from "../item/item.ts"
import { type Files, type Span, spanned, stepWords } from "../item/report.ts"
import { isWhole } from "../renderers/renderer.ts"
import type { FilesEnd, FileWatch } from "./expected-files.ts"
import type { Guarded } from "./kill-guard.ts"
import type { Plan } from "./plan.ts"
import { type CommandEnd, Render } from "./render.ts"
import type { Reporter, VerdictDelivery } from "./reporter.ts"
import { stopwatch } from "./standstill.ts"
import { toStderr } from "./stderr.ts"
import type { Verdict } from "./verdict.ts"

/**
 * Exit codes that mean by convention: wrong usage, wrong input, not executable, not found. Another attempt
 * would end the same way.
 */
const FINAL_CODES: readonly number[] = [64, 65, 126, 127]

/** The grace of a command whose item another worker has: two renders must not write one file. */
const TAKEN_GRACE_MS = 1000

/** No lease is shorter: a command that was suspended for less is still ours. */
const RESUMED_AT_ONCE_MS = 900
/** How long a command that is resumed may wait for the server, which may be away. */
const ASK_WITHIN_MS = 2000
const ASK_PAUSE_MS = 10

/** Why we stopped a command: the item was cancelled, the item goes back to the queue, or we received a signal. */
export type Stop =
  /** The item was cancelled, for this reason; `isTaken`: another worker has it, and writes the same file. */
  | { readonly by: "cancel"; readonly reason: string; readonly isTaken?: boolean }
  | { readonly by: "release" }
  /** We received this signal; it was passed on to the command. */
  | { readonly by: "signal"; readonly signal: NodeJS.Signals }

/** How an attempt ended. */
export interface AttemptEnd extends CommandEnd {
  /** How the attempt ended, as the server knows it or will know it. */
  readonly verdict: Verdict
  /** Whether the server has the verdict. */
  readonly delivery: VerdictDelivery
  /** Why we stopped the command; undefined when it ended by itself. */
  readonly stop: Stop | undefined
}

const percent = (fraction: number): string => `${Math.floor(fraction * 1000) / 10} %`

function errorMessageOf({ code, signal, reached, lastLines }: CommandEnd, stop: Stop | undefined): string {
  const after = stop?.by === "signal" ? ` after ${stop.signal}` : ""
  const at = code === 0 && reached !== null ? ` at ${percent(reached)} of its total` : ""
  const first =
    signal === null
      ? `the command ended with code ${code}${at}${after}`
      : `the command was ended by ${signal}`
  return lastLines === "" ? first : `${first}\n${lastLines}`
}

const failed = (error_message: string, retryable: boolean): Verdict => ({
  end: "fail",
  failure: { error_message, retryable },
})

/**
 * The verdict on a command that ended. An exit code in `releaseCodes` is not the item's fault. `found` says
 * whether the files that the command must write exist and are whole.
 */
function verdictOf(
  end: CommandEnd,
  stop: Stop | undefined,
  releaseCodes: readonly number[],
  found: FilesEnd | undefined,
): Verdict {
  if (stop?.by === "release" || releaseCodes.includes(end.code)) return { end: "release" }
  if (stop?.by === "cancel") return failed(`stopped: ${stop.reason}`, false)
  const { failure, seen } = end.evidence
  // A renderer can exit with 0 although it wrote nothing that can be played.
  if (end.code === 0 && failure !== undefined) return failed(failure, true)
  // The time that ffmpeg reports can be less than what it wrote, so the file decides.
  if (end.code !== 0 || !(isWhole(end.reached ?? 1) || found?.isWhole)) {
    return failed(errorMessageOf(end, stop), !FINAL_CODES.includes(end.code))
  }
  if (found?.failure !== undefined) return failed(found.failure, true)
  return { end: "complete", result: { ...found?.files, ...(seen !== undefined && { message: seen }) } }
}

/** The verdict on a step. A failure says which step it was. */
function onStep(verdict: Verdict, step: Step | undefined): Verdict {
  if (verdict.end !== "fail" || step === undefined) return verdict
  const { failure } = verdict
  return {
    ...verdict,
    failure: { ...failure, error_message: `${stepWords(step)}: ${failure.error_message}` },
  }
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
  readonly #render: Render
  readonly #reporting = new AbortController()
  #stop: Stop | undefined
  #stopped: Promise<void> | undefined
  #hasEnded = false
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
    this.#render = Render.start({ plan, guarded, input, variables, onReport, onPrinted })
    reporter.start()
    // The steps before this one are done.
    if (span) this.#report({ progress: 0 })
    this.ended = this.#end()
  }

  /** Passes a signal on to the command. Once the command has ended, the signal stops the tries to report instead. */
  signal(signal: NodeJS.Signals): void {
    if (this.#hasEnded || !this.#render.session.forward(signal)) return this.#reporting.abort()
    // Programs use these two signals for any purpose, so they do not explain why the command ended.
    if (signal !== "SIGUSR1" && signal !== "SIGUSR2") this.#stop ??= { by: "signal", signal }
  }

  /** Stops the command and every process that it started. */
  stop(stop: Stop): void {
    if (this.#hasEnded) return this.#reporting.abort()
    this.#stop = stop
    const isTaken = stop.by === "cancel" && stop.isTaken
    this.#stopped = this.#render.stop(isTaken ? TAKEN_GRACE_MS : this.#options.graceMs)
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

  async #end(): Promise<AttemptEnd> {
    const end = await this.#render.ended
    await this.#stopped
    const { guarded, reporter, files, span, keepsLease, releaseCodes = [], onVerdict } = this.#options
    guarded[Symbol.dispose]()
    const found =
      end.code === 0 && !this.#stop
        ? await unless("the files of the command could not be checked", () => files.end(end.evidence))
        : undefined
    this.#hasEnded = true
    for (const path of found?.unchecked ?? []) toStderr(`${path}: not verified, as ffprobe takes too long`)
    const verdict = onStep(verdictOf(end, this.#stop, releaseCodes, found), span?.step)
    const isOn = keepsLease && verdict.end === "complete"
    if (verdict.end === "complete" && (isOn || reporter.isLent)) this.#reportEnd(found?.files ?? {})
    await unless("the verdict could not be kept", async () => onVerdict?.(verdict))
    const ending = isOn ? undefined : verdict
    const delivery = await reporter.finish(ending, this.#reportWithinMs, this.#reporting.signal)
    return { ...end, verdict, delivery, stop: this.#stop }
  }
}
