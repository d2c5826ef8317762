import { type Client, type Held, ServerError } from "../client/client.ts"
import { OutputSpool } from "./output-spool.ts"
import { isFinalRefusal } from "./server-errors.ts"
import { Wake } from "./wake.ts"

/** Printed bytes are gathered for this long before they are made into lines. */
const GATHER_MS = 125
/** The time between two requests: far less than the second within which viewers should see a line. */
const SEND_EVERY_MS = 250
/** The greatest speed at which the output of a command is sent, in bytes per millisecond. */
const MOST_A_MS = 256

/**
 * Sends what a command prints. These are the least important reports of a run: if they fail, the command and
 * the other reports go on. What could not be sent because the server was unreachable is sent later, as far as
 * the spool still has it.
 */
export class OutputSender {
  readonly #client: Client
  readonly #isContinued: () => boolean
  readonly #spool = new OutputSpool()
  /** The lease to which the positions belong. */
  #token: string | undefined
  /** What to add to a position of ours to get the one in the attempt's output. */
  #shift = 0
  /** Our position behind the last text that the server took. */
  #sentTo = 0
  #isRefused = false
  readonly #over: AbortSignal
  readonly #loop = new Wake()
  #gathering: Timer | undefined

  /**
   * `over` aborts when the command has ended. `isContinued` returns whether an earlier process has printed in
   * the first attempt.
   */
  constructor(client: Client, over: AbortSignal, isContinued: () => boolean) {
    this.#client = client
    this.#isContinued = isContinued
    this.#over = over
    over.addEventListener("abort", () => clearTimeout(this.#gathering))
  }

  /** Adds what was printed on an output, 1 or 2. */
  push(bytes: Uint8Array, output: number): void {
    if (this.#isRefused) return
    if (this.#spool.push(bytes, output)) this.#gatherSoon()
  }

  /** Resolves when there is something to send, or the signal aborts. */
  async filled(signal: AbortSignal): Promise<void> {
    if (this.#isRefused || this.#spool.isEmpty) await this.#loop.woken(signal)
  }

  /** The timer runs only when there is something to do. So a silent command costs nothing. */
  #gatherSoon(): void {
    if (this.#gathering !== undefined || this.#over.aborted) return
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined
      if (this.#spool.gather()) this.#gatherSoon()
      if (!this.#spool.isEmpty) this.#loop.wake()
    }, GATHER_MS)
    this.#gathering.unref()
  }

  /**
   * Sends what waits, with this lease. Resolves with how many milliseconds to wait before the next time.
   * @throws ServerError if it may succeed later; the signal's reason
   */
  async send(held: Held, signal?: AbortSignal): Promise<number> {
    const next = this.#isRefused ? undefined : this.#spool.next()
    if (!next) return SEND_EVERY_MS
    try {
      if (held.token !== this.#token) {
        const isBegun = this.#token === undefined && this.#isContinued()
        // Not `next.at`: what was lost before it counts as missing in the output.
        this.#shift = (isBegun ? await this.#endOf(held, signal) : 0) - this.#sentTo
        this.#token = held.token
      }
      await this.#client.print(held, next.bytes, next.at + this.#shift, signal)
      this.#sentTo = next.at + next.bytes.length
      this.#spool.stored(this.#sentTo)
      return Math.max(SEND_EVERY_MS, next.bytes.length / MOST_A_MS)
    } catch (error) {
      // With another lease it may succeed.
      if (!isFinalRefusal(error) || error.code === "lease_lost") throw error
      // The server is older, or does not take outputs.
      this.#isRefused = true
      return SEND_EVERY_MS
    }
  }

  /** The position at which the attempt's output ends on the server. */
  async #endOf(held: Held, signal: AbortSignal | undefined): Promise<number> {
    return (await this.#client.print(held, new Uint8Array(), undefined, signal)).end
  }

  /**
   * Sends everything that is left after the command has ended. If the server refuses it, the verdict must
   * still be reported. If the server does not answer, the verdict cannot be reported either.
   * @throws ServerError if the server does not answer
   */
  async finish(held: Held): Promise<void> {
    this.#spool.close()
    try {
      while (!this.#isRefused && this.#spool.next()) await this.send(held)
    } catch (error) {
      if (!(error instanceof ServerError) || error.status === 0) throw error
    }
  }
}
