import type { ProgressUpdate } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import { duration, printable } from "../text.ts"
import type { Control } from "../wire/frames.ts"
import { bar, colourless, field, line, type Piece, type Style, type WidthOf } from "./terminal.ts"

/** Where and how a board is drawn. */
export interface View {
  readonly columns: number
  /** Lines there are; the board takes fewer. */
  readonly rows: number
  readonly nowMs: number
  readonly style: Style
  readonly widthOf: WidthOf
}

/** A drawn line, and the columns it takes. */
export interface Drawn {
  readonly text: string
  readonly width: number
}

/** Whether what is shown is the state of now; `untilMs` is when the next try begins. */
export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** `untilMs` is absent where no other try follows. */
  | {
      readonly state: "offline"
      readonly reason: string
      readonly untilMs?: number
      readonly sinceMs: number
    }

/** What a stream says, as far as a board shows it. */
export type Told =
  | { readonly type: "update"; readonly update: ProgressUpdate }
  | { readonly type: "offline"; readonly reason: string; readonly retryMs: number }
  | { readonly type: "control"; readonly control: Control }

interface Seen {
  readonly update: ProgressUpdate
  readonly atMs: number
}

const MIN_BAR = 10
const MAX_BAR = 40
const MIN_COLUMNS = 20

const nameOf = ({ queue_id, song_id, title }: ProgressUpdate): string =>
  printable(`#${queue_id} ${title ?? `song ${song_id}`}`)

/** The step, as `3/5 Rendering video`. */
function stepOf({ step, current_step }: ProgressUpdate): string {
  if (!step) return printable(current_step)
  return printable(`${step.index}/${step.total} ${step.name || current_step}`.trim())
}

/** The time in UTC: one board is read in many places, and curl's is drawn by the server. */
const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19)

const count = (n: number, word: string): string => `${n} ${word}`

/**
 * What is being rendered now, for a terminal: a line with a bar for each running item, and one that sums up. It is
 * told what a stream says, and draws it; it knows no clock, no terminal and no server.
 */
export class Board {
  readonly #queueId: number | undefined
  readonly #running = new Map<number, Seen>()
  readonly #waiting = new Map<number, Seen>()
  /** Items that were shown before a gap, and not told of since. */
  #doubtful: Set<number> | undefined
  #only: Seen | undefined
  #above: Piece[][] = []
  #completed = 0
  #failed = 0
  /** By how much our clock is ahead of the server's, as far as is known. */
  #aheadMs = Number.POSITIVE_INFINITY
  #link: Link = { state: "connecting" }
  #liveMs = 0

  /** With a `queueId` the board shows that item alone, and more of it. */
  constructor(queueId?: number) {
    this.#queueId = queueId
  }

  /** Takes what a stream says. */
  take(said: Told, nowMs: number): void {
    if (said.type === "update") this.update(said.update, nowMs)
    else if (said.type === "offline") this.offline(said.reason, said.retryMs, nowMs)
    else if (said.control.event === "live") this.live(nowMs)
    else if (said.control.event === "gap") this.gap(said.control.reason, said.control.missed, nowMs)
  }

