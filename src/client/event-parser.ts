import { ServerError } from "./requests.ts"

/** An event of a stream, as the HTML standard defines it. A key is present only if the server sent it. */
export interface ServerSentEvent {
  /** The event ID; absent if the server sent none. */
  readonly id?: string
  /** The event type; `message` if the server named none. */
  readonly event: string
  /** The data, its lines joined by line breaks. */
  readonly data: string
}

/** What the parser yields: events, and the reconnection time in milliseconds if the server sends one. */
export type Incoming = ServerSentEvent | { readonly retryMs: number }

/** No event of a server has more characters than this. A longer event comes from another program. */
const MAX_EVENT = 4 * 1024 * 1024

/** Reads server-sent events, however their bytes were cut into chunks. */
export class EventParser {
  /** How many keepalives have come. Keepalives are comments, so they are no events. */
  keepalives = 0
  readonly #decoder = new TextDecoder()
  #rest = ""
  #data: string[] = []
  /** The characters of the current event's data so far. */
  #length = 0
  #event = ""
  #id: string | undefined;

  /**
   * Yields the events that these bytes complete.
   * @throws ServerError if an event is too long to come from a server
   */
  *feed(bytes: Uint8Array): Generator<Incoming, void, undefined> {
    // A carriage return at the very end may be half of a line break.
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ""
    if (this.#rest.length + this.#length > MAX_EVENT)
      throw new ServerError(0, "an event of the stream is too long")
    for (const line of lines) {
      const said = line === "" ? this.#complete() : this.#field(line)
      if (said) yield said
    }
  }

  #field(line: string): Incoming | undefined {
    const colon = line.indexOf(":")
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "" && value === "keepalive") this.keepalives += 1
    if (name === "data") {
      this.#data.push(value)
      this.#length += value.length
    }
    if (name === "event") this.#event = value
    if (name === "id" && !value.includes("\0")) this.#id = value
    return name === "retry" && /^\d+$/.test(value) ? { retryMs: Number(value) } : undefined
  }

  #complete(): ServerSentEvent | undefined {
    const [data, event, id] = [this.#data, this.#event, this.#id]
    this.#data = []
    this.#length = 0
    this.#event = ""
    this.#id = undefined
    if (data.length === 0) return undefined
    return { event: event || "message", data: data.join("\n"), ...(id !== undefined && { id }) }
  }
}
