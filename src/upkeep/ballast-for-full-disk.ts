import { FAST_ROUND_MS, Repeating } from "../background-work.ts"

/** The size of the file in bytes: room for the results of thousands of renders. */
export const BALLAST_BYTES = 8 * 1024 * 1024
/** With less free room than this, the disk is full: a single transaction can need it. */
export const FULL_BYTES = 1024 * 1024
/** The file is made again when twice its size is free. Then its size stays free beside it. */
const ENOUGH_BYTES = 2 * BALLAST_BYTES

/** Questions about the disk, and actions on the file. */
export interface BallastOptions {
  /** The free bytes on the disk of the database. */
  readonly freeBytes: () => number
  /** Whether the database has refused its last commit because there was no room. */
  readonly isRefused: () => boolean
  /** Whether the whole file is there. */
  readonly isThere: () => boolean
  /** Whether the file is there without its contents, because the disk was full, perhaps under an earlier server. */
  readonly isEmptied: () => boolean
  /** Makes the file. */
  readonly load: () => Promise<void>
  /** Empties the file, if it is there. */
  readonly drop: () => void
  /** Gives the room of the write-ahead log back to the disk, as far as possible. */
  readonly checkpoint: () => Promise<void>
  /** Called when the disk becomes full, and when it is no longer full. */
  readonly onFull: (isFull: boolean) => void
  /** Receives errors; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Keeps a file beside the database, and empties it when the disk is full. Then new items and progress reports
 * are refused, and the reports that end a render find room. An existing file is used again at the next start; an
 * empty one tells that start that the free room is kept for results.
 */
export class Ballast extends Repeating {
  readonly #options: BallastOptions
  #isFull = false

  /** If the disk is full already, `onFull` is called at once: the server must not take items before the first round. */
  constructor(options: BallastOptions) {
    super(FAST_ROUND_MS, options.onError)
    this.#options = options
    try {
      if (this.#isShort(options.freeBytes())) this.#set(true)
    } catch (error) {
      options.onError(error)
    }
  }

  /**
   * Checks the disk once. The service does not change the file when it starts, so that a server that is stopped at
   * once makes none.
   */
  async round(): Promise<void> {
    const { freeBytes, isThere, load, drop, checkpoint } = this.#options
    const free = freeBytes()
    if (free >= ENOUGH_BYTES) {
      if (!isThere()) await load()
      this.#set(false)
    } else if (this.#isShort(free)) {
      // Refuse new items before the room is freed; otherwise they would take it.
      this.#set(true)
      drop()
      await checkpoint()
    }
  }

  /** Whether the free room is kept for results. */
  #isShort(free: number): boolean {
    const { isRefused, isEmptied } = this.#options
    return free < ENOUGH_BYTES && (this.#isFull || free < FULL_BYTES || isRefused() || isEmptied())
  }

  #set(isFull: boolean): void {
    if (isFull !== this.#isFull) this.#options.onFull(isFull)
    this.#isFull = isFull
  }
}
