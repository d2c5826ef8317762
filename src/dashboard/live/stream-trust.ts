import type { Stats, Watched } from "../../client/client.ts"
import type { QueueClient } from "../../client/queue-client.ts"
import { ServerError } from "../../client/requests.ts"
import { CONNECTING, type Connection, type MissedUpdates, type StreamUpdate } from "../model/hub-messages.ts"
import { sentenceOf } from "./server.ts"

type WatchedControl = Extract<Watched, { type: "control" }>["control"]

const REFUSED_RETRY_MS = 15_000
/** Without a stream for this many milliseconds, the shown state is stale. */
const STALE_MS = 10_000
const PROBE_TIMEOUT_MS = 6000
/** If a stream has brought bytes within this time, a failed probe does not end it. */
const FRESH_MS = 3000
/** Events that the server had stored at a probe should have arrived after this time. */
const BEHIND_AFTER_MS = 1000
/** If a stream is behind the server for this long and brings no byte, something holds it up. */
const HELD_UP_MS = 10_000

/** The callbacks for what the stream brings. */
interface Listener {
  /** Updates, in their order. */
  readonly updates: (updates: readonly StreamUpdate[]) => void
  /** The known state is out of date: read everything again. All later updates are newer than that reading. */
  readonly reload: () => void
  /** Since when the queue is paused, RFC 3339 UTC; null if it is not. Called when the stream becomes live, and at each change. */
  readonly paused: (at: string | null) => void
  /** Updates were left out. */
  readonly gap: (gap: MissedUpdates) => void
  /** Something in `connection` has changed. */
  readonly changed: () => void
}

/**
 * How far to trust the browser's one stream, which the client reads and resumes: live, behind, or stale. It
 * claims only what is certain: bytes, or a probe of the server every few seconds, confirm `live`.
 */
export class StreamTrust {
  readonly #client: QueueClient
  readonly #to: Listener
  #now = CONNECTING
  #lastEventId: number | undefined
  #history: string | undefined
  /** The next `live` begins a new state. */
  #isFresh = true
  /** A gap that was reported before `live`. Only `live` shows whether the history is another one. */
  #gap: MissedUpdates | undefined
  /** The updates in the bytes that are being read. */
  #updates: StreamUpdate[] = []
  /** Since when the queue is paused, as the stream has said; null if it has said nothing of it. */
  #pausedAt: string | null = null
  #lostMs = Date.now()
  #heardMs = 0
  #attempt = new AbortController()
  #resume: (() => void) | undefined
  /** What the server had stored at a probe at which the stream was not yet that far. */
  #ahead: { readonly id: number; readonly sinceMs: number } | undefined
  #bestTripMs = Number.POSITIVE_INFINITY
  #isPaused = false
  #isClosed = false

  constructor(client: QueueClient, to: Listener) {
    this.#client = client
    this.#to = to
  }

  /** What is known of the stream now. */
  get connection(): Connection {
    return this.#now
  }

