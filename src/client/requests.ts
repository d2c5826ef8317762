import { retryAfterMs } from "../backoff.ts"
import type { Directive } from "../item/item.ts"
import { type Check, isText } from "./answer-shapes.ts"

/** The content of an error answer of the server. */
interface Envelope {
  readonly code?: string
  readonly requestId?: string
  readonly directive?: Directive
  readonly retryAfterMs?: number
}

/**
 * A request that did not succeed: it was refused, it was not answered, or another program answered. The
 * message is for people.
 */
export class ServerError extends Error {
  /** The HTTP status of a refusal; 0 if there was no answer or another program answered. */
  readonly status: number
  /**
   * The server's code, such as `not_found`; `unreachable` if there was no answer; empty if another program
   * answered.
   */
  readonly code: string
  /** The ID of the request in the server's log; empty if another program answered. */
  readonly requestId: string
  /** `cancel` if the item no longer belongs to the worker, which then must stop. */
  readonly directive: Directive
  /** How many milliseconds to wait before the next request; 0 if the answer does not say. */
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

  /** Whether the same request may succeed later: there was no answer, or the server refuses only for now. */
  get isPassing(): boolean {
    return this.code === "unreachable" || this.status === 429 || this.status >= 500
  }
}

const UNREACHABLE: Envelope = { code: "unreachable" }

/** The error for an answer from this URL that no Track Studio server gives. */
export const notOurs = (url: string): ServerError =>
  new ServerError(
    0,
    `the program at ${new URL(url).origin} is not a Track Studio server that this client knows`,
  )

/** How long a whole answer may take, in addition to the time for which the server was asked to hold it. */
const ANSWER_MS = 10_000
/**
 * The size of more than a thousand of the largest items that are likely. A small machine has more memory than
 * this.
 */
const MAX_ANSWER_MB = 64
/** A refusal is read up to this size. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** The parts of a request beside its method and its path. */
export interface Ask {
  /** Sent as JSON; default no body. */
  readonly body?: object
  /** Sent as it is, instead of a body of JSON; default none. */
  readonly bytes?: Uint8Array<ArrayBuffer>
  /** Further headers; default none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the request when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
  /** Seconds for which the server was asked to hold its answer; default 0. */
  readonly heldS?: number
  /** Called with the headers of a successful answer; default: nothing. */
  readonly onHeaders?: (headers: Headers) => void
}

/**
 * Makes the headers of a request.
 * @throws ServerError for a token, lease or key that no header can carry
 */
function headersOf(values: Readonly<Record<string, string | undefined>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    try {
      headers.set(name, value)
    } catch (cause) {
      const text = `the header ${name} cannot carry its value, which has a line break, or letters beyond Latin-1`
      throw new ServerError(0, text, { code: "invalid" }, { cause })
    }
  }
  return headers
}

/** Why a request to the server at `origin` got no answer, and the way out, by the error of `fetch`. */
export type WhyUnanswered = (origin: string, error: unknown) => string

const noAnswer: WhyUnanswered = (origin) => `no server answers at ${origin}`

/** Sends requests to one server. */
export class Requests {
  readonly #base: string
  readonly #token: () => string | undefined
  readonly #why: WhyUnanswered

  /**
   * `base` is the server's URL; `token` an access token, if the server wants one, or a function that returns
   * the token for each request. `why` is said of a request without an answer.
   */
  constructor(base: string, token?: string | (() => string | undefined), why: WhyUnanswered = noAnswer) {
    this.#token = typeof token === "function" ? token : () => token
    this.#why = why
    this.#base = base.replace(/\/+$/, "")
  }

