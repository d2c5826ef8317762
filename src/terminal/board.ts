import { causeOf } from "../failure-cause.ts"
import type { ProgressUpdate } from "../item/item.ts"
import { isFinished, isWaiting } from "../item/moves.ts"
import { isGuess, leftIn, leftWords, overdueWords, paceWords, shownOf } from "../item/progress-words.ts"
import { duration, printable, thousands } from "../text.ts"
import type { Control } from "../wire/frames.ts"
import {
  type Columns,
  columnsFor,
  type Detail,
  DETAILS,
  fitting,
  MIN_BAR,
  wrappedParts,
} from "./board-columns.ts"
import {
  bar,
  colourless,
  cut,
  field,
  lineOf,
  type LinePart,
  type Style,
  type Tone,
  type WidthOf,
} from "./terminal.ts"
import { UTC, type Zone } from "./times-of-day.ts"
import { countAndSpoken, gapOf, leftWithEnd, numberedName, spokenOf, stepText } from "./words.ts"

/** Where and how a board is drawn. */
export interface View {
  /** The width of the terminal, in columns. */
  readonly columns: number
  /** The height of the terminal, in lines; the board takes fewer. */
  readonly rows: number
  /** The time, in epoch milliseconds. */
  readonly nowMs: number
  /** Whether and how text is coloured. */
  readonly style: Style
  /** How wide a text is on this terminal. */
  readonly widthOf: WidthOf
}

/** A drawn line, and the columns it takes. */
interface Drawn {
  readonly text: string
  readonly width: number
}

/** Whether what is shown is the current state. */
type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** `untilMs` is when the next try begins; absent if none follows. */
  | {
      readonly state: "offline"
      readonly reason: string
      readonly untilMs?: number
      readonly sinceMs: number
    }

/** What a stream sends, as far as a board shows it. */
export type Said =
  /** A change of an item. */
  | { readonly type: "update"; readonly update: ProgressUpdate }
  /** The connection was lost, and is tried again after `retryMs` milliseconds. */
  | { readonly type: "offline"; readonly reason: string; readonly retryMs: number }
  /** What the stream says about itself. */
  | { readonly type: "control"; readonly control: Control }

/** What is shown of which items, and how. */
export interface BoardOptions {
  /** The only item to show, in more detail; default: all items. */
  readonly queueId?: number | undefined
  /** The time zone of all times; default UTC. */
  readonly zone?: Zone
}

const MIN_COLUMNS = 20
/** What is shown beside the bar of one item, except its time left. */
const AROUND_BAR = 12
/** A message or an error takes no more lines than this. */
const MOST_LINES = 3

/** How wide a line may be: the last column stays free, where some terminals wrap. */
const widthIn = ({ columns }: View): number => Math.max(MIN_COLUMNS, columns) - 1

const titled = ({ queue_id, title, song_id }: ProgressUpdate): string =>
  numberedName(queue_id, title, song_id)

const epochMsOf = (time: string | null): number | undefined => (time === null ? undefined : Date.parse(time))

const count = (n: number, word: string): string => `${thousands(n)} ${word}`

/**
 * The items that are being rendered, for a terminal: a line with a bar for each running item, and a summary.
 * It takes what a stream sends and draws it. It reads no clock, and knows neither the terminal nor the
 * server.
 */
export class Board {
  readonly #queueId: number | undefined
  readonly #zone: Zone
  readonly #running = new Map<number, ProgressUpdate>()
  readonly #waiting = new Map<number, ProgressUpdate>()
  /** Items that were shown before a gap, and that the stream has not mentioned since. */
  #doubtful: Set<number> | undefined
  #only: ProgressUpdate | undefined
  #above: LinePart[][] = []
  #completed = 0
  #failed = 0
  #cancelled = 0
  /**
   * By how much this machine's clock is ahead of the server's, as far as that is known. A new update shows
   * it. An update of a snapshot may be of any age, so it shows only by how much this machine's clock is
   * behind at least.
   */
  #aheadMs = 0
  #isClockKnown = false
  #link: Link = { state: "connecting" }
  #liveMs = 0
  /** Since when the queue is paused, in epoch milliseconds; undefined if it is not. */
  #pausedMs: number | undefined
  /** When everything is done, in epoch milliseconds; undefined while that is unknown. */
  #doneMs: number | undefined
  #wait = ""