  /** Watches until the stream is closed. */
  async run(): Promise<void> {
    while (!this.#isClosed) {
      this.#attempt = new AbortController()
      try {
        await this.#watch(this.#attempt.signal)
      } catch (error) {
        if (this.#attempt.signal.aborted) continue
        this.#lost(sentenceOf(error), REFUSED_RETRY_MS, "refused")
        this.#set({ needsToken: error instanceof ServerError && error.code === "unauthorized" })
        await this.#rest(REFUSED_RETRY_MS)
      }
      if (this.#isPaused) await this.#rest()
    }
  }

  /** Makes the next attempt now, if the stream waits for one. */
  retry(): void {
    const { retryAtMs } = this.#now
    if (retryAtMs === null || retryAtMs <= Date.now()) return
    this.#now = { ...this.#now, retryAtMs: null }
    this.#resume?.()
    this.#attempt.abort()
  }

  /** Ends the stream until `wake`, and keeps what is known. */
  pause(): void {
    this.#isPaused = true
    this.#lost("The tab was in the background", null)
    this.#attempt.abort()
  }

  /** Continues after a pause. */
  wake(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#resume?.()
  }

  /** Ends the stream for good. */
  close(): void {
    this.#isClosed = true
    this.#attempt.abort()
    this.#resume?.()
  }

  /** Checks the time, about once a second. */
  tick(): void {
    const nowMs = Date.now()
    const { state } = this.#now
    if ((state === "reconnecting" || state === "connecting") && nowMs - this.#lostMs > STALE_MS)
      this.#set({ state: "stale" })
    if (state !== "live") return
    const sinceMs = this.#ahead?.sinceMs ?? nowMs
    if (nowMs - sinceMs > HELD_UP_MS && nowMs - this.#heardMs > HELD_UP_MS)
      this.#cut("The connection is delayed")
    this.#measure()
  }

  /** Requests the server's newest event ID and figures; returns the figures, or null without an answer. */
  async probe(): Promise<Stats | null> {
    const startedMs = Date.now()
    try {
      const stats = await this.#client.stats(AbortSignal.timeout(PROBE_TIMEOUT_MS))
      this.#probed(stats, startedMs)
      return stats
    } catch (error) {
      // A token for one item may not see the figures: that is an answer, too.
      if (error instanceof ServerError && error.status === 403) return null
      const nowMs = Date.now()
      if (this.#now.state === "live" && nowMs - this.#heardMs > FRESH_MS)
        this.#cut("The server does not answer")
      return null
    }
  }

  /**
   * One stream over all of its connections. A cut, a pause or a request for a retry begins another
   * connection.
   */
  async #watch(signal: AbortSignal): Promise<void> {
    const watched = this.#client.watch({
      snapshot: false,
      lastEventId: this.#lastEventId,
      history: this.#history,
      onHeard: () => this.#heard(),
      signal,
    })
    for await (const said of watched) {
      if (said.type === "update") this.#updates.push({ id: said.id, ...said.update })
      else {
        this.#flush()
        if (said.type === "control") this.#control(said.control)
        else {
          const { reason, status, code, retryMs } = said
          this.#lost(sentenceOf(new ServerError(status, reason, { code })), retryMs)
        }
      }
    }
  }

  /** Waits for this time, or until `wake`, `retry` or `close`. */
  async #rest(ms?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resume = resolve
      if (ms !== undefined) setTimeout(resolve, ms)
    })
    this.#resume = undefined
  }

  #probed(stats: Stats, startedMs: number): void {
    const nowMs = Date.now()
    const tripMs = nowMs - startedMs
    // The quickest answer shows best how much the clocks differ. An old measurement counts less and less.
    this.#bestTripMs *= 1.2
    if (tripMs <= this.#bestTripMs) {
      this.#bestTripMs = Math.max(1, tripMs)
      this.#now = { ...this.#now, skewMs: Date.parse(stats.timestamp) - startedMs - tripMs / 2 }
    }
    if (this.#now.state !== "live") return this.retry()
    const newest = stats.updates.newest_id ?? 0
    if (newest <= (this.#lastEventId ?? 0)) this.#ahead = undefined
    else this.#ahead = { id: newest, sinceMs: this.#ahead?.sinceMs ?? nowMs }
    if (!this.#ahead) {
      const lagMs = nowMs - this.#heardMs > FRESH_MS ? null : this.#now.lagMs
      this.#now = { ...this.#now, confirmedMs: nowMs, lagMs }
    }
    this.#measure()
    this.#to.changed()
  }

  /** How far behind the server the stream is. */
  #measure(): void {
    const seen = this.#lastEventId ?? 0
    if (this.#ahead && this.#ahead.id <= seen) this.#ahead = undefined
    const isOld = this.#ahead && Date.now() - this.#ahead.sinceMs > BEHIND_AFTER_MS
    const behind = this.#ahead && isOld ? this.#ahead.id - seen : 0
    if (behind !== this.#now.behind) this.#set({ behind })
  }

  /** Bytes have come, and everything in them was processed. */
  #heard(): void {
    this.#heardMs = Date.now()
    this.#flush()
    if (this.#now.state === "live" && !this.#ahead) this.#now = { ...this.#now, confirmedMs: this.#heardMs }
  }

  #flush(): void {
    const updates = this.#updates
    const last = updates.at(-1)
    if (!last) return
    this.#updates = []
    // Before `live` there is a snapshot or a replay. Only a replay continues from the known state.
    if (!this.#isFresh) this.#lastEventId = last.id
    if (this.#now.state === "live") {
      const lagMs = Math.max(0, Date.now() + this.#now.skewMs - Date.parse(last.timestamp))
      this.#now = { ...this.#now, lagMs, lastEventId: last.id }
    }
    this.#to.updates(updates)
  }

  #control(control: WatchedControl): void {
    if (control.event === "live") this.#live(control.last_event_id, control.history)
    if (control.event === "queue") this.#paused(control.paused_at)
    if (control.event !== "gap") return
    const { reason, missed } = control
    if (this.#now.state === "live") {
      this.#to.gap({ reason, missed })
      this.#to.reload()
    } else {
      this.#gap = { reason, missed }
      this.#isFresh = true
    }
  }

  /** It may still change before `live`. */
  #paused(at: string | null): void {
    this.#pausedAt = at
    if (this.#now.state === "live") this.#to.paused(at)
  }

  #live(lastEventId: number, history: string): void {
    const isOther = this.#history !== undefined && this.#history !== history
    const gap: MissedUpdates | undefined = isOther ? { reason: "history", missed: null } : this.#gap
    const isFresh = this.#isFresh || isOther
    this.#history = history
    this.#lastEventId = lastEventId
    this.#isFresh = false
    this.#gap = undefined
    this.#ahead = undefined
    this.#to.paused(this.#pausedAt)
    this.#set({
      state: "live",
      confirmedMs: Date.now(),
      reason: "",
      needsToken: false,
      retryAtMs: null,
      lastEventId,
      history,
      behind: 0,
      lagMs: null,
    })
    if (gap) this.#to.gap(gap)
    if (isFresh) this.#to.reload()
  }

  #cut(reason: string): void {
    this.#lost(reason, 0)
    this.#attempt.abort()
  }

  #lost(reason: string, waitMs: number | null, state?: "refused"): void {
    const nowMs = Date.now()
    this.#pausedAt = null
    if (this.#now.state === "live") this.#lostMs = nowMs
    const isStale = nowMs - this.#lostMs > STALE_MS
    const isFirst = this.#now.confirmedMs === null && !isStale
    const next = state ?? (isFirst ? "connecting" : isStale ? "stale" : "reconnecting")
    const retryAtMs = waitMs === null ? null : nowMs + waitMs
    this.#set({ state: next, reason, retryAtMs, lagMs: null, behind: 0 })
  }

  #set(change: Partial<Connection>): void {
    this.#now = { ...this.#now, ...change }
    this.#to.changed()
  }
}
