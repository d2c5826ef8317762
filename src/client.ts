import { Asker, type Directive, ServerError } from "./ask.ts"
import type { ItemChange, NewItem, ProgressUpdate, QueueItem, Report } from "./progress.ts"

export { type Directive, ServerError }

/** The right to write one item: its ID, and the token of the lease. */
export interface Held {
  readonly id: number
  readonly token: string
}

/** What to claim: the first item whose tags are all among `tags`, or the item `id` and no other. */
export interface ClaimRequest {
  readonly worker: string
  readonly id?: number
  readonly tags?: readonly string[]
  /** Seconds to wait for an item, at most 60; default 0. */
  readonly wait?: number
  /** Seconds, 1 to 3,600; default 60. */
  readonly lease?: number
}

/** A claimed item and its lease; `renew_every` is in seconds. */
export interface Claimed {
  readonly item: QueueItem
  readonly lease: { readonly token: string; readonly expires_at: string; readonly renew_every: number }
}

/** What a worker is answered; `lease` is there while it is held. */
export interface Answer {
  readonly directive: Directive
  readonly lease?: { readonly expires_at: string }
  readonly item: QueueItem
}

/** What a worker hands over with its success. */
export type Result = Pick<
  ItemChange,
  "message" | "current_step" | "video_file_path" | "video_file_size" | "thumbnail_path" | "metadata"
>

/** How a worker failed; `retry_in` is in seconds. By default another attempt follows, when the server sees fit. */
export interface Failure {
  readonly error_message?: string
  readonly retryable?: boolean
  readonly retry_in?: number
}

/** What a watched stream says: an update with its event ID, or a word about the stream itself. */
export type Watched =
  | { readonly type: "update"; readonly id: number; readonly update: ProgressUpdate }
  | { readonly type: "control"; readonly name: string; readonly data: Readonly<Record<string, unknown>> }
  | { readonly type: "offline"; readonly reason: string; readonly retryMs: number }

/** Which stream to watch, and until when. */
export interface WatchOptions {
  readonly queueId?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5000
/** Three of the server's keepalives: a stream silent for longer is dead, whatever the socket says. */
const SILENCE_MS = 45_000

/** A client of one server. `base` is its URL without the path. */
export class Client {
  readonly #server: Asker

  constructor(base: string) {
    this.#server = new Asker(base)
  }

  /** @throws ServerError */
  add(item: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
    return this.#server.json("POST", "/queue", { body: item, headers })
  }

  /** @throws ServerError */
  update(id: number, change: ItemChange): Promise<QueueItem> {
    return this.#server.json("PUT", `/queue/${id}`, { body: change })
  }

  /** One page of the queue. @throws ServerError */
  list(query: Readonly<Record<string, string>>): Promise<{ queue: QueueItem[]; next: string | null }> {
    return this.#server.json("GET", `/queue?${new URLSearchParams(query)}`)
  }

  /**
   * Claims an item, waiting for one as long as asked; null when there was none.
   * @throws ServerError
   */
  claim(request: ClaimRequest, signal?: AbortSignal): Promise<Claimed | null> {
    return this.#server.json("POST", "/queue/claim", { body: request, signal, heldS: request.wait ?? 0 })
  }

  /** Reports progress, and renews the lease. @throws ServerError */
  report(held: Held, report: Report): Promise<Answer> {
    return this.#work(held, "progress", report)
  }

  /**
   * Renews the lease. With `waitS` the answer is held that many seconds, at most 60 and at most half the lease, or
   * until there is a directive to stop.
   * @throws ServerError
   */
  heartbeat({ id, token }: Held, waitS = 0, signal?: AbortSignal): Promise<Answer> {
    const path = `/queue/${id}/heartbeat?wait=${waitS}`
    return this.#server.json("POST", path, { headers: { lease: token }, signal, heldS: waitS })
  }

  /** Ends the lease with success. @throws ServerError */
  complete(held: Held, result: Result = {}): Promise<Answer> {
    return this.#work(held, "complete", result)
  }

  /** Ends the lease with a failure. @throws ServerError */
  fail(held: Held, failure: Failure): Promise<Answer> {
    return this.#work(held, "fail", failure)
  }

  /** Gives the item back. @throws ServerError */
  release(held: Held): Promise<Answer> {
    return this.#work(held, "release", {})
  }

  /** Calls an item off; its worker is told to stop. @throws ServerError */
  cancel(id: number): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/cancel`)
  }

  /** Puts a terminal or retrying item back into the queue. @throws ServerError */
  retry(id: number): Promise<QueueItem> {
    return this.#server.json("POST", `/queue/${id}/retry`)
  }

  /**
   * The stream of one item or of all, for ever: it reconnects by itself from where it was, and tells when it has to.
   * @throws ServerError when the server refuses for good (an unknown item, say)
   */
  async *watch({ queueId, signal }: WatchOptions): AsyncGenerator<Watched, void, undefined> {
    const path = queueId === undefined ? "/progress/stream" : `/progress/stream/${queueId}`
    let lastEventId: string | undefined
    let retryMs = FIRST_RETRY_MS
    while (!signal?.aborted) {
      let reason = "the stream ended"
      try {
        for await (const line of this.#lines(path, lastEventId, signal)) {
          const said = parse(line)
          if (said.id !== undefined) lastEventId = said.id
          if (said.watched) yield said.watched
          retryMs = FIRST_RETRY_MS
        }
      } catch (error) {
        if (signal?.aborted) return
        if (error instanceof ServerError && !error.isPassing) throw error
        reason = error instanceof Error ? error.message : String(error)
      }
      if (signal?.aborted) return
      yield { type: "offline", reason, retryMs }
      await pause(retryMs, signal)
      retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
    }
  }

  async *#lines(path: string, lastEventId: string | undefined, signal?: AbortSignal): AsyncGenerator<string> {
    const silence = new AbortController()
    const alive = (): Timer =>
      setTimeout(() => silence.abort(new Error("the stream fell silent")), SILENCE_MS)
    let timer = alive()
    try {
      const headers = {
        accept: "application/x-ndjson",
        ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
      }
      const answer = await this.#server.ask("GET", path, {
        headers,
        signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      })
      let rest = ""
      const decoder = new TextDecoder()
      for await (const chunk of answer.body ?? []) {
        clearTimeout(timer)
        timer = alive()
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
        rest = lines.pop() ?? ""
        yield* lines
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #work({ id, token }: Held, verb: string, body: object): Promise<Answer> {
    return this.#server.json("POST", `/queue/${id}/${verb}`, { body, headers: { lease: token } })
  }
}

function parse(line: string): { watched?: Watched; id?: string } {
  const value:
    ({ event: string } & Record<string, unknown>) | ({ id: number; event?: never } & ProgressUpdate) =
    JSON.parse(line)
  if (value.event === undefined) {
    const { id, event: _event, ...update } = value
    return { watched: { type: "update", id, update }, id: String(id) }
  }
  const { event: name, ...data } = value
  if (name === "keepalive") return {}
  const id = name === "live" ? { id: String(data["last_event_id"]) } : {}
  return { watched: { type: "control", name, data }, ...id }
}

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener("abort", done)
      resolve()
    }
    signal?.addEventListener("abort", done)
  })
