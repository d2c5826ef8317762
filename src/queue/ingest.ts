import { AppError, isRefusal } from "../errors.ts"
import type { Report } from "../item/item.ts"
import { printing } from "../item/lease.ts"
import { OWN_MESSAGES } from "../item/own-messages.ts"
import { type AttemptName, printingOf } from "../item/same-attempt.ts"
import { type Span, spanned, stepWords } from "../item/step-span.ts"
import type { Stored } from "../item/stored.ts"
import { type RendererName, RENDERERS } from "../renderers/names.ts"
import { type Renderer, renderer } from "../renderers/renderer.ts"
import { isWhole } from "../renderers/whole-from-98-percent.ts"
import { longestSilenceMs } from "./ingest-silence.ts"
import { IngestThrottle } from "./ingest-throttle.ts"
import { IngestTurns } from "./ingest-turns.ts"
import type { OutputWriter } from "./output-writer.ts"
import type { Output } from "./output.ts"
import type { Queue } from "./queue.ts"
import type { LeaseStanding, Workers } from "./workers.ts"

/** Pieces of output that are kept until the attempt has begun. */
const MAX_EARLY_CHUNKS = 16
/** About how many characters of bursts are kept for the ingests of one client. */
const MOST_KEPT = 8 * 1024 * 1024
/**
 * How long it waits before it tries again to store what the database did not take. A server that stops answers within
 * 900 ms.
 */
const RETRY_MS = 500

const retryPause = (): Promise<void> =>
  new Promise((resolve) => {
    // A server that has ended does not wait for it.
    setTimeout(resolve, RETRY_MS).unref()
  })

/** Which output is read, and for which item. */
export interface IngestOptions {
  /** The ID of the item. */
  readonly id: number
  /** The token of the lease under which the output is stored; undefined for an item that no worker holds. */
  readonly token: string | undefined
  /** The renderer that prints it. */
  readonly renderer: RendererName
  /** Seconds of output for ffmpeg, frames for Blender; undefined if it is unknown. */
  readonly total: number | undefined
  /** How many bars follow one another; undefined if it is unknown. */
  readonly bars: number | undefined
  /** The span of the item's progress that the output fills; undefined for all of it. */
  readonly span: Span | undefined
  /** The attempt under way; undefined for a waiting item, which the renderer's first words start. */
  readonly underWay: AttemptName | undefined
  /** The client that sends it; undefined if clients are not told apart. */
  readonly client?: string | undefined
  /** A clock in milliseconds that never goes back; default: that of the machine. */
  readonly now?: () => number
}

/** What an ingest needs of the queue. */
export interface IngestParts {
  /** Takes the reports, and the verdict under a lease; default: there is always room, and the server never stops. */
  readonly workers: Pick<Workers, "report" | "heartbeat" | "complete" | "fail"> &
    Partial<Pick<Workers, "hasNoRoom" | "draining">>
  /** Takes the verdict on an item that no worker holds. */
  readonly queue: Pick<Queue, "update">
  /** Stores the output itself; absent if it is not stored. */
  readonly output?: Pick<Output, "writer">
  /** Shares the reading among all ingests. */
  readonly turns: IngestTurns
}

/**
 * Stores the output of one renderer as the progress of one item.
 *
 * The output is read as fast as it comes, and the latest report is stored as fast as the database allows. A
 * renderer whose output is not read stands still, and watching it must never cause that. A flood of output is
 * accepted, too, but only its newest part is read, so that it costs others nothing. While the database cannot be
 * written, or is full, the output is read on, because a renderer opens no second connection.
 */
export class Ingest {
  readonly #workers: IngestParts["workers"]
  readonly #queue: IngestParts["queue"]
  readonly #options: IngestOptions
  readonly #now: () => number
  readonly #renderer: Renderer
  readonly #throttle = new IngestThrottle()
  readonly #turns: IngestTurns
  #hasAsked = false
  #later: Timer | undefined
  #report: Report | undefined
  #isAlive = false
  #heardMs: number
  #hasSpoken = false
  /** The attempt to which this output belongs, once it has begun. */
  #attempt: AttemptName | undefined
  readonly #newWriter: () => OutputWriter | undefined
  #printed: OutputWriter | undefined
  /** The output from before the attempt began. */
  readonly #early: Uint8Array[] = []
  #writing: Promise<void> | undefined
  #refusal: unknown
  /** Why the last report was not stored; undefined if it was. */
  #unstored: AppError | undefined
  #hasEnded = false
  readonly #over = Promise.withResolvers<void>()

