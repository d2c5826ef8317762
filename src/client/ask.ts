import type { Directive } from "../item/item.ts"

/** What the server says of a refusal, where it is the server that speaks. */
interface Envelope {
  readonly code?: string
  readonly requestId?: string
  readonly directive?: Directive
  readonly retryAfterMs?: number
}

/**
 * An answer that is no success; `code` and `requestId` are the server's, empty where something else answered.
 * `status` is 0 where nobody did. With `directive` cancel the item is the worker's no more. `retryAfterMs` is how long
 * to wait before asking again; 0 where the answer does not say.
 */
export class ServerError extends Error {
  readonly status: number
  readonly code: string
  readonly requestId: string
  readonly directive: Directive
  readonly retryAfterMs: number

  constructor(status: number, message: string, envelope: Envelope = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = "ServerError"
    this.status = status
    this.code = envelope.code ?? ""
    this.requestId = envelope.requestId ?? ""
    this.directive = envelope.directive ?? "continue"
    this.retryAfterMs = envelope.retryAfterMs ?? 0
  }

  /** Whether asking again later may be answered otherwise: nobody answered, or only for now. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** How long a whole answer may take, beyond the time for which it was asked to be held. */
const ANSWER_MS = 10_000

/** How to ask. */
export interface Ask {
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** Seconds for which the server was asked to hold its answer. */
  readonly heldS?: number
}

/** Asks one server. `base` is its URL without the path. */
export class Asker {
  readonly #base: string

  constructor(base: string) {
    this.#base = `${base.replace(/\/+$/, "")}/api/v1`
  }

  /**
   * The whole answer, null for an empty one.
   * @throws ServerError; what the signal's abort gives
   */
  async json<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), ANSWER_MS + (ask.heldS ?? 0) * 1000)
    const signal = ask.signal ? AbortSignal.any([ask.signal, late.signal]) : late.signal
    try {
      const answer = await this.ask(method, path, { ...ask, signal })
      const text = await answer.text()
      return JSON.parse(text === "" ? "null" : text)
    } catch (cause) {
      if (ask.signal?.aborted || cause instanceof ServerError) throw cause
      const what = late.signal.aborted ? "did not answer in time" : "gave no whole answer"
      throw new ServerError(0, `the server at ${this.#origin} ${what}`, {}, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * The answer as it begins, its body unread.
   * @throws ServerError; what the signal's abort gives
   */
  async ask(method: string, path: string, { body, headers, signal }: Ask): Promise<Response> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      throw new ServerError(
        0,
        `no server answers at ${this.#origin}; start one with "track-studio serve"`,
        {},
        { cause },
      )
    })
    if (answer.ok) return answer
    throw refusal(answer, await answer.text())
  }

  get #origin(): string {
    return new URL(this.#base).origin
  }
}

function refusal({ status, headers }: Response, said: string): ServerError {
  const retryAfterS = Number(headers.get("retry-after") ?? 0)
  const retryAfterMs = retryAfterS > 0 ? retryAfterS * 1000 : 0
  try {
    const { error, code, request_id, directive }: Record<string, unknown> = JSON.parse(said)
    if (typeof error === "string") {
      const told: Directive = directive === "cancel" ? "cancel" : "continue"
      return new ServerError(status, error, {
        code: String(code),
        requestId: String(request_id),
        directive: told,
        retryAfterMs,
      })
    }
  } catch {
    // Not our envelope: a proxy spoke.
  }
  return new ServerError(status, `the server answered ${status}`, { retryAfterMs })
}
