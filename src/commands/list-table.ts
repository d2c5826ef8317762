import type { ReadItem } from "../client/client.ts"
import { causeOf } from "../failure-cause.ts"
import type { QueueItem } from "../item/item.ts"
import { heldBackWords, isGuess, leftIn, shownOf, tookOf, waitsSince } from "../item/progress-words.ts"
import { standingOf } from "../item/state-in-one-word.ts"
import { bar, cut, cutInMiddle, field, lineOf, type LinePart, type Style } from "../terminal/terminal.ts"
import { type Zone } from "../terminal/times-of-day.ts"
import { leftWithEnd, startsOf, stepText, toneOf } from "../terminal/words.ts"
import { duration, printable } from "../text.ts"
import { styleOn } from "./command.ts"
import { type Unserved, unservedText } from "./why-it-waits.ts"

/** How a table is shown. */
interface TableLayout {
  readonly style: Style
  /** Width of the terminal; infinite if lines may be of any length. */
  readonly columns: number
  readonly zone: Zone
  readonly nowMs: number
  /** The tags because of which no worker takes an item. */
  readonly unserved: Unserved
  /** How fully times to come are shown; default: everything. */
  readonly times?: Times
}

/** With the times between which it may be, with the clock, or by the clock alone; the longest first. */
const TIMES = ["band", "clock", "short"] as const
type Times = (typeof TIMES)[number]

/** Where lines go. */
interface OutputDevice {
  readonly isTTY?: boolean
  readonly columns?: number
}

/**
 * How wide lines may be: the width of the terminal, also if nothing can be drawn over on it. Without a
 * terminal there is no limit.
 */
export const columnsOf = (output: OutputDevice): number =>
  output.isTTY ? output.columns || 80 : Number.POSITIVE_INFINITY

/** How a table looks on an output: on a terminal it fits, and elsewhere every column is whole. */
export const tableLayout = (output: OutputDevice, zone: Zone, unserved: Unserved): TableLayout => ({
  style: styleOn(output),
  columns: columnsOf(output),
  zone,
  nowMs: Date.now(),
  unserved,
})

/** A column of the table. */
interface Column {
  readonly name: string
  readonly text: (item: ReadItem, layout: TableLayout) => string
  /** Whether its texts are numbers, which are aligned to the right. */
  readonly isNumber?: boolean
  /** Longer texts are cut on a terminal of this many columns; default: never. */
  readonly most?: (columns: number) => number
  /** How they are cut; default at the end. */
  readonly cuts?: typeof cut
  /** On a terminal that is too narrow, columns are left out from the highest number down; absent: never. */
  readonly dropped?: number
}

const [LEAST_TITLE, MIN_TITLE, MAX_TITLE] = [12, 16, 40]
/** Titles are never wider than this, however wide the terminal is: what follows them must stay near. */
const WIDEST_TITLE = 80
/** In a pipe nothing is cut. A text that is wider than this moves the rest of its own line, and no other line. */
const WIDEST_IN_PIPE = 80
/** On terminals of at most this width, there is room only for the beginning of a title. */
const NARROW_COLUMNS = 64
const BAR = 12
const BARS_FROM_COLUMNS = 160
/** The least width at which the last columns are worth showing. */
const LEAST_REST = 28
/** The least width of a last column. If there is less room, its text stands below each item. */
const LEAST_LAST = 12

/** The least width of a part of the line below an item, together with the separator before it. */
const LEAST_PART = 8

const since = (time: string | null, nowMs: number): number => (nowMs - Date.parse(time ?? "")) / 1000

