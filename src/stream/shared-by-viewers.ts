import type { History } from "../store/contract/history.ts"
import type { Broadcaster } from "./broadcaster.ts"
import type { Openings } from "./opening.ts"
import type { ReadingTurns } from "./reading-turns.ts"
import type { SharedPages } from "./shared-pages.ts"
import type { SharedSnapshots } from "./shared-snapshots.ts"
import type { StreamMetrics } from "./stream-metrics.ts"

/** What all viewers of a server share. */
export interface SharedByViewers {
  /** The history that streams read. */
  readonly history: History
  /** Wakes streams, and has the newest updates in memory. */
  readonly broadcaster: Broadcaster
  /** The beginnings of streams. */
  readonly openings: Openings
  /** The pages of the history that streams have just read. */
  readonly pages: SharedPages
  /** The pages of large snapshots that streams have just read. */
  readonly snapshots: SharedSnapshots
  /** A stream that falls more updates behind than this gets a gap and the latest state; 0 for never. */
  readonly maxLag: number
  /** Random numbers from 0 up to 1, which spread the reconnects. */
  readonly random: () => number
  /** Called with each error of reading the history or writing to a client; the stream then ends. */
  readonly onError: (error: unknown) => void
  /** Called when a part of the history proves to be unreadable; streams say so by a gap. */
  readonly onUnreadable: () => void
  /** Shares the reading of the history among streams. */
  readonly turns: ReadingTurns
  /** The metrics of streams. */
  readonly metrics: StreamMetrics
}
