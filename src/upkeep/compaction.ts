import { failureOf, Repeating } from "../background-work.ts"

const ROUND_MS = 60_000
/** A database up to this size is rewritten in about a second, for which writes can wait. */
const SMALL_BYTES = 128 * 1024 * 1024

/** Questions about the database, and actions on it. */
export interface CompactionOptions {
  /** Whether the file could give back room by itself when it was opened. */
  readonly isDone: boolean
  /** How large the database is, in bytes. */
  readonly bytes: () => Promise<number>
  /** Whether any worker holds an item. */
  readonly isAnyLeased: () => Promise<boolean>
  /** Rewrites the file; writes wait meanwhile. An abort of the signal ends this, and nothing is changed. */
  readonly compact: (signal: AbortSignal) => Promise<void>
  /** Receives errors; the next round tries again. */
  readonly onError: (error: unknown) => void
}

/**
 * Rewrites once, in the background, a database that was made before files could shrink: soon if it is small, and
 * otherwise while no item is rendered.
 */
export class Compaction extends Repeating {
  readonly #options: CompactionOptions
  readonly #stopped = new AbortController()
  #isDone: boolean

  constructor(options: CompactionOptions) {
    super(ROUND_MS, options.onError)
    this.#options = options
    this.#isDone = options.isDone
  }

  /** Begins to wait for a good moment, unless there is nothing to do. */
  override async start(): Promise<void> {
    if (!this.#isDone) await super.start()
  }

  /** Ends a compaction that is under way. */
  override async stop(): Promise<void> {
    this.#stopped.abort()
    await super.stop()
  }

  /** Compacts if this is a good moment. */
  async round(): Promise<void> {
    const { bytes, isAnyLeased, compact } = this.#options
    const { signal } = this.#stopped
    if (this.#isDone) return
    if ((await bytes()) > SMALL_BYTES && (await isAnyLeased())) return
    if (signal.aborted) return
    const failure = await failureOf(() => compact(signal))
    // A compaction that this program ended itself has not failed.
    if (signal.aborted) return
    if (failure) throw failure.error
    this.#isDone = true
  }
}
