import type { ItemChange, NewItem, ProgressUpdate, QueueItem } from "./progress.ts"

/**
 * An answer that is no success; `code` and `requestId` are the server's, empty where something else answered.
 * `status` is 0 where nobody did.
 */
export class ServerError extends Error {
  readonly status: number
  readonly code: string
  readonly requestId: string

  constructor(status: number, message: string, code = "", requestId = "", options?: ErrorOptions) {
    super(message, options)
    this.name = "ServerError"
    this.status = status
    this.code = code
    this.requestId = requestId
  }
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
  readonly #base: string

  constructor(base: string) {
    this.#base = `${base.replace(/\/+$/, "")}/api/v1`
  }

  /** @throws ServerError */
  async add(item: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    const headers = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }
    return (await this.#ask("POST", "/queue", item, headers)).json()
  }

  /** @throws ServerError */
  async update(id: number, change: ItemChange): Promise<QueueItem> {
    return (await this.#ask("PUT", `/queue/${id}`, change)).json()
  }

  /** One page of the queue. @throws ServerError */
  async list(query: Readonly<Record<string, string>>): Promise<{ queue: QueueItem[]; next: string | null }> {
    return (await this.#ask("GET", `/queue?${new URLSearchParams(query)}`)).json()
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
        if (error instanceof ServerError && isFinal(error.status)) throw error
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
      const answer = await this.#ask(
        "GET",
        path,
        undefined,
        {
          accept: "application/x-ndjson",
          ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
        },
        signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      )
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

  async #ask(
    method: string,
    path: string,
    body?: NewItem | ItemChange,
    headers: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      const { origin } = new URL(this.#base)
      throw new ServerError(
        0,
        `no server answers at ${origin}; start one with "track-studio serve"`,
        "",
        "",
        { cause },
      )
    })
    if (answer.ok) return answer
    const said = await answer.text()
    throw refusal(answer.status, said)
  }
}

/** Whether asking again would be answered alike. */
const isFinal = (status: number): boolean => status >= 400 && status < 500 && status !== 429

function refusal(status: number, said: string): ServerError {
  try {
    const { error, code, request_id }: Record<string, unknown> = JSON.parse(said)
    if (typeof error === "string") return new ServerError(status, error, String(code), String(request_id))
  } catch {
    // Not our envelope: a proxy spoke.
  }
  return new ServerError(status, `the server answered ${status}`)
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
