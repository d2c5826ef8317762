import { failureOf, Repeating } from "../background-work.ts"

/** How often it checks whether a backup is due. */
const ROUND_MS = 60_000
const NAME = /^track-studio-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.db$/
/** The end of the file names that an interrupted backup leaves behind. */
const UNFINISHED = /^track-studio-\d{8}T\d{6}Z\.db(\.[\da-f-]{36})?\.unfinished(-journal)?$/

/** The folder of the backups, and how they are kept. */
export interface BackupsOptions {
  /** The time between two backups, in milliseconds. */
  readonly everyMs: number
  /** How many backups are kept, at least 1; the oldest are removed first. */
  readonly keep: number
  /** The time, in epoch milliseconds. */
  readonly now: () => number
  /** The names of the files in the folder of the backups, without folders and links. */
  readonly names: () => Promise<readonly string[]>
  /** Makes a backup with this name. An abort of the signal ends it. */
  readonly copy: (name: string, signal: AbortSignal) => Promise<void>
  /** Removes a backup. */
  readonly remove: (name: string) => Promise<void>
  /** Whether the latest backup failed, after each round. */
  readonly onResult: (hasFailed: boolean) => void
  /** Receives the error of a failed backup. The next round tries again. */
  readonly onError: (error: unknown) => void
}

/** The name of a backup of this time. The names sort by time. */
const nameOf = (ms: number): string =>
  `track-studio-${new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.db`

/** When the backup with this name was made, in epoch milliseconds; undefined if the file is not a backup. */
function timeOf(name: string): number | undefined {
  const [, year, month, day, hour, minute, second] = NAME.exec(name) ?? []
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** Makes backups at intervals, also across restarts of the server, and keeps the newest. */
export class Backups extends Repeating {
  readonly #options: BackupsOptions
  readonly #stopped = new AbortController()
  #latestMs = 0

  constructor(options: BackupsOptions) {
    super(ROUND_MS, options.onError)
    this.#options = options
  }

  /**
   * Looks for the latest backup at once, for a metric. If the folder cannot be read, the first round reports
   * that.
   */
  override async start(): Promise<void> {
    await super.start()
    void this.#look().catch(() => undefined)
  }

  /** Ends a backup that is under way: it would delay the stop. */
  override async stop(): Promise<void> {
    this.#stopped.abort()
    await super.stop()
  }

  /** When the latest backup was made, in epoch milliseconds; 0 if there is none, or before the start. */
  get latestMs(): number {
    return this.#latestMs
  }

  /** Makes a backup if one is due, and removes the backups beyond the number to keep. */
  async round(): Promise<void> {
    const { keep, remove, onResult } = this.#options
    const failure = await failureOf(() => this.#makeIfDue())
    // A backup that this program ended itself has not failed.
    if (this.#stopped.signal.aborted) return
    if (failure) {
      onResult(true)
      throw failure.error
    }
    onResult(false)
    let failed: Awaited<ReturnType<typeof failureOf>>
    for (const name of (await this.#made()).slice(0, -keep))
      failed = (await failureOf(() => remove(name))) ?? failed
    // One that cannot be removed must not keep the others.
    if (failed) throw failed.error
  }

  /** Stores when the latest backup was made; returns whether there is one. */
  async #look(): Promise<boolean> {
    const latest = (await this.#made()).at(-1)
    this.#latestMs = latest === undefined ? 0 : (timeOf(latest) ?? 0)
    return latest !== undefined
  }

  async #makeIfDue(): Promise<void> {
    const { everyMs, now, names, copy, remove } = this.#options
    const isAny = await this.#look()
    const nowMs = now()
    if (isAny && nowMs - this.#latestMs < everyMs) return
    const { signal } = this.#stopped
    for (const name of await names()) if (UNFINISHED.test(name)) await remove(name)
    if (signal.aborted) return
    await copy(nameOf(nowMs), signal)
    if (!signal.aborted) this.#latestMs = nowMs
  }

  /**
   * The backups in the folder, the oldest first; other files are ignored. If a backup was made while the
   * clock was far ahead, it does not count before its time has come: it would delay the next backups, and
   * they would be removed instead of it.
   */
  async #made(): Promise<string[]> {
    const { names, now, everyMs } = this.#options
    const aheadMs = now() + everyMs
    return (await names()).filter((name) => (timeOf(name) ?? aheadMs) < aheadMs).sort()
  }
}
