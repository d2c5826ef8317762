import { every, within } from "../background-work.ts"
import { type Claimed, type Client, type Held, ServerError } from "../client/client.ts"
import { pause } from "../client/missed-keepalives.ts"
import { isShortage, reasonOf } from "../errors.ts"
import { counted } from "../text.ts"
import { Attempt, type AttemptEnd } from "./attempt.ts"
import { variablesOf } from "./command-variables.ts"
import { FileWatch } from "./expected-files.ts"
import { type Guarded, KillGuard } from "./kill-guard.ts"
import { OlderServer } from "./older-server.ts"
import { LostClaims } from "./own-lease.ts"
import type { Plan } from "./progress-arguments.ts"
import { Reporter } from "./reporter.ts"
import { RetryPauses } from "./retry-pauses.ts"
import {
  DENIED_MS,
  isDenied,
  isFinalRefusal,
  isRefused,
  isUnreachable,
  restAsAsked,
} from "./server-errors.ts"
import { toStderr } from "./stderr.ts"
import { stopwatch } from "./suspended-machine.ts"
import { wordOf } from "./verdict.ts"
import { type WorkerLease, WorkerLeases } from "./worker-leases.ts"

const CLAIM_WAIT_S = 30
/**
 * If there are no items, a server answers only after the wait. A server that answers sooner is about to stop.
 */
const EARLY_ANSWER_MS = 1000
/** The exit codes of a shell for "not executable" and "not found". */
const RELEASE_CODES = [126, 127]
/** How long to wait after a shortage of files, processes or memory. */
const SHORTAGE_MS = 10_000
/** How often to look for leases that other workers of this machine left behind. */
const INHERIT_EVERY_MS = 1000
/** How long each request of a worker that stops may take to give back an item whose claim was not answered yet. */
const GIVE_BACK_WITHIN_MS = 400
/** How long a worker that stops waits for what it is telling the server of them; the next worker tells it again. */
const INHERIT_WITHIN_MS = 1500
/**
 * How long a worker that stops tries to report a verdict, if the verdict is stored for the next worker
 * anyway.
 */
const LEAVE_WITHIN_MS = 5000

/** What a worker runs, and which server gets the reports. */
export interface WorkerOptions {
  /** The server that has the queue. */
  readonly client: Client
  /** URL of the server, passed to the command. */
  readonly server: string
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** The version of the program, shown to viewers. */
  readonly version: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** How long to keep trying to report a result. */
  readonly reportWithinMs: number
  /** The command, and how to read its progress. */
  readonly plan: Plan
  /** The tags of this worker: it takes only items whose tags are all among these. */
  readonly tags: readonly string[]
  /** The kind of items that do not name one; undefined if such items can be of several kinds. */
  readonly kind: string | undefined
  /** The names of the steps of each attempt, declared before it starts; empty for none. */
  readonly steps: readonly string[]
  /** How many items are rendered at the same time. */
  readonly concurrency: number
  /** The folder for the leases of this user's workers; if it is undefined, leases are kept only in memory. */
  readonly stateFolder: string | undefined
}

function resultOf({ verdict, code, delivery }: AttemptEnd, isKept: boolean): string {
  const result = verdict.end === "fail" ? `failed, code ${code}` : wordOf(verdict)
  if (delivery === "delivered") return result
  if (delivery === "missing") return `${result}, but the server does not have this item; its result is kept`
  if (delivery === "refused") return `${result}, but the server no longer accepts the result`
  return isKept
    ? `${result}; the next worker of this user reports it`
    : `${result}, but it could not be reported`
}