  /**
   * Sends a request and returns the whole answer, null if it is empty, after `check` has accepted it.
   * @throws ServerError; the signal's reason
   */
  async json<T>(method: string, path: string, check: Check<T>, ask: Ask = {}): Promise<T> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), ANSWER_MS + (ask.heldS ?? 0) * 1000)
    const signal = ask.signal ? AbortSignal.any([ask.signal, late.signal]) : late.signal
    try {
      const answer = await this.ask(method, path, { ...ask, signal })
      ask.onHeaders?.(answer.headers)
      const text = await textOf(answer, MAX_ANSWER_MB * 1024 * 1024)
      if (text === undefined)
        throw new ServerError(0, `the answer from ${this.#origin} is larger than ${MAX_ANSWER_MB} MB`)
      const value = valueOf(text)
      if (check(value)) return value
      throw notOurs(this.#base)
    } catch (cause) {
      if (ask.signal?.aborted || cause instanceof ServerError) throw cause
      const what = late.signal.aborted ? "did not answer in time" : "sent an incomplete answer"
      throw new ServerError(0, `the server at ${this.#origin} ${what}`, UNREACHABLE, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Sends a request and returns the answer as soon as it begins; its body is not read.
   * @throws ServerError; the signal's reason
   */
  async ask(method: string, path: string, ask: Ask): Promise<Response> {
    const { body, bytes, headers, signal } = ask
    const token = this.#token()
    const answer = await fetch(`${this.#base}/api/v1${path}`, {
      method,
      cache: "no-store",
      // A followed redirect would send the lease to another server, and turn a POST into a GET.
      redirect: "manual",
      headers: headersOf({
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(bytes !== undefined && { "content-type": "application/octet-stream" }),
      }),
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(bytes !== undefined && { body: bytes }),
      ...(signal !== undefined && { signal }),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      throw new ServerError(0, this.#why(this.#origin, cause), UNREACHABLE, { cause })
    })
    if (answer.ok) return answer
    if (answer.type === "opaqueredirect" || answer.status < 400) throw this.#redirected(answer)
    throw refusal(answer, (await textOf(answer, MAX_REFUSAL_BYTES)) ?? "")
  }

  get #origin(): string {
    return new URL(this.#base).origin
  }

  /** The error for a redirect. Browsers hide its target and its status. */
  #redirected({ status, headers }: Response): ServerError {
    const to = headers.get("location")
    const where = to === null ? "another address" : (URL.parse(to, this.#base)?.href ?? to)
    const text = `${this.#origin} redirects to ${where}, which is not followed; give the server's own address`
    return new ServerError(status || 307, text)
  }
}

/** What a refusal by a proxy means: it does not contain the server's own message. */
const MEANINGS: Readonly<Record<number, string>> = {
  403: ": it does not allow this client",
  421: ": it does not serve this host name",
}

/** The text of an answer. If it is longer than allowed, the result is undefined and the rest is not read. */
async function textOf(answer: Response, mostBytes: number): Promise<string | undefined> {
  const reader = answer.body?.getReader()
  const decoder = new TextDecoder()
  let [text, bytes] = ["", 0]
  for (;;) {
    const read = await reader?.read()
    if (!read?.value) return text + decoder.decode()
    bytes += read.value.byteLength
    if (bytes > mostBytes) {
      await reader?.cancel()
      return undefined
    }
    text += decoder.decode(read.value, { stream: true })
  }
}

/** A text as a JSON value: null if the text is empty, undefined if it is no JSON. */
export function valueOf(text: string): unknown {
  if (text === "") return null
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal({ status, headers }: Response, said: string): ServerError {
  const waitMs = retryAfterMs(headers)
  const { error, code, request_id, directive }: Readonly<Record<string, unknown>> = Object(valueOf(said))
  // Other programs also refuse with `error` and `code`, but without a request ID.
  if (isText(error) && isText(code) && isText(request_id)) {
    return new ServerError(status, error, {
      code,
      requestId: request_id,
      directive: directive === "cancel" ? "cancel" : "continue",
      retryAfterMs: waitMs,
    })
  }
  const words = isText(error) ? `: ${error}` : (MEANINGS[status] ?? "")
  return new ServerError(status, `the server answered ${status}${words}`, { retryAfterMs: waitMs })
}