/** How long it takes, took, or waits. */
export function timeOf(
  item: ReadItem,
  { zone, nowMs, times = "band" }: Pick<TableLayout, "zone" | "nowMs" | "times">,
): string {
  const at = (seconds: number): string => zone.when(nowMs + seconds * 1000, nowMs)
  const { status, started_at, completed_at, updated_at } = item
  if (status === "processing" && item.stalled_since !== null) {
    return `stalled ${times === "short" ? "" : "for "}${duration(since(item.stalled_since, nowMs))}`
  }
  if (status === "processing") {
    const left = leftIn(item, since(updated_at, nowMs))
    const isTold = left !== null && (left.seconds > 0 || left.high !== null)
    if (!isTold) return `for ${duration(since(started_at, nowMs))}`
    return times === "short" ? `done ${at(left.seconds)}` : leftWithEnd(left, nowMs, zone, times === "band")
  }
  if (completed_at !== null) return started_at === null ? "" : `took ${tookOf(item)}`
  const { starts_in_seconds, starts_low_seconds: low = 0, starts_high_seconds: high = 0 } = item
  if (starts_in_seconds !== undefined) {
    if (times === "short") return `starts ${at(starts_in_seconds)}`
    if (times === "clock") return `starts about ${at(starts_in_seconds)}`
    return startsOf({ in: starts_in_seconds, low, high }, nowMs, zone)
  }
  const [heldBack = `waits ${duration(since(waitsSince(item), nowMs))}`] = heldBackWords(item, nowMs)
  return heldBack
}

/** When the item got its present status. */
function whenOf(item: QueueItem, { zone, nowMs }: TableLayout): string {
  const started = item.status === "processing" ? item.started_at : null
  return zone.when(Date.parse(item.completed_at ?? started ?? waitsSince(item)), nowMs)
}

/** The step of an item that is not finished. */
const stepNow = (item: QueueItem): string => (item.completed_at === null ? stepText(item) : "")
/** Why it failed, or why no worker takes it. */
const whyText = (item: ReadItem, { unserved }: TableLayout): string =>
  unservedText(unserved(item)) || causeOf(item.error_message)

/** When the worker is left out: after the priority and the song, and before the time and the step. */
const DROPPED_WORKER = 3

const COLUMNS: readonly Column[] = [
  { name: "ID", text: ({ id }) => String(id), isNumber: true },
  { name: "SONG", text: ({ song_id }) => String(song_id), isNumber: true, dropped: 4 },
  { name: "STATUS", text: standingOf },
  { name: "DONE", text: (item) => `${isGuess(item) ? "~" : ""}${shownOf(item)}%`, isNumber: true },
  { name: "PRIORITY", text: ({ priority }) => String(priority), isNumber: true, dropped: 5 },
  {
    name: "TITLE",
    text: ({ title, song_id }) => title || `song ${song_id}`,
    // A long title must not push the reason for a failure off the screen.
    most: (columns) =>
      columns <= NARROW_COLUMNS
        ? LEAST_TITLE
        : Math.min(MAX_TITLE, Math.max(MIN_TITLE, Math.floor((columns - 50) / 2))),
  },
  { name: "WHEN", text: whenOf, dropped: 2 },
  { name: "TIME", text: timeOf },
  {
    name: "WORKER",
    text: ({ worker }) => worker,
    most: () => 16,
    cuts: cutInMiddle,
    dropped: DROPPED_WORKER,
  },
  { name: "STEP", text: stepNow, most: () => 30, dropped: 1 },
  { name: "WHY", text: whyText },
]

/** The last column of a terminal that is too narrow for both. */
const STEP_OR_WHY: Column = {
  name: "STEP, WHY",
  text: (item, layout) => whyText(item, layout) || stepNow(item),
}

/** The column's cells: the text for each item, and the width of the widest. */
function cellsOf(column: Column, items: readonly ReadItem[], layout: TableLayout) {
  const isBounded = Number.isFinite(layout.columns) && column.most !== undefined
  const most = isBounded ? column.most(layout.columns) : Number.POSITIVE_INFINITY
  const { cuts = cut } = column
  const texts = items.map((item) => cuts(printable(column.text(item, layout)), most, Bun.stringWidth))
  const widest = Math.max(column.name.length, ...texts.map((text) => Bun.stringWidth(text)))
  const width = Number.isFinite(layout.columns) ? widest : Math.min(widest, WIDEST_IN_PIPE)
  return { column, texts, width, isEmpty: texts.every((text) => text === "") }
}
type Cells = ReturnType<typeof cellsOf>