/** Takes items and renders them, several at a time, until it is stopped. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #attempts = new Set<Attempt>()
  readonly #stopping = new AbortController()
  readonly #leases: WorkerLeases
  readonly #guard: KillGuard
  readonly #lostClaims = new LostClaims()
  /** Distinguishes this start of the worker from the others. */
  readonly #instance = crypto.randomUUID()
  readonly #server = new OlderServer()
  /** What we wait for until the server answers again, in the words that the user has read; empty while it answers. */
  #awaited = ""
  /** Whether the server has answered a claim. */
  #isAdmitted = false
  #failure: Error | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
    const { client, worker, leaseS, server, stateFolder, reportWithinMs } = options
    const heir = { client, worker, leaseS, reportWithinMs, lostClaims: this.#lostClaims, say: toStderr }
    this.#leases = new WorkerLeases(stateFolder, server, heir)
    this.#guard = new KillGuard(() => this.#leases.descriptor)
  }

  /**
   * Resolves when the worker was stopped and its attempts have ended.
   * @throws Error if the worker cannot go on
   */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
    const first = this.#tried(() => this.#leases.inherit())
    await Promise.race([first, stopped])
    // If this fails, it is tried again in the next round.
    const inheriting = every(
      INHERIT_EVERY_MS,
      () => this.#leases.inherit(),
      () => undefined,
    )
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#slot()))
    const inherited = Promise.all([first, inheriting.stop()])
    await within(
      INHERIT_WITHIN_MS,
      inherited.then(() => undefined),
    )
    this.#leases.close()
    if (this.#failure) throw this.#failure
  }

  /**
   * The first signal ends the claims and lets the attempts finish. The next signal stops the attempts and
   * gives their items back.
   */
  signal(): void {
    if (this.#stopping.signal.aborted) {
      for (const attempt of this.#attempts) attempt.stop({ by: "release" })
      return
    }
    this.#stop()
    const { size } = this.#attempts
    if (size > 0)
      toStderr(`finishing ${counted(size, "item")}, then stopping; signal again to return them to the queue`)
  }

  /** Suspends the commands, or resumes them. */
  suspend(isSuspended: boolean): void {
    for (const attempt of this.#attempts) attempt.suspend(isSuspended)
  }

  /** Somebody has asked this worker to take no more items. */
  #drain(): void {
    if (this.#stopping.signal.aborted) return
    this.#stop()
    const { size } = this.#attempts
    toStderr(`drained: ${size > 0 ? `finishing ${counted(size, "item")}, then ` : ""}stopping`)
  }

  #stop(): void {
    this.#stopping.abort()
    for (const attempt of this.#attempts) {
      attempt.hurry()
      if (this.#leases.isKept) attempt.reportWithin(LEAVE_WITHIN_MS)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.#stop()
  }

  /** Renders one item after the other. */
  async #slot(): Promise<void> {
    const { signal } = this.#stopping
    const pauses = new RetryPauses()
    while (!signal.aborted) {
      const passedMs = stopwatch()
      const key = crypto.randomUUID()
      let isUnanswered = false
      const claimed = await this.#tried(() =>
        this.#claim(key).catch((error: unknown) => {
          isUnanswered = this.#isUnanswered(error) || isUnanswered
          throw error
        }),
      )
      if (claimed === undefined && isUnanswered) await this.#giveBack(key)
      this.#isAdmitted ||= claimed !== undefined
      const tookMs = passedMs()
      if (claimed === "drain") return this.#drain()
      if (claimed && !(await this.#isInHand(claimed)) && (await this.#isOurs(claimed, passedMs()))) {
        await this.#render(claimed).catch((error: unknown) => this.#notStarted(claimed.item.id, error))
      }
      if (claimed || tookMs > EARLY_ANSWER_MS) pauses.reset()
      else await pauses.wait(signal)
    }
  }

  /**
   * Gives back what a claim got that was under way when we were stopped, unless we work on it already: nobody else would
   * until its lease ends.
   */
  async #giveBack(idempotencyKey: string): Promise<void> {
    const { client, worker } = this.#options
    const soon = (): AbortSignal => AbortSignal.timeout(GIVE_BACK_WITHIN_MS)
    try {
      const claimed = await client.claim({ idempotencyKey, worker, again: true }, soon())
      if (claimed === null || claimed === "drain" || (await this.#isInHand(claimed))) return
      await client.release({ id: claimed.item.id, token: claimed.lease.token }, soon())
    } catch {
      // Its lease ends by itself.
    }
  }

  /** Whether a claim may have been carried out although it failed; then that is noted. */
  #isUnanswered(error: unknown): boolean {
    const isLost = error instanceof ServerError && isUnreachable(error) && !isRefused(error)
    // A claim that we have cut ourselves fails with the reason of the signal.
    const isUnanswered = isLost || !(error instanceof ServerError)
    if (isUnanswered) this.#lostClaims.add()
    return isUnanswered
  }

  /**
   * Whether a claimed item is one on which we work already: its lease was lost while we were cut off from the server, or
   * an earlier worker has completed it. That work goes on by this claim. If it cannot, it has ended.
   */
  async #isInHand(claimed: Claimed): Promise<boolean> {
    for (const attempt of [...this.#attempts]) if (await attempt.takeOver(claimed)) return true
    if (await this.#leases.takeOver(claimed)) return true
    await Promise.all([...this.#attempts].map((attempt) => attempt.giveWay(claimed)))
    return false
  }

  /**
   * Whether an item is still ours after a claim that took so long. The answer may have come while we stood still, and
   * another worker may have the item since: then not even the beginning of a command may touch its file.
   */
  async #isOurs({ item, lease }: Claimed, tookMs: number): Promise<boolean> {
    const { client, leaseS } = this.#options
    if (tookMs < leaseS * 1000) return true
    const renewed = async (): Promise<boolean> => {
      try {
        await client.heartbeat({ id: item.id, token: lease.token })
        return true
      } catch (error) {
        if (!isFinalRefusal(error)) throw error
        toStderr(`queue item ${item.id}: claimed, but its lease had expired when the answer was read`)
        return false
      }
    }
    // If we are stopped meanwhile, what follows gives the item back.
    return (await this.#tried(renewed)) ?? true
  }

  /**
   * The command of an item could not be started, and the item went back. The worker ends, unless something is
   * short that will be there again later.
   */
  async #notStarted(id: number, error: unknown): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    if (!isShortage(error)) return this.#fail(error)
    toStderr(`queue item ${id}: its command cannot be started now: ${reasonOf(error)}; trying again later`)
    await pause(SHORTAGE_MS, signal)
  }

  /**
   * Claims an item. With the same key it gets the same one, if its answer was lost. A server that does not know all keys
   * of the request gets only those that every version knows.
   */
  #claim(idempotencyKey: string): Promise<Claimed | "drain" | null> {
    const { client, worker, tags, leaseS, kind, version } = this.#options
    const { signal } = this.#stopping
    const older = {
      idempotencyKey,
      worker,
      tags: [...tags],
      lease: leaseS,
      wait: CLAIM_WAIT_S,
      ...(kind !== undefined && { kind }),
    }
    return this.#server.ask(
      () => client.claim({ ...older, version, instance: this.#instance }, signal),
      () => client.claim(older, signal),
    )
  }

  /**
   * Repeats a request until the server itself answers and gives us access. Undefined if the worker is stopped
   * in the meantime, or if the server refuses: then the worker stops.
   */
  async #tried<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#stopping
    const pauses = new RetryPauses()
    while (!signal.aborted) {
      try {
        const answer = await ask()
        if (this.#awaited !== "") toStderr("the server is back")
        this.#awaited = ""
        return answer
      } catch (error) {
        const mayPass = error instanceof ServerError && (isUnreachable(error) || isDenied(error))
        const isFinal = !mayPass || (await this.#hasWrongRole(error))
        if (signal.aborted) return undefined
        if (isFinal) {
          this.#fail(error)
          return undefined
        }
        const when = isDenied(error) ? `trying again every ${DENIED_MS / 1000} s` : "waiting for the server"
        if (this.#awaited !== when) toStderr(`${error.message}; ${when}`)
        this.#awaited = when
        await restAsAsked(error, pauses, signal)
      }
    }
    return undefined
  }

  /**
   * Whether our token never lets us claim. A worker that could claim before waits instead: somebody may put a better
   * token into the file.
   */
  async #hasWrongRole({ code }: ServerError): Promise<boolean> {
    if (this.#isAdmitted || code !== "forbidden") return false
    const me = await this.#options.client.me(this.#stopping.signal).catch(() => undefined)
    return me !== undefined && !me.may.includes("claim")
  }

  async #render(claimed: Claimed): Promise<void> {
    const { item, lease } = claimed
    const guarded = this.#guard.watch()
    const { mark } = guarded
    const { id, attempt: number, queued_at } = item
    const kept = this.#leases.hold({ id, token: lease.token, attempt: number, queued_at, mark })
    const attempt = await this.#start(claimed, kept, guarded)
    this.#attempts.add(attempt)
    toStderr(`queue item ${item.id}: started, attempt ${item.attempt}`)
    const end = await attempt.ended
    this.#attempts.delete(attempt)
    if (end.delivery === "missing") kept.tryOn()
    else if (end.delivery !== "pending") kept.end()
    toStderr(`queue item ${item.id}: ${resultOf(end, this.#leases.isKept)}`)
    if (RELEASE_CODES.includes(end.code) && !end.stop) {
      this.#fail(new Error(`the command of --exec cannot be run here (code ${end.code})`))
    }
  }

  async #declareSteps(held: Held): Promise<void> {
    const { client, steps } = this.#options
    if (steps.length === 0) return
    await client.declareSteps(held, steps).catch((error: unknown) => {
      if (!(error instanceof ServerError)) throw error
      toStderr(`queue item ${held.id}: its steps could not be declared: ${error.message}`)
    })
  }

  async #start({ item, lease }: Claimed, kept: WorkerLease, guarded: Guarded): Promise<Attempt> {
    const held = { id: item.id, token: lease.token }
    const { client, worker, leaseS, server, plan, reportWithinMs } = this.#options
    const say = (text: string): void => toStderr(`queue item ${item.id}: ${text}`)
    let attempt: Attempt | undefined
    const onCancel = (reason: string, isTaken: boolean): void => {
      say(attempt?.hasEnded ? reason : `${reason}; stopping its command`)
      attempt?.stop({ by: "cancel", reason, isTaken })
    }
    const calls = { say, onCancel, ...kept.notes, onDrain: () => this.#drain() }
    const of = {
      client,
      worker,
      leaseS,
      lostClaims: this.#lostClaims,
      isOuter: true,
      isHandedOn: true,
      begun: () => item,
    }
    const reporter = new Reporter({ ...of, ...calls }, async () => held)
    try {
      // A signal may have come while we waited for the claim.
      this.#stopping.signal.throwIfAborted()
      await this.#declareSteps(held)
      const { onVerdict } = kept
      const command = { plan, variables: variablesOf(item, held, server), input: `${JSON.stringify(item)}\n` }
      const files = new FileWatch({ paths: [], isGuessed: true, seconds: undefined, isVerified: true })
      const options = { reporter, guarded, files, reportWithinMs, releaseCodes: RELEASE_CODES, onVerdict }
      attempt = new Attempt({ ...command, ...options })
      return attempt
    } catch (error) {
      guarded[Symbol.dispose]()
      if ((await reporter.finish({ end: "release" }, 0, AbortSignal.abort())) !== "pending") kept.end()
      throw error
    }
  }
}
