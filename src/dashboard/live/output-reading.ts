import type { OutputPosition, Printed } from "../../client/client.ts"
import { notKept } from "../../text.ts"
import { server } from "./server.ts"

const LOOK_MS = 500

/** The callbacks of a reading. */
export interface HeardOutput {
  /** Called with each piece of text that comes next. */
  readonly text: (text: string) => void
  /** Called if the text so far belongs to an attempt before a retry. The next text begins from nothing. */
  readonly begunAgain: () => void
  /** Called when no more text will come. */
  readonly ended: () => void
  /** Whether the reader of the page may still look at the output. Once this is false, the reading ends. */
  readonly isWanted: () => boolean
}

/**
 * Reads the output of the command of one attempt, and follows it while it is seen. A browser has few
 * connections for a server, so a hidden tab releases its own, and later continues at the same position.
 */
export class OutputReading {
  readonly #id: number
  readonly #attempt: number
  readonly #isFollowed: boolean
  readonly #heard: HeardOutput
  readonly #timer: ReturnType<typeof setInterval>
  #position: OutputPosition | undefined
  #connection: AbortController | undefined

  constructor(id: number, attempt: number, isFollowed: boolean, heard: HeardOutput) {
    this.#id = id
    this.#attempt = attempt
    this.#isFollowed = isFollowed
    this.#heard = heard
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    void this.#read()
  }

  /** Ends the reading. */
  close(): void {
    clearInterval(this.#timer)
    this.#connection?.abort()
  }

  #look(): void {
    if (!this.#heard.isWanted()) return this.close()
    if (document.hidden) this.#connection?.abort()
    else if (!this.#connection) void this.#read()
  }

  async #read(): Promise<void> {
    const connection = new AbortController()
    this.#connection = connection
    const options = { attempt: this.#attempt, from: this.#position, isFollowed: this.#isFollowed }
    try {
      for await (const said of server.output(this.#id, { ...options, signal: connection.signal }))
        this.#hear(said)
      if (!connection.signal.aborted) this.#over()
    } catch {
      // The server refuses: the item, or its attempt, no longer exists.
      if (!connection.signal.aborted) this.#over()
    } finally {
      this.#connection = undefined
    }
  }

  #over(): void {
    this.close()
    this.#heard.ended()
  }

  #hear(said: Printed): void {
    if (said.type !== "piece") return
    const { attempt, to, missing, text, begunMs } = said
    const before = this.#position?.begunMs
    if (before !== undefined && begunMs !== undefined && before !== begunMs) this.#heard.begunAgain()
    this.#position = { attempt, to, begunMs }
    this.#heard.text(missing > 0 ? `[${notKept(missing)}]\n${text}` : text)
  }
}
