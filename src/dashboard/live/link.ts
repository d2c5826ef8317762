import { CONNECTING, type Connection, type Gap, type Stats, type StreamUpdate } from "../model/messages.ts"
import { ask, Refusal } from "./api.ts"
import { type Control, isUpdate, read, type Said } from "./lines.ts"

const FIRST_RETRY_MS = 300
const MAX_RETRY_MS = 5000
const REFUSED_RETRY_MS = 15_000
/** Without a stream for this long, what is shown is stale. */
const STALE_MS = 10_000
/** Longer than the longest keepalive a server can be told to keep: a stream silent for longer is dead. */
const SILENCE_MS = 60_000
const OPEN_MS = 10_000
const PROBE_TIMEOUT_MS = 6000
/** A stream that has said something within this time is not given up for a probe that failed. */
const FRESH_MS = 3000
/** What the server had stored when it was probed should have arrived after this time. */
const BEHIND_AFTER_MS = 1000
/** A stream that lags behind the server for this long, without a byte, is held up somewhere. */
const HELD_UP_MS = 10_000

/** Told of what the stream says. */
export interface Listener {
  /** Updates, in their order. */
  readonly updates: (updates: readonly StreamUpdate[]) => void
  /** What is known is not the state of things: read everything anew. What comes from now on is newer than that. */
  readonly reload: () => void
  readonly gap: (gap: Gap) => void
  readonly changed: () => void
}

/**
 * The browser's one stream: opened, resumed from the last event ID, watched, and opened again, for ever. It says no
 * more than it knows: `live` is confirmed by bytes or by a probe of the server, every few seconds.
 */
export class Link {
  #now = CONNECTING
  readonly #to: Listener
  #lastEventId: number | undefined
  #history: string | undefined
  /** The next `live` begins a new state. */
  #fresh = true
  #lostMs = Date.now()
  #byteMs = 0
  #attempt: AbortController | undefined
  #wake: (() => void) | undefined
  #retryMs = FIRST_RETRY_MS
  /** What the server had stored at a probe, when the stream was not yet that far. */
  #ahead: { readonly id: number; readonly sinceMs: number } | undefined
  #bestTripMs = Number.POSITIVE_INFINITY
  #closed = false

  constructor(to: Listener) {
    this.#to = to
  }

  get connection(): Connection {
    return this.#now
  }

