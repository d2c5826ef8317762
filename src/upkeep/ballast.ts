import { Repeating } from "../service.ts"

const TURN_MS = 500
/** What the file takes from the disk: room for the results of thousands of renders. */
export const BALLAST_BYTES = 8 * 1024 * 1024
/** With less room the disk is full: a single transaction can need it. */
const FULL_BYTES = 1024 * 1024
/** The file is made again once twice its size is free, so that its size stays free beside it. */
const ENOUGH_BYTES = 2 * BALLAST_BYTES

/** What is known of the disk, and done with the file. */
export interface BallastOptions {
  /** Bytes that are free on the disk of the database. */
  readonly freeBytes: () => number
  /** Whether the database has refused its last commit because there was no room. */
  readonly isRefused: () => boolean
  /** Whether the whole file is there. */
  readonly isThere: () => boolean
  /** Makes the file. */
  readonly load: () => Promise<void>
  /** Removes the file. */
  readonly drop: () => void
  /** Gives the room that the write-ahead log takes back to the disk, as far as it can be. */
  readonly checkpoint: () => Promise<void>
  /** Called when the disk is found to be full, and when it is no longer. */
  readonly onFull: (isFull: boolean) => void
  /** Receives errors; the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Keeps a file beside the database that is released when the disk is full: then items and reports are refused, and what
 * ends a render finds room. An older file is taken over at the next start.
 */
export class Ballast extends Repeating {
  readonly #options: BallastOptions
  #isFull = false

  constructor(options: BallastOptions) {
    super(TURN_MS, options.onError)
    this.#options = options
  }

  /**
   * Checks the disk once. The service does not check when it starts, so a server that is stopped at once makes
   * no file.
   */
  async turn(): Promise<void> {
    const { freeBytes, isRefused, isThere, load, drop, checkpoint } = this.#options
    const free = freeBytes()
    if (free >= ENOUGH_BYTES) {
      if (!isThere()) await load()
      this.#set(false)
    } else if (this.#isFull || free < FULL_BYTES || isRefused()) {
      // Refuse new items before the room is freed; otherwise they would take it.
      this.#set(true)
      drop()
      await checkpoint()
    }
  }

  #set(isFull: boolean): void {
    if (isFull !== this.#isFull) this.#options.onFull(isFull)
    this.#isFull = isFull
  }
}