/** Whether there is room for bars. */
const hasBars = ({ columns }: TableLayout): boolean =>
  columns >= BARS_FROM_COLUMNS && Number.isFinite(columns)

/** The columns beside each other, each at least as wide as its contents. */
const widthOf = (cells: readonly Cells[], layout: TableLayout): number =>
  cells.reduce(
    (sum, { column, width }) => sum + 2 + (column.name === "WHY" ? Math.min(width, LEAST_REST) : width),
    hasBars(layout) ? BAR - 1 : -2,
  )

/**
 * The columns that fit. A narrow terminal first shortens times, then leaves out columns that say nothing,
 * then the least important ones.
 */
function fitting(items: readonly ReadItem[], layout: TableLayout): readonly Cells[] {
  const cellsIn = (times: Times): Cells[] =>
    COLUMNS.map((column) => cellsOf(column, items, { ...layout, times }))
  if (!Number.isFinite(layout.columns)) return cellsIn("band")
  const all = TIMES.map((times) => cellsIn(times).filter(({ isEmpty }) => !isEmpty))
  const fits = (cells: readonly Cells[], most: number): boolean =>
    widthOf(
      cells.filter(({ column: { dropped = 0 } }) => dropped <= most),
      layout,
    ) <= layout.columns
  // The worker, and the reason for a failure, matter more than the times between which a render ends.
  const told = all.slice(0, -1).find((cells) => fits(cells, DROPPED_WORKER))
  let shown = told ?? all.find((cells) => fits(cells, 0)) ?? all.at(-1) ?? []
  while (widthOf(shown, layout) > layout.columns) {
    const [last] = shown.toSorted((a, b) => (b.column.dropped ?? 0) - (a.column.dropped ?? 0))
    if (!last?.column.dropped) return shown
    shown = shown.filter((cells) => cells !== last)
    if (last.column.name === "STEP") {
      const rest = shown.filter(({ column }) => column.name !== "WHY")
      return [...rest, cellsOf(STEP_OR_WHY, items, layout)]
    }
  }
  return shown
}

/** The same columns; titles that are cut get the room that is left over beside them. */
function withWiderTitles(
  shown: readonly Cells[],
  items: readonly ReadItem[],
  layout: TableLayout,
): readonly Cells[] {
  const taken = shown.reduce((sum, { width }) => sum + 2 + width, hasBars(layout) ? BAR - 1 : -2)
  const spare = layout.columns - taken
  if (spare <= 0 || !Number.isFinite(spare)) return shown
  return shown.map((cells) => {
    if (cells.column.name !== "TITLE") return cells
    const most = (): number => Math.min(WIDEST_TITLE, cells.width + spare)
    return cells.width < WIDEST_TITLE ? cellsOf({ ...cells.column, most }, items, layout) : cells
  })
}

/** A bar for what is rendering, and as much space for everything else. */
const barOf = (item: QueueItem | undefined, style: Style): LinePart[] =>
  item?.status === "processing" ? bar(shownOf(item), BAR, style, "bar", isGuess(item)) : [" ".repeat(BAR)]

/** A text below an item, under everything but its number. */
function below(text: string, { columns, style }: TableLayout, [ids]: readonly Cells[]): string {
  const indent = " ".repeat((ids?.width ?? 0) + 2)
  return lineOf([indent, [text, "dim"]], columns, style, Bun.stringWidth).text.trimEnd()
}