  /** An update has come. */
  update(update: ProgressUpdate, nowMs: number): void {
    const { queue_id, status } = update
    const aheadMs = nowMs - Date.parse(update.timestamp)
    if (aheadMs < this.#aheadMs) this.#aheadMs = aheadMs
    const seen = { update, atMs: nowMs }
    const wasOpen = this.#running.delete(queue_id) || this.#waiting.delete(queue_id)
    this.#doubtful?.delete(queue_id)
    this.#only = seen
    if (status === "processing") this.#running.set(queue_id, seen)
    else if (!isFinished(status)) this.#waiting.set(queue_id, seen)
    else if (wasOpen) this.#finish(update)
  }

  /** The stream is live from here on. */
  live(nowMs: number): void {
    // What the snapshot after a gap does not mention is finished, or deleted.
    for (const id of this.#doubtful ?? []) {
      this.#running.delete(id)
      this.#waiting.delete(id)
    }
    this.#doubtful = undefined
    this.#link = { state: "live" }
    this.#liveMs = nowMs
  }

  /** Updates were left out. */
  gap(reason: string, missed: number | null, nowMs: number): void {
    // A stream that is too slow is told of all items that have changed; any other gap is followed by a snapshot.
    if (reason !== "slow") this.#doubtful = new Set([...this.#running.keys(), ...this.#waiting.keys()])
    this.#above.push([[`${clock(nowMs)} ${missed ?? "some"} updates left out (${printable(reason)})`, "dim"]])
  }

  /** The stream has broken off; the next try begins in `retryMs`. */
  offline(reason: string, retryMs: number, nowMs: number): void {
    this.#link = { state: "offline", reason, untilMs: nowMs + retryMs, sinceMs: this.#staleSinceMs(nowMs) }
  }

  /** The stream has ended, and no other follows. */
  ended(reason: string, nowMs: number): void {
    this.#link = { state: "offline", reason, sinceMs: this.#staleSinceMs(nowMs) }
  }

  /** What has happened since the last call, to be printed above the board for good. */
  news(view: View): string[] {
    const above = this.#above
    this.#above = []
    return above.map((pieces) => line(pieces, view.columns, view.style, view.widthOf).text)
  }

  /** The board as it is now: at least one line, and at most `rows - 1`. */
  draw(view: View): Drawn[] {
    const drawn = (pieces: readonly Piece[]): Drawn =>
      line(pieces, Math.max(MIN_COLUMNS, view.columns) - 1, view.style, view.widthOf)
    const body = this.#queueId === undefined ? this.#rows(view) : this.#one(view)
    return [...body.slice(0, Math.max(0, view.rows - 2)), this.#sum(view)].map(drawn)
  }

  #staleSinceMs(nowMs: number): number {
    if (this.#link.state === "offline") return this.#link.sinceMs
    return this.#liveMs === 0 ? 0 : nowMs
  }

  #finish(update: ProgressUpdate): void {
    const { status, outcome, error_message, timestamp } = update
    if (status === "completed") this.#completed += 1
    else this.#failed += 1
    // Not when we heard of it: that may be long after.
    const time: Piece = [clock(Date.parse(timestamp)), "dim"]
    const name: Piece = [nameOf(update), "bold"]
    if (status === "completed") this.#above.push([time, " ", ["✔", "good"], " ", name, " completed"])
    else {
      const why = error_message === undefined ? "" : `: ${printable(error_message)}`
      this.#above.push([time, " ", ["✘", "bad"], " ", name, ` ${outcome ?? "failed"}${why}`])
    }
  }

  #rows(view: View): Piece[][] {
    const all = [...this.#running.values()].sort((a, b) => a.update.queue_id - b.update.queue_id)
    const room = Math.max(0, view.rows - 2)
    const shown = all.length > room ? all.slice(0, room - 1) : all
    const names = shown.map(({ update }) => view.widthOf(nameOf(update)))
    const nameWidth = Math.min(Math.max(0, ...names), Math.max(8, Math.floor(view.columns * 0.3)))
    const lefts = shown.map((seen) => this.#left(seen, view.nowMs)[0].length)
    const widths = { name: nameWidth, left: Math.max(0, ...lefts) }
    const lines = shown.map((seen) => this.#row(seen, widths, view))
    if (shown.length < all.length) lines.push([[`  and ${all.length - shown.length} more`, "dim"]])
    if (all.length === 0 && this.#liveMs > 0) lines.push([["Nothing is being rendered.", "dim"]])
    return lines
  }

  #row(seen: Seen, widths: { readonly name: number; readonly left: number }, view: View): Piece[] {
    const { columns, widthOf } = view
    const { update } = seen
    const pieces: Piece[] = [[field(nameOf(update), widths.name, widthOf), "bold"], "  "]
    const barWidth = Math.min(MAX_BAR, Math.max(MIN_BAR, Math.floor(columns * 0.25)))
    if (columns >= widths.name + MIN_BAR + 10) pieces.push(...this.#bar(update, barWidth, view), " ")
    pieces.push(`${String(update.progress).padStart(3)}%`)
    const [left, tone] = this.#left(seen, view.nowMs)
    if (columns >= 50 && widths.left > 0) {
      const shown = field(left, widths.left, widthOf)
      pieces.push("  ", tone ? [shown, tone] : shown)
    }
    pieces.push("  ", stepOf(update) || [printable(update.message), "dim"])
    return pieces
  }

  #bar({ progress, stalled, status, outcome }: ProgressUpdate, width: number, view: View): Piece[] {
    const away = this.#link.state !== "live" || stalled === true
    const ended = outcome === undefined ? undefined : status === "completed" ? "good" : "bad"
    const tone = ended ?? (away ? "warn" : "bar")
    return bar(progress, width, view.style, tone)
  }

  /** How long it will take, counted down since it was told; or that nothing moves. */
  #left({ update }: Seen, nowMs: number): readonly [string, "warn"?] {
    if (update.cancel_requested_at !== undefined && !isFinished(update.status)) return ["cancelling", "warn"]
    if (update.stalled) return ["stalled", "warn"]
    if (update.eta_seconds === undefined) return [""]
    const ageMs = Math.max(0, nowMs - Date.parse(update.timestamp) - this.#aheadMs)
    const seconds = update.eta_seconds - ageMs / 1000
    return [seconds < 1 ? "any moment" : `${duration(seconds)} left`]
  }

  /** The one item of this board, and what is known of it. */
  #one(view: View): Piece[][] {
    const seen = this.#only
    if (!seen) return []
    const { update } = seen
    const { status, outcome, attempt, worker, unit, media, message, error_message } = update
    const [left, tone] = this.#left(seen, view.nowMs)
    const barWidth = Math.min(60, Math.max(MIN_BAR, view.columns - 12 - left.length))
    const facts = [
      stepOf(update),
      unit ? `${unit.done} of ${unit.total} ${printable(unit.name)}` : "",
      media?.fps ? `${media.fps} fps` : "",
      media?.speed ? `${media.speed}x` : "",
      worker === undefined ? "" : `on ${printable(worker)}`,
      attempt !== undefined && attempt > 1 ? `attempt ${attempt}` : "",
    ].filter((fact) => fact !== "")
    const colour = status === "completed" ? "good" : isFinished(status) ? "bad" : "dim"
    return [
      [[nameOf(update), "bold"], "  ", [outcome ?? status, colour]],
      [
        ...this.#bar(update, barWidth, view),
        ` ${String(update.progress).padStart(3)}%`,
        "  ",
        tone ? [left, tone] : left,
      ],
      ...(facts.length > 0 ? [[facts.join(" · ")]] : []),
      ...(message === "" ? [] : [[printable(message)]]),
      ...(error_message === undefined ? [] : [[[printable(error_message), "bad"] as const]]),
    ]
  }

  #sum(view: View): Piece[] {
    const link = this.#linkPieces(view)
    if (this.#queueId !== undefined || this.#liveMs === 0) return link
    const parts = [
      count(this.#running.size, "running"),
      count(this.#waiting.size, "waiting"),
      ...(this.#completed > 0 ? [count(this.#completed, "completed")] : []),
      ...(this.#failed > 0 ? [count(this.#failed, "failed")] : []),
    ]
    return [...link, [` · ${parts.join(" · ")}`, "dim"]]
  }

  #linkPieces({ nowMs, style }: View): Piece[] {
    const link = this.#link
    if (link.state === "live") return [[style === colourless ? "live" : "● live", "good"]]
    if (link.state === "connecting") return [["connecting", "dim"]]
    const seconds = Math.ceil(((link.untilMs ?? nowMs) - nowMs) / 1000)
    const again = seconds <= 0 ? "; trying again" : `; trying again in ${seconds} s`
    const stale = link.sinceMs === 0 ? "not connected" : `not live since ${clock(link.sinceMs)}`
    const text = `${stale}: ${printable(link.reason)}${link.untilMs === undefined ? "" : again}`
    return [[`${style === colourless ? "" : "○ "}${text}`, "warn"]]
  }
}