  constructor({ queueId, zone = UTC }: BoardOptions = {}) {
    this.#queueId = queueId
    this.#zone = zone
  }

  /** Takes what a stream says. */
  take(said: Said, nowMs: number): void {
    if (said.type === "update") this.#update(said.update, nowMs)
    else if (said.type === "offline") this.#offline(said.reason, said.retryMs, nowMs)
    else if (said.control.event === "live") this.#live(nowMs)
    else if (said.control.event === "gap") this.#gap(said.control, nowMs)
    else if (said.control.event === "queue") this.#pausedMs = epochMsOf(said.control.paused_at)
  }

  #update(update: ProgressUpdate, nowMs: number): void {
    const { queue_id, status } = update
    const aheadMs = nowMs - Date.parse(update.timestamp)
    const isFirst = this.#link.state === "live" && !this.#isClockKnown
    if (isFirst || aheadMs < this.#aheadMs) this.#aheadMs = aheadMs
    this.#isClockKnown ||= isFirst
    const wasOpen = this.#running.delete(queue_id) || this.#waiting.delete(queue_id)
    this.#doubtful?.delete(queue_id)
    this.#only = update
    if (status === "processing") this.#running.set(queue_id, update)
    else if (!isFinished(status)) this.#waiting.set(queue_id, update)
    else if (wasOpen) this.#finish(update)
  }

