import { Type } from "@sinclair/typebox"
import { Elysia } from "elysia"

import { AppError } from "../errors.ts"
import type { Report } from "../item/item.ts"
import { directiveOf, goesOn } from "../item/lease.ts"
import { isFinished } from "../item/moves.ts"
import type { Queue } from "../queue/queue.ts"
import type { Answer, Workers } from "../queue/workers.ts"
import type { Heard } from "../renderers/reader.ts"
import { isWhole, type Renderer, renderer, type RendererName } from "../renderers/renderer.ts"
import { ItemParams, LeaseParams, tokenOf } from "./params.ts"

const IngestParams = Type.Object({
  ...ItemParams.properties,
  renderer: Type.Union([Type.Literal("ffmpeg"), Type.Literal("blender"), Type.Literal("lines")]),
})

const IngestQuery = Type.Object(
  {
    ...LeaseParams.properties,
    total: Type.Optional(
      Type.String({
        pattern: "^[0-9]{1,9}(\\.[0-9]{1,6})?$",
        description: "seconds of the finished video, or frames",
      }),
    ),
    finish: Type.Optional(Type.Union([Type.Literal("true"), Type.Literal("false")])),
  },
  { additionalProperties: false },
)

/** How long a renderer may say nothing and still keep its lease, while its connection is open. */
const SILENCE_MS = 30 * 60_000

/** What several pieces of output come to: the latest of each key. */
const merged = (said: readonly Heard[]): Report => Object.assign({}, ...said.map(({ report }) => report))

/**
 * One renderer's output on its way into the queue.
 *
 * It is read as fast as it comes, and stored as fast as that goes, the latest of each key: a renderer whose output is
 * not read stands still, and that must never happen for the sake of watching it.
 */
class Ingest {
  readonly #workers: Workers
  readonly #queue: Queue
  readonly #id: number
  readonly #token: string | undefined
  readonly #renderer: Renderer
  readonly #name: RendererName
  #report: Report | undefined
  #isAlive = false
  #heardMs = performance.now()
  #isEnded = false
  /** The attempt that this output belongs to, once that has begun. */
  #attempt: number | undefined
  #writing: Promise<void> | undefined
  #refusal: unknown

  constructor(
    parts: { workers: Workers; queue: Queue },
    id: number,
    token: string | undefined,
    name: RendererName,
    total: number | undefined,
  ) {
    this.#workers = parts.workers
    this.#queue = parts.queue
    this.#id = id
    this.#token = token
    this.#name = name
    this.#renderer = renderer(name, total)
  }