  /** Watches until it is closed. */
  async run(): Promise<void> {
    while (!this.#closed) {
      const failure = await this.#stream().catch((error: unknown) => error)
      const refusal = failure instanceof Refusal ? failure : undefined
      const final = refusal && refusal.status >= 400 && refusal.status < 500 && refusal.status !== 429
      const waitMs = final
        ? REFUSED_RETRY_MS
        : (refusal?.retryMs ?? this.#retryMs) * (0.75 + 0.5 * Math.random())
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS)
      if (this.#closed) return
      this.#lost(refusal?.message ?? "The stream was cut", final ? "refused" : undefined, waitMs)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, waitMs)
      })
      this.#wake = undefined
    }
  }

  /** Makes the next attempt now, if there is one to wait for. */
  retry(): void {
    this.#wake?.()
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true
    this.#attempt?.abort()
    this.#wake?.()
  }

  /** Looks at the time, once a second or so. */
  tick(): void {
    const nowMs = Date.now()
    const { state } = this.#now
    if ((state === "reconnecting" || state === "connecting") && nowMs - this.#lostMs > STALE_MS)
      this.#set({ state: "stale" })
    if (state !== "live") return
    if (nowMs - this.#byteMs > SILENCE_MS) this.#cut("The stream fell silent")
    const sinceMs = this.#ahead?.sinceMs ?? nowMs
    if (nowMs - sinceMs > HELD_UP_MS && nowMs - this.#byteMs > HELD_UP_MS) this.#cut("The stream is held up")
    this.#measure()
  }

  /** Asks the server how far it is; answers its figures, or null where it did not give them. */
  async probe(): Promise<Stats | null> {
    const startedMs = Date.now()
    try {
      const answer = await ask("api/v1/progress/stats", { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
      const stats: Stats = await answer.json()
      this.#probed(stats, startedMs)
      return stats
    } catch {
      const nowMs = Date.now()
      if (this.#now.state === "live" && nowMs - this.#byteMs > FRESH_MS)
        this.#cut("The server does not answer")
      return null
    }
  }

  #probed(stats: Stats, startedMs: number): void {
    const nowMs = Date.now()
    const tripMs = nowMs - startedMs
    // The quickest trip tells best by how much the clocks differ; an old one counts less and less.
    this.#bestTripMs *= 1.2
    if (tripMs <= this.#bestTripMs) {
      this.#bestTripMs = Math.max(1, tripMs)
      this.#now = { ...this.#now, skewMs: Date.parse(stats.timestamp) - startedMs - tripMs / 2 }
    }
    if (this.#now.state !== "live") return this.retry()
    const newest = stats.updates.newest_id ?? 0
    if (newest <= (this.#lastEventId ?? 0)) this.#ahead = undefined
    else this.#ahead = { id: newest, sinceMs: this.#ahead?.sinceMs ?? nowMs }
    if (!this.#ahead)
      this.#now = {
        ...this.#now,
        confirmedMs: nowMs,
        lagMs: nowMs - this.#byteMs > FRESH_MS ? null : this.#now.lagMs,
      }
    this.#measure()
    this.#to.changed()
  }

  /** How far behind the server the stream is. */
  #measure(): void {
    const seen = this.#lastEventId ?? 0
    if (this.#ahead && this.#ahead.id <= seen) this.#ahead = undefined
    const old = this.#ahead && Date.now() - this.#ahead.sinceMs > BEHIND_AFTER_MS
    const behind = this.#ahead && old ? this.#ahead.id - seen : 0
    if (behind !== this.#now.behind) this.#set({ behind })
  }

  async #stream(): Promise<void> {
    const attempt = new AbortController()
    this.#attempt = attempt
    this.#byteMs = Date.now()
    const from = this.#lastEventId === undefined ? "snapshot=false" : `last_event_id=${this.#lastEventId}`
    let limitMs = OPEN_MS
    const silence = setInterval(() => {
      if (Date.now() - this.#byteMs > limitMs) attempt.abort()
    }, 2000)
    try {
      const { body } = await ask(`api/v1/progress/stream?format=ndjson&${from}`, { signal: attempt.signal })
      limitMs = SILENCE_MS
      if (!body) return
      for await (const said of read(body)) {
        this.#byteMs = Date.now()
        this.#hear(said)
      }
    } catch (error) {
      throw attempt.signal.reason instanceof Refusal ? attempt.signal.reason : error
    } finally {
      clearInterval(silence)
      attempt.abort()
    }
  }

  #hear(all: readonly Said[]): void {
    let updates: StreamUpdate[] = []
    const flush = (): void => {
      if (updates.length > 0) this.#updates(updates)
      updates = []
    }
    for (const said of all) {
      if (isUpdate(said)) updates.push(said)
      else {
        flush()
        this.#control(said)
      }
    }
    flush()
    if (this.#now.state === "live" && !this.#ahead) this.#now = { ...this.#now, confirmedMs: Date.now() }
  }

  #updates(updates: readonly StreamUpdate[]): void {
    const last = updates.at(-1)
    if (!last) return
    // What comes before `live` is a snapshot, or a replay: only the latter goes on from where we were.
    if (!this.#fresh) this.#lastEventId = last.id
    if (this.#now.state === "live") {
      const lagMs = Math.max(0, Date.now() + this.#now.skewMs - Date.parse(last.timestamp))
      this.#now = { ...this.#now, lagMs, lastEventId: last.id }
    }
    this.#to.updates(updates)
  }

  #control({ event, data }: Control): void {
    if (event === "live") return this.#live(Number(data["last_event_id"]), String(data["history"]))
    if (event === "gap") {
      const { reason, missed } = data
      const known = reason === "expired" || reason === "slow" ? reason : "unknown"
      this.#to.gap({ reason: known, missed: typeof missed === "number" ? missed : null })
      this.#fresh = this.#now.state !== "live"
      if (!this.#fresh) this.#to.reload()
    }
    if (event === "shutdown") {
      const retryMs = Number(data["retry_ms"])
      throw new Refusal(503, "The server is restarting", Number.isFinite(retryMs) ? retryMs : null)
    }
  }

  #live(lastEventId: number, history: string): void {
    if (this.#history !== undefined && this.#history !== history) {
      this.#to.gap({ reason: "history", missed: null })
      this.#fresh = true
    }
    const fresh = this.#fresh
    this.#history = history
    this.#lastEventId = lastEventId
    this.#fresh = false
    this.#retryMs = FIRST_RETRY_MS
    this.#ahead = undefined
    const confirmedMs = Date.now()
    this.#set({
      state: "live",
      confirmedMs,
      reason: "",
      retryAtMs: null,
      lastEventId,
      history,
      behind: 0,
      lagMs: null,
    })
    if (fresh) this.#to.reload()
  }

  #cut(reason: string): void {
    this.#lost(reason, undefined, 0)
    this.#attempt?.abort(new Refusal(0, reason, 0))
  }

  #lost(reason: string, state: "refused" | undefined, waitMs: number): void {
    const before = this.#now.state
    if (before === "live") this.#lostMs = Date.now()
    const stale = Date.now() - this.#lostMs > STALE_MS
    const never = this.#now.confirmedMs === null && !stale
    const next = state ?? (never ? "connecting" : stale ? "stale" : "reconnecting")
    this.#set({ state: next, reason, retryAtMs: Date.now() + waitMs, lagMs: null, behind: 0 })
  }

  #set(change: Partial<Connection>): void {
    this.#now = { ...this.#now, ...change }
    this.#to.changed()
  }
}
