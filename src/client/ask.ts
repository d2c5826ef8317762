import type { Directive } from "../item/item.ts"

/** What an error answer of the server holds. */
interface Envelope {
  readonly code?: string
  readonly requestId?: string
  readonly directive?: Directive
  readonly retryAfterMs?: number
}

/** A request without success: refused, not answered, or answered by something else. The message is for people. */
export class ServerError extends Error {
  /** The HTTP status; 0 where nobody answered. */
  readonly status: number
  /** The server's code, such as `not_found`; `unreachable` where nobody answered; empty where something else did. */
  readonly code: string
  /** What the server's log calls the request; empty where something else answered. */
  readonly requestId: string
  /** `cancel` when the item no longer belongs to the worker, which must stop. */
  readonly directive: Directive
  /** Milliseconds to wait before asking again; 0 where the answer does not say. */
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

  /** Whether asking again later may succeed: nobody answered, or the refusal is for now only. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

const UNREACHABLE: Envelope = { code: "unreachable" }

/** How long a whole answer may take, beyond the time for which it was asked to be held. */
const ANSWER_MS = 10_000

/** How to ask. */
export interface Ask {
  /** Sent as JSON; default no body. */
  readonly body?: object
  /** Default none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the request when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
  /** Seconds for which the server was asked to hold its answer; default 0. */
  readonly heldS?: number
  /** Whether the path stands beside `/api/v1` instead of below it; default false. */
  readonly isOutsideApi?: boolean
}

/** Sends requests to one server. */
export class Asker {
  readonly #base: string

  /** `base` is the server's URL. */
  constructor(base: string) {
    this.#base = base.replace(/\/+$/, "")
  }

  /**
   * The whole answer, null for an empty one.
   * @throws ServerError; the signal's reason
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
      throw new ServerError(0, `the server at ${this.#origin} ${what}`, UNREACHABLE, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * The answer as it begins, its body unread.
   * @throws ServerError; the signal's reason
   */
  async ask(method: string, path: string, { body, headers, signal, isOutsideApi }: Ask): Promise<Response> {
    const answer = await fetch(`${this.#base}${isOutsideApi ? "" : "/api/v1"}${path}`, {
      method,
      cache: "no-store",
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      throw new ServerError(
        0,
        `no server answers at ${this.#origin}; start one with "track-studio serve"`,
        UNREACHABLE,
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