  /**
   * Takes the whole output. Each piece is progress and heartbeat; the first progress starts a waiting item, which
   * opening the request does not: ffmpeg opens it, too, before it finds its input missing.
   * @throws AppError what the queue refuses with; `too_large`
   */
  async listen(body: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of body) this.#hear(decoder.decode(chunk, { stream: true }))
    // The last line may have no end.
    this.#hear("\n")
    await this.settle()
  }

  /** Resolves when everything that was heard is stored. @throws AppError what the queue refused with */
  async settle(): Promise<void> {
    await this.#writing
    if (this.#refusal !== undefined) throw this.#refusal
  }

  #hear(text: string): void {
    if (this.#refusal !== undefined) throw this.#refusal
    const said = this.#renderer.push(text)
    this.#isAlive = true
    this.#heardMs = performance.now()
    if (said.length > 0) this.#report = { ...this.#report, ...merged(said) }
    this.#isEnded = this.#isEnded || said.some(({ ended }) => ended)
    this.#store()
  }

  /** A renderer that says nothing for a while works on: Blender has whole minutes of that. */
  keepAlive(): void {
    if (performance.now() - this.#heardMs > SILENCE_MS) return
    this.#isAlive = true
    this.#store()
  }

  get #hasNews(): boolean {
    return this.#report !== undefined || (this.#isAlive && this.#token !== undefined)
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
        if (report) await this.report(report)
        else if (this.#token !== undefined) await this.#workers.heartbeat(this.#id, this.#token)
      }
    } catch (error) {
      this.#refusal = error
    } finally {
      this.#writing = undefined
    }
  }

  async report(report: Report): Promise<void> {
    // Without a lease nothing else says whose output this is: the item may have been called off and put back.
    const attempt = this.#token === undefined ? this.#attempt : undefined
    const { item } = await this.#workers.report(this.#id, this.#token, report, attempt)
    this.#attempt = item.attempt
  }

  /** Completes or fails the item, by what its renderer has come to. */
  async finish(): Promise<Answer | undefined> {
    const reached = this.#renderer.reached ?? 0
    // ffmpeg says so when it ends; of Blender's end nothing but the frames is to be believed.
    const hasEnded = this.#isEnded || this.#name === "blender"
    if (this.#attempt === undefined) await this.report({})
    else if (this.#token === undefined) goesOn(await this.#queue.get(this.#id), this.#attempt)
    if (hasEnded && isWhole(reached)) return this.#complete()
    const share = `${Math.floor(reached * 100)} % of its total`
    return this.#fail(
      hasEnded ? `the renderer stopped at ${share}` : `the renderer's output broke off at ${share}`,
    )
  }

  async #complete(): Promise<Answer | undefined> {
    if (this.#token !== undefined) return this.#workers.complete(this.#id, this.#token, {})
    await this.#queue.update(this.#id, { status: "completed", message: "Processing completed successfully" })
    return undefined
  }

  async #fail(error_message: string): Promise<Answer | undefined> {
    const failure = { error_message, retryable: true }
    if (this.#token !== undefined) return this.#workers.fail(this.#id, this.#token, failure)
    await this.#queue.update(this.#id, { status: "failed", message: "Processing failed", error_message })
    return undefined
  }
}

/** @throws AppError `invalid` where the end of the output would tell nothing */
function checkFinish(name: RendererName, total: number | undefined): void {
  if (name === "lines") {
    throw new AppError(
      "invalid",
      "finish=true works with ffmpeg and blender: lines do not tell success from failure",
    )
  }
  // A total of 0 is not known either.
  if (!total) {
    throw new AppError(
      "invalid",
      "finish=true needs total: without it a render that broke off looks finished",
    )
  }
}

const leaseMs = ({ expiresAt }: Answer): number => Date.parse(expiresAt ?? "") - Date.now()

/** Calls again and again, until it is disposed of. */
function every(ms: number, call: () => void): Disposable {
  const timer = setInterval(call, ms)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/**
 * The output of renderers, taken as it comes, for hours: `ffmpeg -progress URL` needs no wrapper. It starts a waiting
 * item. With `finish=true` the end of the output ends the item.
 */
export const ingestRoutes = (workers: Workers, queue: Queue) =>
  new Elysia({ prefix: "/queue", normalize: false }).post(
    "/:id/ingest/:renderer",
    async ({ params: { id: itemId, renderer: name }, query, request, server }) => {
      const id = Number(itemId)
      const token = tokenOf(request, query)
      const total = query.total === undefined ? undefined : Number(query.total)
      if (query.finish === "true") checkFinish(name, total)
      // Minutes without a word are usual.
      server?.timeout(request, 0)
      const lease = token === undefined ? undefined : await workers.heartbeat(id, token)
      const { status } = lease?.item ?? (await queue.get(id))
      if (isFinished(status))
        throw new AppError("illegal_move", `queue item ${id} is ${status}: it takes no progress`)
      const ingest = new Ingest({ workers, queue }, id, token, name, total)
      using _renewing = lease && every(leaseMs(lease) / 3, () => ingest.keepAlive())
      await ingest.listen(request.body ?? new Blob().stream()).catch((error: unknown) => {
        // The renderer is gone with its connection: what it had come to is still to be told.
        if (!request.signal.aborted || error instanceof AppError) throw error
        return ingest.settle()
      })
      // Where the server went away, the renderer has not: it renders on unwatched.
      const isOver = query.finish === "true" && !workers.draining
      const answer = isOver ? await ingest.finish() : undefined
      const item = await queue.get(id)
      return { directive: answer?.directive ?? directiveOf(item), item }
    },
    { params: IngestParams, query: IngestQuery, parse: "none" },
  )
