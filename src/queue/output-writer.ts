import { type OutputPiece } from "../item/output-piece.ts"
import { Transcript } from "../renderers/transcript-without-escapes.ts"
import { UnreadOutput } from "../renderers/unread-output.ts"
import type { OutputEnd } from "../store/contract/outputs.ts"

/**
 * How long output is gathered before it is stored: far less than the second within which viewers should see
 * it.
 */
const GATHER_MS = 200

/** How much output may wait to be stored, however much is kept. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024

/** Stores pieces; resolves with the new end of the output. */
type StorePieces = (pieces: readonly OutputPiece[]) => Promise<OutputEnd>

/**
 * Stores one output as it comes, as fast as the database allows. The sender never waits for that: if output
 * comes faster, the oldest waiting part is left out.
 */
export class OutputWriter {
  readonly #store: StorePieces
  readonly #recent: UnreadOutput
  readonly #transcript = new Transcript()
  /** The position of the first byte; undefined if the output goes on after what is stored. */
  readonly #from: number | undefined
  #bytes = 0
  /**
   * The end up to which pieces of an output without positions got theirs; undefined before the first piece.
   */
  #next: number | undefined
  #heard = 0
  #writing: Promise<void> | undefined
  /** Ends the wait for more. */
  #hurry: (() => void) | undefined
  #isEnding = false
  #end: OutputEnd | undefined
  #refusal: unknown

  /**
   * `keepBytes` is how much of the output is kept; 0 for nothing. `from` is the position of the first byte.
   * If it is undefined, the output goes on after what is stored, and only the text that it finally shows
   * counts.
   */
  constructor(store: StorePieces, keepBytes: number, from: number | undefined) {
    this.#store = store
    this.#recent = new UnreadOutput(Math.min(keepBytes, MOST_WAITING_BYTES))
    this.#from = from
  }

  /** Checks that output may be stored, before any has come. @throws AppError the refusal of the store */
  async begin(): Promise<void> {
    const { end } = await this.#store([])
    if (this.#from === undefined) this.#next = end
  }

  /** Takes the next bytes. @throws AppError the refusal of the store */
  push(bytes: Uint8Array): void {
    if (this.#refusal !== undefined) throw this.#refusal
    this.#bytes += bytes.length
    this.#recent.push({ output: 1, bytes })
    this.#writing ??= this.#writeSoon()
  }

  /** Stores what is left; resolves with the end of the output. @throws AppError the refusal of the store */
  async end(): Promise<OutputEnd> {
    this.#isEnding = true
    this.#hurry?.()
    await this.#writing
    await this.#write([...this.#pieces(), ...this.#transcript.rest()])
    const { attempt, end } = this.#end ?? (await this.#store([]))
    // Bytes that show nothing, or are not kept, count as taken.
    return { attempt, end: this.#from === undefined ? end : Math.max(end, this.#from + this.#bytes) }
  }

  async #writeSoon(): Promise<void> {
    try {
      while (!this.#recent.isEmpty) {
        if (!this.#isEnding) await this.#gathered()
        await this.#write(this.#pieces())
      }
    } catch (error) {
      this.#refusal = error
    } finally {
      this.#writing = undefined
    }
  }

  /** Resolves when enough time has passed, or nothing more will come. */
  async #gathered(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#hurry = resolve
    const timer = setTimeout(resolve, GATHER_MS)
    await promise
    clearTimeout(timer)
  }

  /** The lines that have ended. */
  #pieces(): OutputPiece[] {
    const { dropped, chunks } = this.#recent.take()
    const before = dropped > 0 ? this.#transcript.skip(dropped) : []
    return [...before, ...chunks.flatMap(({ bytes }) => this.#transcript.push(bytes))]
  }

  async #write(pieces: readonly OutputPiece[]): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    if (pieces.length === 0) return
    if (this.#from === undefined) this.#next ??= (await this.#store([])).end
    this.#end = await this.#store(pieces.map((piece) => this.#withPositions(piece)))
  }

  #withPositions({ from, to, text }: OutputPiece): OutputPiece {
    if (this.#from !== undefined) return { from: this.#from + from, to: this.#from + to, text }
    const at = (this.#next ?? 0) + from - this.#heard
    this.#heard = to
    this.#next = at + Buffer.byteLength(text)
    return { from: at, to: this.#next, text }
  }
}