  #live(nowMs: number): void {
    // An item that the snapshot after a gap does not mention is finished or deleted.
    for (const id of this.#doubtful ?? []) {
      this.#running.delete(id)
      this.#waiting.delete(id)
    }
    this.#doubtful = undefined
    this.#link = { state: "live" }
    this.#liveMs = nowMs
  }

  #gap(gap: { readonly reason: string; readonly missed: number | null }, nowMs: number): void {
    // After these, the stream continues with the changes. After any other gap, it sends a whole snapshot.
    const goesOn = gap.reason === "slow" || gap.reason === "unreadable"
    if (!goesOn) this.#doubtful = new Set([...this.#running.keys(), ...this.#waiting.keys()])
    this.#above.push([[`${this.#zone.clock(nowMs)} ${gapOf(gap)}`, "dim"]])
  }

  #offline(reason: string, retryMs: number, nowMs: number): void {
    this.#link = { state: "offline", reason, untilMs: nowMs + retryMs, sinceMs: this.#staleSinceMs(nowMs) }
    // If the queue is still paused, the next connection says so before it is live.
    this.#pausedMs = undefined
  }

  /** The stream has ended, and there is no next one. */
  ended(reason: string, nowMs: number): void {
    this.#link = { state: "offline", reason, sinceMs: this.#staleSinceMs(nowMs) }
  }

  /** In how many seconds everything that waits or runs is done; null while that is unknown. */
  foresee(doneInSeconds: number | null, nowMs: number): void {
    this.#doneMs = doneInSeconds === null ? undefined : nowMs + doneInSeconds * 1000
  }

  /** When the only item starts, or why it waits; empty while that is unknown. */
  waits(words: string): void {
    this.#wait = words
  }

  /** What has happened since the last call, to be printed above the board for good. */
  news(view: View): string[] {
    const above = this.#above
    this.#above = []
    return above.map((pieces) => lineOf(pieces, view.columns, view.style, view.widthOf).text)
  }

  /** The board as it is now: at least one line, and at most `rows - 1`. */
  draw(view: View): Drawn[] {
    const drawn = (pieces: readonly LinePart[]): Drawn =>
      lineOf(pieces, widthIn(view), view.style, view.widthOf)
    const foot = this.#foot(view).slice(0, Math.max(1, view.rows - 2))
    const room = Math.max(0, view.rows - 1 - foot.length)
    const body = this.#queueId === undefined ? this.#rows(view, room) : this.#one(view).slice(0, room)
    return [...body, ...foot].map(drawn)
  }

  #staleSinceMs(nowMs: number): number {
    if (this.#link.state === "offline") return this.#link.sinceMs
    return this.#liveMs === 0 ? 0 : nowMs
  }

  #finish(update: ProgressUpdate): void {
    const { status, outcome, error_message, timestamp } = update
    if (status === "completed") this.#completed += 1
    else if (outcome === "cancelled") this.#cancelled += 1
    else this.#failed += 1
    // The time of the update and not of its arrival, which may be long after.
    const time: LinePart = [this.#zone.clock(Date.parse(timestamp)), "dim"]
    const name: LinePart = [titled(update), "bold"]
    const mark: LinePart =
      status === "completed" ? ["✔", "good"] : outcome === "cancelled" ? ["–", "dim"] : ["✘", "bad"]
    const why = error_message === undefined ? "" : `: ${printable(causeOf(error_message))}`
    this.#above.push([time, " ", mark, " ", name, ` ${outcome ?? status}${why}`])
  }

  #rows(view: View, room: number): LinePart[][] {
    const all = [...this.#running.values()].sort((a, b) => a.queue_id - b.queue_id)
    const shown = all.length > room ? all.slice(0, Math.max(0, room - 1)) : all
    const columns = this.#columns(shown, view)
    const lines = shown.map((update) => this.#row(update, columns, view))
    if (shown.length < all.length) lines.push([[`  and ${all.length - shown.length} more`, "dim"]])
    if (all.length === 0 && this.#liveMs > 0) lines.push([["Nothing is rendering.", "dim"]])
    return lines
  }

  #columns(shown: readonly ProgressUpdate[], view: View): Columns {
    const longest = (textOf: (update: ProgressUpdate) => string): number =>
      Math.max(0, ...shown.map((update) => view.widthOf(textOf(update))))
    const left = (detail: Detail): number => longest((update) => this.#left(update, view.nowMs, detail)[0])
    return columnsFor(widthIn(view), {
      name: longest(titled),
      left: { band: left("band"), clock: left("clock"), time: left("time") },
      step: longest(({ message, media, ...update }) => stepText(update) || spokenOf(message, media)),
      pace: longest(({ media }) => paceWords(media).join(" · ")),
    })
  }

  #row(update: ProgressUpdate, columns: Columns, view: View): LinePart[] {
    const { widthOf, nowMs } = view
    const pieces: LinePart[] = [[field(titled(update), columns.name, widthOf), "bold"], "  "]
    if (columns.bar > 0) pieces.push(...this.#bar(update, columns.bar, view), " ")
    pieces.push(`${isGuess(update) ? "~" : ""}${shownOf(update)}%`.padStart(4))
    if (columns.left > 0) {
      const [left, tone] = this.#left(update, nowMs, columns.detail)
      const shown = field(left, columns.left, widthOf)
      pieces.push("  ", tone ? [shown, tone] : shown)
    }
    const { message, media } = update
    const [step, spoken] = [stepText(update), spokenOf(message, media)]
    const rest = spoken || fitting(paceWords(media), " · ", columns.rest, widthOf)
    if (columns.rest > 0 && (step !== "" || rest !== ""))
      pieces.push(
        "  ",
        step === "" ? [cut(rest, columns.rest, widthOf), "dim"] : cut(step, columns.rest, widthOf),
      )
    return pieces
  }

  #bar(update: ProgressUpdate, width: number, view: View): LinePart[] {
    const { stalled, status, outcome } = update
    const isDoubtful = this.#link.state !== "live" || stalled === true
    const ended =
      outcome === undefined
        ? undefined
        : status === "completed"
          ? "good"
          : outcome === "cancelled"
            ? "dim"
            : "bad"
    const tone = ended ?? (isDoubtful ? "warn" : "bar")
    return bar(shownOf(update), width, view.style, tone, isGuess(update))
  }

  /** How long the item still takes, counted down since its update, or that it makes no progress. */
  #left(update: ProgressUpdate, nowMs: number, detail: Detail): readonly [string, "warn"?] {
    if (update.cancel_requested_at !== undefined && !isFinished(update.status)) return ["cancelling", "warn"]
    const ageOf = (time: string): number => Math.max(0, nowMs - Date.parse(time) - this.#aheadMs)
    if (update.stalled) {
      const since = update.stalled_since
      return [since === undefined ? "stalled" : `stalled for ${duration(ageOf(since) / 1000)}`, "warn"]
    }
    const ageMs = ageOf(update.timestamp)
    const left = leftIn(update, ageMs / 1000)
    if (!left) return [""]
    const isOver = left.high !== null && left.high <= 0
    if (left.seconds < 1 && !isOver) return [overdueWords(update, left)]
    return [detail === "time" ? leftWords(left) : leftWithEnd(left, nowMs, this.#zone, detail === "band")]
  }

  /** The one item of this board, and what is known of it. */
  #one(view: View): LinePart[][] {
    const update = this.#only
    if (!update) return []
    const { status, outcome, attempt, worker, media, error_message } = update
    const width = widthIn(view)
    const texts = DETAILS.map((detail) => this.#left(update, view.nowMs, detail))
    const [left, tone] = texts.find(([text]) => view.widthOf(text) + MIN_BAR + AROUND_BAR <= width) ?? [""]
    const barWidth = Math.min(60, Math.max(MIN_BAR, width - AROUND_BAR - view.widthOf(left)))
    const lines = (parts: readonly string[], separator: string): string[] =>
      wrappedParts(parts.filter(Boolean), separator, { width, most: MOST_LINES, widthOf: view.widthOf })
    const [amount, spoken] = countAndSpoken(update)
    const facts = [
      isWaiting(status) ? printable(this.#wait) : "",
      stepText(update),
      amount,
      ...paceWords(media),
      worker === undefined ? "" : `on ${printable(worker)}`,
      attempt !== undefined && attempt > 1 ? `attempt ${attempt}` : "",
    ]
    const isBad = isFinished(status) && outcome !== "cancelled"
    const colour = status === "completed" ? "good" : isBad ? "bad" : "dim"
    const standing = outcome ?? status
    const percent = isGuess(update)
      ? ` about ${shownOf(update)}%`
      : ` ${String(shownOf(update)).padStart(3)}%`
    const said = spoken.split(" ")
    const cause = error_message === undefined ? [] : printable(causeOf(error_message)).split(" ")
    return [
      [[cut(titled(update), width - standing.length - 2, view.widthOf), "bold"], "  ", [standing, colour]],
      [...this.#bar(update, barWidth, view), percent, "  ", tone ? [left, tone] : left],
      ...lines(facts, " · ").map((text) => [text]),
      ...lines(said, " ").map((text) => [text]),
      ...lines(cause, " ").map((text) => [[text, isBad ? "bad" : "dim"] as const]),
    ]
  }

  /** Whether what is shown is true now, and how many items there are. */
  #foot(view: View): LinePart[][] {
    const [text, tone] = this.#linkWords(view)
    const width = widthIn(view)
    const lines = wrappedParts(text.split(" "), " ", { width, most: MOST_LINES, widthOf: view.widthOf })
    const foot = lines.map((each): LinePart[] => [[each, tone]])
    const [last] = foot.slice(-1)
    if (this.#queueId !== undefined || this.#liveMs === 0 || !last) return foot
    const parts = [
      ...(this.#pausedMs === undefined
        ? []
        : [`paused since ${this.#zone.when(this.#pausedMs, view.nowMs)}`]),
      count(this.#running.size, "running"),
      count(this.#waiting.size, "waiting"),
      ...(this.#completed > 0 ? [count(this.#completed, "completed")] : []),
      ...(this.#failed > 0 ? [count(this.#failed, "failed")] : []),
      ...(this.#cancelled > 0 ? [count(this.#cancelled, "cancelled")] : []),
      ...this.#end(view.nowMs),
    ].join(" · ")
    const isFitting = view.widthOf(`${lines.at(-1)} · ${parts}`) <= width
    if (isFitting || this.#link.state === "live") last.push([` · ${parts}`, "dim"])
    else foot.push([[parts, "dim"]])
    return foot
  }

  /** When everything is done by the clock, if more than one item is to be done. */
  #end(nowMs: number): string[] {
    if (this.#doneMs === undefined || this.#link.state !== "live") return []
    if (this.#doneMs <= nowMs || this.#running.size + this.#waiting.size < 2) return []
    return [`all done about ${this.#zone.when(this.#doneMs, nowMs)}`]
  }

  #linkWords({ nowMs, style }: View): readonly [text: string, tone: Tone] {
    const link = this.#link
    if (link.state === "live") return [style === colourless ? "live" : "● live", "good"]
    if (link.state === "connecting") return ["connecting", "dim"]
    const seconds = Math.ceil(((link.untilMs ?? nowMs) - nowMs) / 1000)
    const since = link.sinceMs === 0 ? "not connected" : `offline since ${this.#zone.clock(link.sinceMs)}`
    const again = seconds <= 0 ? ", retrying" : `, retrying in ${seconds} s`
    const text = `${since}${link.untilMs === undefined ? "" : again}: ${printable(link.reason)}`
    return [`${style === colourless ? "" : "○ "}${text}`, "warn"]
  }
}
