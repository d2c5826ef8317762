import type { QueueItem } from "../../item/item.ts"
import type { Counts, Update } from "../../wire/answers.ts"
import type { Gap } from "../../wire/frames.ts"
import type { Stats } from "../../wire/health-and-stats.ts"
import type { Ends, ListName } from "./lists.ts"
import type { Unread } from "./unread.ts"

export type { Counts, Stats }

/** An update with its event ID, as a stream gives it. */
export type StreamUpdate = Update

/**
 * How far to trust the shown state:
 * - `connecting`: nothing is known yet.
 * - `live`: the present state.
 * - `reconnecting`: the stream was lost a moment ago; the state is that of `confirmedMs`.
 * - `stale`: the same, for so long that the state may be old.
 * - `refused`: the server answers, but does not let this reader watch.
 */
export type ConnectionState = "connecting" | "live" | "reconnecting" | "stale" | "refused"

/** What is known of the one stream. Times are milliseconds of this machine's clock. */
export interface Connection {
  /** How far the shown state can be trusted. */
  readonly state: ConnectionState
  /**
   * When the shown state was last known to be true, in epoch milliseconds of this machine; null before that.
   */
  readonly confirmedMs: number | null
  /** How many stored updates have not arrived yet. */
  readonly behind: number
  /** How long the latest update took to arrive, in milliseconds; null while that is unknown. */
  readonly lagMs: number | null
  /** Why there is no stream, as a sentence; empty while there is one. */
  readonly reason: string
  /** Whether the server requires a token, or a different one. */
  readonly needsToken: boolean
  /** When the next attempt begins, in epoch milliseconds of this machine; null if none is due. */
  readonly retryAtMs: number | null
  /** The event ID of the latest update that has arrived; null before the first. */
  readonly lastEventId: number | null
  /** The id of the server's history. */
  readonly history: string
  /** The server's clock minus this machine's, in milliseconds; 0 until it is known. */
  readonly skewMs: number
}

/** Updates that were left out. Everything is loaded again after it, so what is shown is right anyway. */
export interface MissedUpdates {
  /** The reason; `history` if the server has another database. */
  readonly reason: Gap["reason"] | "history"
  /** How many updates were left out; null if that cannot be known. */
  readonly missed: number | null
}

/** What the hub, which holds the browser's one stream, sends to the tabs. */
export type FromHub =
  | {
      /** Everything: sent when the tab has said hello, and whenever it was read again. */
      readonly type: "state"
      /** All items that are kept. */
      readonly items: readonly QueueItem[]
      /** How far the lists are known. */
      readonly ends: Ends
      /** What is known of the stream. */
      readonly connection: Connection
      /** The figures of the streams; null before the first probe. */
      readonly stats: Stats | null
      /** The figures of the queue; null while they are not known. */
      readonly counts: Counts | null
      /** False until any list was read for the first time. */
      readonly loaded: boolean
      /** What cannot be loaded. */
      readonly unread: readonly Unread[]
    }
  /** Other parts than before cannot be loaded. */
  | { readonly type: "unread"; readonly unread: readonly Unread[] }
  /** What has changed, in the order of the stream. */
  | { readonly type: "updates"; readonly updates: readonly StreamUpdate[] }
  /** Items as they were read again, and the IDs of those that are gone. */
  | { readonly type: "items"; readonly items: readonly QueueItem[]; readonly removed: readonly number[] }
  /** Items that follow the known ones. */
  | { readonly type: "more"; readonly items: readonly QueueItem[]; readonly ends: Ends }
  /** The figures of the queue, read again. */
  | { readonly type: "counts"; readonly counts: Counts }
  /** The state of the stream has changed. */
  | { readonly type: "connection"; readonly connection: Connection }
  /** The figures of the streams, read again. */
  | { readonly type: "stats"; readonly stats: Stats }
  /** Updates were left out, and everything was read again. */
  | { readonly type: "gap"; readonly gap: MissedUpdates }

/** What a tab sends to the hub. */
export type ToHub =
  /** The first message of a tab, which requests the state and says whether the tab is on the screen. */
  | { readonly type: "hello"; readonly visible: boolean }
  /** The tab has come onto the screen, or left it. */
  | { readonly type: "visible"; readonly visible: boolean }
  | { readonly type: "bye" }
  /** Makes the next attempt now. */
  | { readonly type: "retry" }
  /** The figures of the queue have changed without an update. */
  | { readonly type: "count" }
  /** Requests more of a list than is known. */
  | { readonly type: "more"; readonly list: ListName }

/** Before anything is known. */
export const CONNECTING: Connection = {
  state: "connecting",
  confirmedMs: null,
  behind: 0,
  lagMs: null,
  reason: "",
  needsToken: false,
  retryAtMs: null,
  lastEventId: null,
  history: "",
  skewMs: 0,
}
