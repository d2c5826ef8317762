import { type Claimed, type Client, ServerError } from "../client/client.ts"
import { Attempt, type AttemptEnd, variablesOf } from "./attempt.ts"
import { Guard } from "./guard.ts"
import { Patience } from "./patience.ts"
import type { Plan } from "./plan.ts"
import { Reporter } from "./reporter.ts"
import { toStderr } from "./stderr.ts"

const CLAIM_WAIT_S = 30
/** A server with no items answers after the wait. One that answers sooner is about to stop. */
const EARLY_ANSWER_MS = 1000
/** A shell's exit codes for "not executable" and "not found". */
const RELEASE_CODES = [126, 127]

/** What a worker runs, and for whom. */
export interface WorkerOptions {
  /** The server that has the queue. */
  readonly client: Client
  /** URL of the server, passed to the command. */
  readonly server: string
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** How long to keep trying to report a result. */
  readonly reportWithinMs: number
  /** The command, and how to read its progress. */
  readonly plan: Plan
  /** What this worker offers: it takes only items whose tags are all among these. */
  readonly tags: readonly string[]
  /** Items at a time. */
  readonly concurrency: number
}

function resultOf({ verdict, code }: AttemptEnd): string {
  if (verdict.end === "complete") return "completed"
  return verdict.end === "release" ? "returned to the queue" : `failed, code ${code}`
}

/** Takes items and renders them, several at a time, until it is stopped. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #attempts = new Set<Attempt>()
  readonly #guard = new Guard()
  readonly #stopping = new AbortController()
  #isOffline = false
  #failure: Error | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  /** Resolves once it was stopped and its attempts have ended. @throws Error when it cannot go on */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#slot()))
    if (this.#failure) throw this.#failure
  }

  /** The first signal stops the claims and lets the attempts finish; the next one stops and releases them. */
  signal(): void {
    if (this.#stopping.signal.aborted) {
      for (const attempt of this.#attempts) attempt.stop({ by: "release" })
      return
    }
    this.#stopping.abort()
    const { size } = this.#attempts
    if (size === 0) return
    const items = size === 1 ? "1 item" : `${size} items`
    toStderr(`finishing ${items}, then stopping; signal again to return them to the queue`)
  }

  /** Renders one item after the other. */
  async #slot(): Promise<void> {
    const { signal } = this.#stopping
    const patience = new Patience()
    while (!signal.aborted) {
      const askedMs = performance.now()
      try {
        const claimed = await this.#claim()
        if (claimed) await this.#render(claimed)
        if (claimed || performance.now() - askedMs > EARLY_ANSWER_MS) patience.reset()
        else await patience.wait(signal)
      } catch (error) {
        if (signal.aborted && !this.#failure) return
        if (!(error instanceof ServerError && error.isPassing)) return this.#fail(error)
        if (!this.#isOffline) toStderr(`${error.message}; waiting for the server`)
        this.#isOffline = true
        await patience.wait(signal)
      }
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.#stopping.abort()
  }

  async #claim(): Promise<Claimed | null> {
    const { client, worker, tags, leaseS } = this.#options
    const request = { worker, tags: [...tags], lease: leaseS, wait: CLAIM_WAIT_S }
    const claimed = await client.claim(request, this.#stopping.signal)
    if (this.#isOffline) toStderr("the server is back")
    this.#isOffline = false
    return claimed
  }

  async #render(claimed: Claimed): Promise<void> {
    const { item } = claimed
    const attempt = await this.#start(claimed)
    this.#attempts.add(attempt)
    toStderr(`queue item ${item.id}: started, attempt ${item.attempt}`)
    const end = await attempt.ended
    this.#attempts.delete(attempt)
    toStderr(`queue item ${item.id}: ${resultOf(end)}`)
    if (RELEASE_CODES.includes(end.code) && !end.stop) {
      this.#fail(new Error(`the command of --exec cannot be run here (code ${end.code})`))
    }
  }

  async #start({ item, lease }: Claimed): Promise<Attempt> {
    const held = { id: item.id, token: lease.token }
    const { client, worker, leaseS, server, plan, reportWithinMs } = this.#options
    const say = (text: string): void => toStderr(`queue item ${item.id}: ${text}`)
    let attempt: Attempt | undefined
    const onCancel = (reason: string): void => {
      say(`${reason}; stopping its command`)
      attempt?.stop({ by: "cancel", reason })
    }
    const reporter = new Reporter({ client, worker, leaseS, say, onCancel }, async () => held)
    try {
      // A signal may have come while the claim was answered.
      this.#stopping.signal.throwIfAborted()
      const variables = variablesOf(item, held, server)
      const input = `${JSON.stringify(item)}\n`
      const [guard, releaseCodes] = [this.#guard, RELEASE_CODES]
      attempt = Attempt.start({ plan, reporter, guard, input, variables, reportWithinMs, releaseCodes })
      return attempt
    } catch (error) {
      await reporter.finish({ end: "release" }, 0, AbortSignal.abort())
      throw error
    }
  }
}
