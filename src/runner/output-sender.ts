import { type Client, type Held, ServerError } from "../client/client.ts"
import { OutputSpool } from "./output-spool.ts"
import { Wake } from "./wake.ts"

/** How long after a command has printed something it is made into lines. */
const GATHER_MS = 125
/** Between two requests: far less than the second within which a line is to be seen. */
const SEND_EVERY_MS = 250
/** A command that prints without end is sent no faster than this, in bytes a millisecond. */
const MOST_A_MS = 256

/** Whether the same request can succeed later, perhaps by another lease. */
const isPassing = ({ isPassing: passes, status, code }: ServerError): boolean =>
  passes || status === 401 || status === 403 || code === "lease_lost" || code === ""

/**
 * Sends what a command prints. This is the least important report of a run: even if it fails, the command and
 * the other reports go on. What an unreachable server misses is sent later, as far as the spool holds it.
 */
export class OutputSender {
  readonly #client: Client
  readonly #isContinued: () => boolean
  readonly #spool = new OutputSpool()
  /** The lease that the positions below are for. */
  #token: string | undefined
  /** The position of our first byte in the attempt's output. */
  #shift = 0
  #isRefused = false
  readonly #over: AbortSignal
  readonly #loop = new Wake()
  #gathering: Timer | undefined

  /**
   * `over` aborts when the command has ended; `isContinued` answers whether others have printed in the first attempt.
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
    this.#spool.push(bytes, output)
    this.#gatherSoon()
  }

  /** Resolves when something is to be sent, or the signal aborts. */
  async filled(signal: AbortSignal): Promise<void> {
    if (this.#isRefused || this.#spool.isEmpty) await this.#loop.woken(signal)
  }

  /** A timer that runs only when there is something to do costs the render nothing while its command is silent. */
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
   * Sends what waits by this lease; resolves with how many milliseconds to wait before the next time.
   * @throws ServerError when it can succeed later; the signal's reason
   */
  async send(held: Held, signal?: AbortSignal): Promise<number> {
    const next = this.#isRefused ? undefined : this.#spool.next()
    if (!next) return SEND_EVERY_MS
    try {
      if (held.token !== this.#token) {
        const isBegun = this.#token === undefined && this.#isContinued()
        this.#shift = (isBegun ? await this.#endOf(held, signal) : 0) - next.at
        this.#token = held.token
      }
      await this.#client.print(held, next.bytes, next.at + this.#shift, signal)
      this.#spool.stored(next.at + next.bytes.length)
      return Math.max(SEND_EVERY_MS, next.bytes.length / MOST_A_MS)
    } catch (error) {
      if (!(error instanceof ServerError) || isPassing(error)) throw error
      // An older server, or one that does not want it.
      this.#isRefused = true
      return SEND_EVERY_MS
    }
  }

  /** Where the attempt's output ends on the server. */
  async #endOf(held: Held, signal: AbortSignal | undefined): Promise<number> {
    return (await this.#client.print(held, new Uint8Array(), undefined, signal)).end
  }

  /**
   * Sends all that is left, as the command has ended. What the server does not take now must not keep the verdict from
   * it; if the server does not answer, the verdict is not delivered either.
   * @throws ServerError when the server does not answer
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
