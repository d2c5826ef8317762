import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as plain,
} from "node:http"
import { request as secure } from "node:https"

/** Why a connection failed, in words, by the system's code. */
export const SILENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such name",
  EHOSTUNREACH: "the network has no route to it",
  ENETUNREACH: "the network has no route to it",
  ECONNRESET: "the connection was cut",
}

/** The ID of an item that no server has. */
export const NO_ID = Number.MAX_SAFE_INTEGER

/** A host name that cannot exist. */
export const NO_HOST = "doctor.invalid"

/** The server that is examined, and how. */
export interface Patient {
  /** The public address of the server; a path in it is the one below which a proxy serves the server. */
  readonly url: URL
  /** The access token to send; undefined for none. */
  readonly token: string | undefined
  /** How long an immediate answer may take, in milliseconds. */
  readonly patienceMs: number
  /** How long idle streams, pauses and held answers are watched, in milliseconds; 0 skips these checks. */
  readonly idleMs: number
  /** This machine's time, in milliseconds since 1970. */
  readonly now: () => number
}

/** One request. */
export interface Request {
  /** The HTTP method; default GET. */
  readonly method?: string
  /** The path below `/api/v1`, with its query. */
  readonly path: string
  /** Whether the path is below the address itself instead, as that of the page is; default false. */
  readonly isOfPage?: boolean
  /**
   * Headers beside those that every request has; a name that is given here is sent as it is given. Default
   * none.
   */
  readonly headers?: Readonly<Record<string, string>>
  /** The address of this machine to send from; default: the one that the system chooses. */
  readonly from?: string | undefined
  /** Whether to send the token; default true. */
  readonly isNamed?: boolean
  /** The beginning of a body whose end never comes; default no body. */
  readonly unfinished?: string
  /** A whole body; default none. */
  readonly body?: string
  /** Whether the text so far is enough; default: never, so that the answer is read to its end. */
  readonly until?: (text: string) => boolean
  /** How long to read, in milliseconds; default: `patienceMs`. */
  readonly mostMs?: number
  /** How long to read once the answer has begun, in milliseconds; default: until `mostMs` is over. */
  readonly watchMs?: number
}

/** What came back. */
export interface Answer {
  /** The HTTP status; 0 if no answer began. */
  readonly status: number
  /** Its headers, by names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** The body as far as it was read, byte for byte as latin1. */
  readonly text: string
  /** Milliseconds until the answer began; undefined if it never did. */
  readonly headMs: number | undefined
  /** Milliseconds until enough had come, until the other side ended it, or until the time was over. */
  readonly lastMs: number
  /** Why it ended: it was whole, enough (or 4 MB) had come, the time was over, or the connection broke. */
  readonly end: "whole" | "enough" | "late" | "broken"
  /** Why it broke, such as `ECONNREFUSED`; empty otherwise. */
  readonly reason: string
}

/** The host of an address, without the brackets around an IPv6 address. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "")

/** The port of an address, also where it is the one that its scheme implies. */
export const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === "https:" ? 443 : 80))

/** What a program answered that may not be the server. */
export const answerWords = ({ status }: Answer): string =>
  status === 0 ? "there is no answer" : `the answer is ${status}`

/** The same of an answer that is known not to come from the server. */
export const foreignAnswerWords = (answer: Answer): string => `${answerWords(answer)}, not from the server`

function requestOf(
  { url, token }: Patient,
  { method = "GET", path, isOfPage = false, headers, from, isNamed = true }: Request,
) {
  const send = url.protocol === "https:" ? secure : plain
  return send({
    agent: false,
    hostname: hostOf(url),
    port: portOf(url),
    method,
    ...(from !== undefined && { localAddress: from }),
    path: `${url.pathname.replace(/\/+$/, "")}${isOfPage ? "" : "/api/v1"}${path}`,
    headers: {
      host: url.host,
      "user-agent": "track-studio doctor",
      "accept-encoding": "identity",
      ...(isNamed && token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
  })
}

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message

/** More bytes than any answer that is requested here has. Another program may send without an end. */
const MAX_LENGTH = 4 * 1024 * 1024

/** Reads answers as they come. A connection is closed as soon as enough of it was read. */
class Exchange {
  readonly over = Promise.withResolvers<Answer>()
  readonly #startedMs = performance.now()
  readonly #until: (text: string) => boolean
  readonly #request: ClientRequest
  readonly #watchMs: number | undefined
  #timer: ReturnType<typeof setTimeout>
  #answer: IncomingMessage | undefined
  #headMs: number | undefined
  #text = ""

  constructor(patient: Patient, request: Request) {
    this.#until = request.until ?? (() => false)
    this.#watchMs = request.watchMs
    this.#timer = setTimeout(() => this.#end("late"), request.mostMs ?? patient.patienceMs)
    this.#request = requestOf(patient, request)
      .on("response", (answer) => this.#begin(answer))
      .on("upgrade", (answer) => {
        this.#begin(answer)
        this.#end("whole")
      })
      .on("error", (error) => this.#end("broken", codeOf(error)))
    if (request.unfinished === undefined) this.#request.end(request.body)
    else this.#request.write(request.unfinished)
  }

  #begin(answer: IncomingMessage): void {
    this.#answer = answer
    this.#headMs = performance.now() - this.#startedMs
    if (this.#watchMs !== undefined) {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#end("late"), this.#watchMs)
    }
    answer.on("data", (bytes: Buffer) => this.#take(bytes))
    answer.on("end", () => this.#end("whole"))
    answer.on("error", (error) => this.#end("broken", codeOf(error)))
    this.#take(Buffer.alloc(0))
  }

  #take(bytes: Buffer): void {
    this.#text += bytes.toString("latin1")
    if (this.#until(this.#text) || this.#text.length > MAX_LENGTH) this.#end("enough")
  }

  #end(end: Answer["end"], reason = ""): void {
    clearTimeout(this.#timer)
    this.over.resolve({
      status: this.#answer?.statusCode ?? 0,
      headers: this.#answer?.headers ?? {},
      text: this.#text,
      headMs: this.#headMs,
      lastMs: performance.now() - this.#startedMs,
      end,
      reason,
    })
    this.#request.destroy()
  }
}

/** Sends one request over its own connection, and returns what came back; it never rejects. */
export const sendRequest = (patient: Patient, request: Request): Promise<Answer> =>
  new Exchange(patient, request).over.promise

/** The JSON of an answer of a Track Studio server; an empty object for any other answer. */
export function saidIn({ text }: Pick<Answer, "text">): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Whether the server or a proxy has too much to do for this request now, so that its answer says nothing else. */
export const isBusy = ({ status }: Answer): boolean => status === 429 || status === 503

/** Whether a proxy on the way, and not the server, limits the requests. */
export const isLimit = (answer: Answer): boolean => isBusy(answer) && refusalIn(answer).code === ""

/** The sentence and the code of a refusal; empty if another program answered. */
export function refusalIn(answer: Answer): { readonly error: string; readonly code: string } {
  const { error, code } = saidIn(answer)
  return typeof error === "string" && typeof code === "string" ? { error, code } : { error: "", code: "" }
}

/** Whether an answer is a refusal of the server itself. */
export const isOurs = (answer: Answer): boolean => refusalIn(answer).code !== ""