  constructor(parts: IngestParts, options: IngestOptions) {
    this.#workers = parts.workers
    this.#queue = parts.queue
    this.#turns = parts.turns
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#heardMs = this.#now()
    this.#renderer = renderer(options.renderer, options)
    this.#newWriter = () =>
      parts.output?.writer(options.id, options.token, (stored) => this.#attemptOf(stored))
    this.#printed = this.#newWriter()
  }

  /**
   * Reads the whole output. Each piece is progress and a heartbeat. The first words start a waiting item, not
   * the request, because ffmpeg opens the request even if its input is missing.
   * @throws AppError the refusal of the queue
   */
  async listen(body: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks = body[Symbol.asyncIterator]()
    try {
      // One race for each piece would keep all pieces in memory until the end.
      await Promise.race([this.#read(chunks), this.#over.promise])
    } finally {
      clearTimeout(this.#later)
      this.#hasEnded = true
      // The rest is not read, and the cancel is not awaited: the other end may be gone without notice.
      chunks.return?.().catch(() => undefined)
      await this.#readRest()
    }
    // The last line may end without a line break.
    this.#hear("\n")
    await this.settle()
  }

  async #read(chunks: AsyncIterator<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      this.#take(decoder.decode(next.value, { stream: true }))
      this.#keep(next.value)
    }
  }

  /** Resolves when everything that was read is stored. @throws AppError the refusal of the queue */
  async settle(): Promise<void> {
    await this.#writing
    if (this.#current !== undefined) await this.#printed?.end().catch(() => undefined)
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** Ends the reading with this error, whatever the renderer still prints. */
  stop(error: unknown): void {
    this.#refusal ??= error
    this.#over.resolve()
  }

  #take(text: string): void {
    if (this.#refusal !== undefined) throw this.#refusal
    const { client } = this.#options
    // Otherwise many long outputs of one client could fill the memory.
    const most = MOST_KEPT / Math.max(1, this.#turns.waiting(client))
    this.#throttle.push(text, this.#now(), most)
    this.#showLife()
    this.#readOn()
    this.#store()
  }

  #readOn(): void {
    if (this.#hasAsked || !this.#throttle.isKeeping) return
    const waitMs = this.#throttle.waitMs(this.#now())
    this.#hasAsked = true
    const ask = (): void =>
      this.#turns.take(this.#options.client, () => {
        this.#hasAsked = false
        // More text may have come meanwhile.
        if (this.#throttle.waitMs(this.#now()) === 0) this.#readSlice()
        this.#readOn()
      })
    if (waitMs === 0) return ask()
    this.#later = setTimeout(() => {
      this.#throttle.waited(waitMs)
      ask()
    }, waitMs)
  }

  #readSlice(): void {
    if (!this.#throttle.isKeeping) return
    try {
      this.#hear(this.#throttle.take())
    } catch (error) {
      this.stop(error)
    }
  }

  /** Reads what came and was not read yet. */
  async #readRest(): Promise<void> {
    while (this.#refusal === undefined && this.#throttle.isKeeping) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#turns.take(this.#options.client, () => {
        this.#readSlice()
        resolve()
      })
      await promise
    }
  }

  /**
   * Stores what was printed after the attempt has begun. If it cannot be stored, the progress goes on anyway.
   */
  #keep(...bytes: Uint8Array[]): void {
    this.#early.push(...bytes)
    if (this.#early.length > MAX_EARLY_CHUNKS) this.#early.shift()
    if (this.#current === undefined) return
    try {
      for (const chunk of this.#early.splice(0)) this.#printed?.push(chunk)
    } catch (error) {
      // The output was refused before, and its writer refuses the rest as well. If that was for now, what was not stored
      // is left out.
      if (isRefusal(error, "unavailable")) this.#printed = this.#newWriter()
    }
  }

  /** The attempt whose output this is; undefined until it has begun. */
  get #current(): AttemptName | undefined {
    return this.#attempt ?? this.#options.underWay
  }

  #attemptOf(stored: Stored): number {
    const { token } = this.#options
    if (token !== undefined) return printing(stored, token)
    return printingOf(stored, this.#current ?? stored.item)
  }

  #showLife(): void {
    this.#isAlive = true
    this.#heardMs = this.#now()
  }

  #hear(text: string): void {
    if (this.#refusal !== undefined) throw this.#refusal
    const reports = this.#renderer.push(text)
    this.#showLife()
    this.#report = reports.at(-1) ?? this.#report
    if (this.#options.underWay === undefined && !this.#hasSpoken && text.trim() !== "") {
      this.#hasSpoken = true
      this.#report ??= {}
    }
    this.#store()
  }

  /**
   * Renews a lease of this length during a silence, because a renderer can work for minutes without printing
   * a line. A longer silence ends the lease, and then the reading with `lease_lost`.
   */
  keepAlive(leaseMs: number): void {
    const silentMs = this.#now() - this.#heardMs
    const { reached } = this.#renderer.evidence
    const mostMs = Math.max(leaseMs, longestSilenceMs(this.#options.renderer, reached))
    if (silentMs >= mostMs) this.#loseLease(silentMs)
    // A renewed lease would last longer than the allowed silence.
    if (silentMs + leaseMs > mostMs) return
    this.#isAlive = true
    this.#store()
  }

  #loseLease(silentMs: number): void {
    const { id } = this.#options
    const silence = `the renderer of queue item ${id} has printed nothing for ${Math.floor(silentMs / 1000)} s`
    this.stop(new AppError("lease_lost", `${silence}; its lease has run out`))
  }

  get #hasNews(): boolean {
    return this.#report !== undefined || (this.#isAlive && this.#options.token !== undefined)
  }

  #store(): void {
    if (this.#hasNews) this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    try {
      while (this.#hasNews) {
        const report = this.#report
        this.#report = undefined
        this.#isAlive = false
        await this.#tell(report)
      }
    } catch (error) {
      this.#refusal = error
    } finally {
      this.#writing = undefined
    }
  }

  /** Stores a report, or that the renderer lives. If the database does not take it now, it is news again, a little later. */
  async #tell(report: Report | undefined): Promise<void> {
    const { id, token } = this.#options
    try {
      if (report) await this.#send(report)
      else if (token !== undefined) await this.#workers.heartbeat(id, token)
      this.#unstored = undefined
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "unavailable") throw error
      this.#unstored = error
      if (this.#hasEnded || this.#refusal !== undefined) return
      this.#report ??= report
      this.#isAlive = true
      await retryPause()
    }
  }

  async #send(report: Report): Promise<void> {
    const { id, token, span } = this.#options
    const isFirst = this.#attempt === undefined
    // The steps before this one are done.
    const begun: Report = span && isFirst ? { progress: span.from, basis: "declared" } : {}
    const told = span ? { ...begun, ...spanned(report, span) } : report
    // Without a lease nothing else connects this output to its attempt: the item may have been cancelled and
    // retried.
    const attempt = token === undefined ? this.#current : undefined
    const { item } = await this.#workers.report(id, token, told, attempt)
    this.#attempt = item
    this.#keep()
  }

  /** Ends without a verdict. @throws AppError `unavailable` if the last report could not be stored */
  leave(): void {
    if (this.#unstored) throw this.#unstored
  }

  /**
   * Completes or fails the item, according to the end of its output. It tries until the database takes that: the renderer
   * is gone, and nobody else knows how it ended.
   * @throws AppError any other refusal of the queue; `unavailable` if the server stops, or if the item has not begun and
   * the database is full
   */
  async finish(): Promise<LeaseStanding | undefined> {
    for (;;) {
      try {
        return await this.#end()
      } catch (error) {
        const isInVain = this.#current === undefined && this.#workers.hasNoRoom
        if (!isRefusal(error, "unavailable") || isInVain || this.#workers.draining) throw error
        await retryPause()
      }
    }
  }

  async #end(): Promise<LeaseStanding | undefined> {
    const { renderer: name } = this.#options
    const { failure, hasEnded: saidSo, reached } = this.#renderer.evidence
    const hasEnded = saidSo || !RENDERERS[name].saysEnd
    // An attempt under way needs no report to end, and a full database takes none.
    if (this.#current === undefined) await this.#send({})
    if (failure !== undefined) return this.#fail(failure)
    if (hasEnded && isWhole(reached ?? 0)) return this.#complete()
    const done = `${Math.floor((reached ?? 0) * 100)} % of its total`
    return this.#fail(
      hasEnded ? `the renderer stopped at ${done}` : `the renderer's output broke off at ${done}`,
    )
  }

  async #complete(): Promise<LeaseStanding | undefined> {
    const { id, token } = this.#options
    if (token !== undefined) return this.#workers.complete(id, token, {})
    const change = { status: "completed", message: OWN_MESSAGES.completed } as const
    await this.#queue.update(id, change, this.#current)
    return undefined
  }

  async #fail(why: string): Promise<LeaseStanding | undefined> {
    const { id, token, span } = this.#options
    const error_message = span?.step ? `${stepWords(span.step)}: ${why}` : why
    if (token !== undefined) return this.#workers.fail(id, token, { error_message, retryable: true })
    const change = { status: "failed", message: OWN_MESSAGES.failed, error_message } as const
    await this.#queue.update(id, change, this.#current)
    return undefined
  }
}
