import type { ClaimRequest, Client, Held } from "../client/client.ts"
import type { QueueItem } from "../item/item.ts"
import { Attempt, type AttemptEnd, variablesOf } from "./attempt.ts"
import { Guard } from "./guard.ts"
import type { Plan } from "./plan.ts"
import { Reporter } from "./reporter.ts"
import { dieOf } from "./signals.ts"
import { toStderr } from "./stderr.ts"
import { wordOf } from "./verdict.ts"

/** How long the server may take to answer before the command is started without it. */
const START_WITHIN_MS = 3000
/** Less than a command's 10 s, so that a `run` inside it can stop its own command before it is killed. */
const LENT_GRACE_MS = 8000
const NOT_EXECUTABLE = 126

/** How a run gets its item. */
export interface ItemSource {
  /** Gets the item and its lease. It is called again after each try that found the server unreachable. */
  readonly first: () => Promise<Held>
  /** The flag that names the item: "--item 7". */
  readonly name: string
  /** The lease belongs to the command that started us, which renews and ends it. */
  readonly isLent: boolean
  /** The item as it was claimed; undefined before that, and for a lent item. */
  readonly item: () => QueueItem | undefined
}

/** Claims the item whose ID `find` resolves with, and says what is known of it. `name` is the flag that names it. */
export function claiming(
  name: string,
  client: Client,
  {
    worker,
    leaseS,
    known,
  }: {
    readonly worker: string
    readonly leaseS: number
    readonly known: Pick<ClaimRequest, "kind" | "totals">
  },
  find: () => Promise<number>,
): ItemSource {
  let id: number | undefined
  let item: QueueItem | undefined
  const first = async (): Promise<Held> => {
    id ??= await find()
    const claimed = await client.claim({ worker, lease: leaseS, id, ...known })
    if (!claimed) throw new Error(`queue item ${id} was not claimed`)
    item = claimed.item
    return { id, token: claimed.lease.token }
  }
  return { name, first, isLent: false, item: () => item }
}

/** What a run renders, and for whom. */
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
}

/** One render of one item, as `track-studio run` does it. */
export class Run {
  readonly #options: RunOptions
  readonly #reporter: Reporter
  readonly #guard = new Guard()
  #attempt: Attempt | undefined
  #earlySignal: NodeJS.Signals | undefined

  constructor(options: RunOptions) {
    const { client, worker, leaseS, source } = options
    this.#options = options
    const onCancel = (reason: string): void => this.#cancel(reason)
    this.#reporter = new Reporter(
      { client, worker, leaseS, isLent: source.isLent, say: toStderr, onCancel },
      source.first,
    )
  }

  /** The first signal that came before the command was started; undefined without one. */
  get earlySignal(): NodeJS.Signals | undefined {
    return this.#earlySignal
  }

  /** Takes a signal that was sent to us. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#attempt) this.#earlySignal = signal
    else if (this.#options.source.isLent && signal === "SIGTERM") this.#attempt.stop({ by: "signal", signal })
    else this.#attempt.signal(signal)
  }

  /** Suspends the command, or resumes it. */
  suspend(isSuspended: boolean): void {
    this.#attempt?.suspend(isSuspended)
  }

  /** Resolves with how the attempt ended, or with an exit code when none began. @throws ServerError without an item */
  async render(): Promise<AttemptEnd | number> {
    const { plan, source, server, reportWithinMs } = this.#options
    await this.#begin()
    if (this.#earlySignal) {
      await this.#reporter.finish({ end: "release" }, 0, AbortSignal.abort())
      return 128
    }
    const variables = source.isLent ? {} : variablesOf(source.item(), this.#reporter.held, server)
    const graceMs = source.isLent ? { graceMs: LENT_GRACE_MS } : {}
    try {
      const [reporter, guarded] = [this.#reporter, this.#guard.watch()]
      this.#attempt = Attempt.start({ plan, reporter, guarded, variables, reportWithinMs, ...graceMs })
    } catch (error) {
      return this.#notStarted(error)
    }
    return this.#attempt.ended
  }

  /**
   * The exit code for an attempt: the command's own, or 1 when the command ended with 0 and the server does not know
   * the item as completed. When a signal ended the command, the same signal ends this process: handle it no more.
   */
  async exitCode(end: AttemptEnd): Promise<number> {
    const { code, signal, verdict, stop, delivery } = end
    const { isLent } = this.#options.source
    if (!isLent && delivery === "pending") sayUnreported(end, this.#reporter.held, this.#options)
    if (signal !== null && stop?.by !== "cancel") await dieOf(signal)
    if (code !== 0) return code
    if (verdict.end === "fail" && stop?.by !== "cancel") {
      const [reason] = (verdict.failure.error_message ?? "").split("\n")
      toStderr(`${reason}, so the item was marked failed`)
    }
    return verdict.end === "complete" && (isLent || delivery === "delivered") ? 0 : 1
  }

  /** Gets the item, but does not wait long for a server that does not answer. */
  async #begin(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, START_WITHIN_MS)
    try {
      await Promise.race([this.#reporter.begin(), promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async #notStarted(error: unknown): Promise<number> {
    const error_message = `the command cannot be run: ${error instanceof Error ? error.message : String(error)}`
    toStderr(error_message)
    const verdict = { end: "fail", failure: { error_message, retryable: false } } as const
    await this.#reporter.finish(verdict, this.#options.reportWithinMs, AbortSignal.abort())
    return NOT_EXECUTABLE
  }

  #cancel(reason: string): void {
    toStderr(`${reason}; stopping the command`)
    this.#attempt?.stop({ by: "cancel", reason })
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The command by which a person can tell the server later how the attempt ended. */
function laterCommand(
  { verdict }: AttemptEnd,
  held: Held | undefined,
  { source, server }: RunOptions,
): string {
  const at = `--server ${server}`
  const isComplete = verdict.end === "complete"
  if (!held) return `track-studio run ${source.name} ${at} -- ${isComplete ? "true" : "false"}`
  const [reason = ""] = (verdict.end === "fail" ? (verdict.failure.error_message ?? "") : "").split("\n")
  const status = isComplete ? "completed" : `failed --error ${quoted(reason)}`
  return `track-studio set ${held.id} --status ${status} --lease ${held.token} ${at}`
}

/** Says what the server does not know, and how to tell it. */
function sayUnreported(end: AttemptEnd, held: Held | undefined, options: RunOptions): void {
  const item = held ? `queue item ${held.id}` : "its queue item"
  toStderr(
    `${item} ${wordOf(end.verdict)}, but the server does not know it; once it is back: ${laterCommand(end, held, options)}`,
  )
}
