import { createParser, type EventSourceMessage } from "eventsource-parser"

/** An event of a stream, as a browser would get it; `data` is parsed. */
export interface Seen {
  readonly id: number | undefined
  readonly event: string
  // What a stream sends is for each test to look into.
  readonly data: Record<string, unknown>
}

/** Reads one stream through a standard parser, byte for byte as it comes. */
export class Reader {
  readonly answer: Response
  readonly seen: Seen[] = []
  /** Everything received, as text. */
  raw = ""
  /** Resolves when the stream has ended: with true if it ended cleanly, with false if it was cut. */
  readonly ended: Promise<boolean>
  readonly #abort: AbortController
  #changed: () => void = () => undefined

  private constructor(answer: Response, abort: AbortController) {
    this.answer = answer
    this.#abort = abort
    this.ended = this.#read()
  }

  /** Opens a stream; resolves with its head. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Reader> {
    const abort = new AbortController()
    const answer = await fetch(url, { headers, signal: abort.signal })
    return new Reader(answer, abort)
  }

  /** Resolves when `fits` is true for what has come; rejects if the stream ends before. */
  async until(fits: (seen: readonly Seen[]) => boolean): Promise<readonly Seen[]> {
    while (!fits(this.seen)) {
      const next = new Promise<true>((resolve) => {
        this.#changed = () => resolve(true)
      })
      if (fits(this.seen)) break
      const goes = await Promise.race([next, this.ended.then(() => false)])
      if (!goes && !fits(this.seen))
        throw new Error(`the stream ended after ${this.seen.length} events:\n${this.raw}`)
    }
    return this.seen
  }

  /** Resolves with the first event of this name. */
  async first(event: string): Promise<Seen> {
    const seen = await this.until((all) => all.some((one) => one.event === event))
    const found = seen.find((one) => one.event === event)
    if (!found) throw new Error(`no ${event}`)
    return found
  }

  /** The updates seen so far, without control frames. */
  get updates(): Seen[] {
    return this.seen.filter(({ event }) => event === "message")
  }

  leave(): void {
    this.#abort.abort()
  }

  async #read(): Promise<boolean> {
    const parser = createParser({
      onEvent: ({ id, event, data }: EventSourceMessage) => {
        this.seen.push({
          id: id === undefined ? undefined : Number(id),
          event: event ?? "message",
          data: JSON.parse(data),
        })
      },
    })
    const decoder = new TextDecoder()
    try {
      for await (const chunk of this.answer.body ?? []) {
        const text = decoder.decode(chunk, { stream: true })
        this.raw += text
        parser.feed(text)
        this.#changed()
      }
      return true
    } catch {
      return false
    }
  }
}