/** Reasons that have no room in the last column, by the index of their item, and the columns without them. */
function withReasonsBelow(shown: readonly Cells[], items: readonly ReadItem[], layout: TableLayout) {
  const [before, last] = [shown.slice(0, -1), shown.at(-1)]
  const reasons = new Map<number, string>()
  if (!last?.column.name.endsWith("WHY") || !Number.isFinite(layout.columns)) return { shown, reasons }
  const room = layout.columns - widthOf(before, layout) - 2
  for (const [at, item] of items.entries()) {
    const why = printable(whyText(item, layout))
    if (Bun.stringWidth(why) > room) reasons.set(at, why)
  }
  const texts = last.texts.map((text, at) => (reasons.has(at) ? "" : text))
  const width = Math.max(last.column.name.length, ...texts.map((text) => Bun.stringWidth(text)))
  const isEmpty = texts.every((text) => text === "")
  return { shown: isEmpty ? before : [...before, { ...last, texts, width, isEmpty }], reasons }
}

/** The names of the columns, and a line for each item, below which there may be a reason. */
function linesOf(
  shown: readonly Cells[],
  items: readonly ReadItem[],
  layout: TableLayout,
  reasons: ReadonlyMap<number, string> = new Map(),
): string[] {
  const { columns, style } = layout
  const row = (item: ReadItem | undefined, at: number): string => {
    const pieces = shown.flatMap(({ column, texts, width }, index): LinePart[] => {
      const cell = item ? (texts[at] ?? "") : column.name
      const isWhole = index === shown.length - 1 || Bun.stringWidth(cell) > width
      const text = isWhole ? cell : field(cell, width, Bun.stringWidth, column.isNumber ? "right" : "left")
      const tone = !item ? "dim" : column.name === "STATUS" ? toneOf(item) : undefined
      const drawn = hasBars(layout) && column.name === "DONE" ? [...barOf(item, style), " "] : []
      return [...(index > 0 ? ["  "] : []), ...drawn, tone ? [text, tone] : text]
    })
    return lineOf(pieces, columns, style, Bun.stringWidth).text.trimEnd()
  }
  const rows = items.flatMap((item, at) => {
    const reason = reasons.get(at)
    return reason === undefined ? [row(item, at)] : [row(item, at), below(reason, layout, shown)]
  })
  return [row(undefined, -1), ...rows]
}

/**
 * Two lines for each item: the item itself, and below it its time, and the reason for a failure or the
 * current step.
 */
function stacked(items: readonly ReadItem[], given: TableLayout): string[] {
  const layout: TableLayout = { ...given, times: "short" }
  const { columns } = layout
  const named = (name: string): Column[] => COLUMNS.filter((column) => column.name === name)
  const before = ["ID", "STATUS", "DONE"].flatMap(named).map((column) => cellsOf(column, items, layout))
  const most = (): number => Math.max(1, columns - widthOf(before, layout) - 2)
  const titles = named("TITLE").map((column) => cellsOf({ ...column, most }, items, layout))
  const [names = "", ...firsts] = linesOf([...before, ...titles], items, layout)
  const indent = (before[0]?.width ?? 0) + 2
  const second = (item: ReadItem): string[] => {
    const parts = [timeOf(item, layout), printable(STEP_OR_WHY.text(item, layout))]
    // The reason for a failure matters more than the duration of the render.
    const told = item.completed_at === null ? parts : parts.reverse()
    const [text = "", ...more] = told.filter((part) => part !== "")
    // A part is left out if no word of it would be visible.
    const all = more.reduce((said, part) => {
      const room = columns - indent - Bun.stringWidth(said)
      return room >= LEAST_PART ? `${said} · ${part}` : said
    }, text)
    return all === "" ? [] : [below(all, layout, before)]
  }
  return [names, ...items.flatMap((item, at) => [firsts[at] ?? "", ...second(item)])]
}

/** Items as a table, below the names of the columns; on a narrow terminal each takes two lines. */
export function table(items: readonly ReadItem[], layout: TableLayout): string {
  const shown = fitting(items, layout)
  const last = Math.min(LEAST_LAST, shown.at(-1)?.width ?? 0)
  const isNarrow = widthOf(shown.slice(0, -1), layout) + 2 + last > layout.columns
  if (isNarrow) return stacked(items, layout).join("\n")
  const { shown: kept, reasons } = withReasonsBelow(shown, items, layout)
  return linesOf(withWiderTitles(kept, items, layout), items, layout, reasons).join("\n")
}
