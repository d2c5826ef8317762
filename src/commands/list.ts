import { isLively, textFlag, wantsColour } from "../config.ts"
import type { QueueItem, Status } from "../item/item.ts"
import {
  bar,
  coloured,
  colourless,
  cut,
  field,
  line,
  type Piece,
  type Style,
  type Tone,
} from "../terminal/terminal.ts"
import { duration, printable, safeJson } from "../text.ts"
import { clientOf, type Command, idFlag, integerFlag, say, takes } from "./command.ts"

const COLUMNS = ["ID", "SONG", "STATUS", "DONE", "PRIORITY", "TITLE", "STEP"] as const
const NUMERIC = new Set([0, 1, 3, 4])
const STATUS = 2
const DONE = 3
const BAR = 12
const BARS_FROM_COLUMNS = 100
const [MIN_TITLE, MAX_TITLE] = [12, 40]
/** What the columns before the title take, about. */
const OTHER_COLUMNS = 40
const DEFAULT_LIMIT = 100
/** As many as the server gives at once. */
const PAGE = 1000

const TONES: Partial<Record<Status, Tone>> = {
  processing: "bar",
  completed: "good",
  failed: "bad",
  retrying: "warn",
}

/** What is said of an item: why it failed, when it goes on, or where it is and for how long. */
function saidOf({ status, error_message, current_step, step, eta_seconds, available_at }: QueueItem): string {
  if (status === "failed" && error_message !== "") return error_message
  if (status === "retrying" && available_at !== null)
    return `again in ${duration(Math.max(0, Date.parse(available_at) - Date.now()) / 1000)}`
  const where = step ? `${step.index}/${step.total} ${step.name || current_step}` : current_step
  // What is cut off on a narrow terminal is the end.
  return [...(eta_seconds === null ? [] : [`${duration(eta_seconds)} left`]), where]
    .filter(Boolean)
    .join(", ")
}

function row(item: QueueItem, titleWidth: number): string[] {
  const called = item.status === "processing" && item.cancel_requested_at !== null
  return [
    String(item.id),
    String(item.song_id),
    called
      ? "cancelling"
      : item.outcome === "cancelled" || item.outcome === "lost"
        ? item.outcome
        : item.status,
    `${item.progress}%`,
    String(item.priority),
    cut(printable(item.title), titleWidth, Bun.stringWidth),
    printable(saidOf(item)),
  ]
}

/** How a table is shown: in which colours, how wide, and whether the share done is a bar. */
interface Look {
  readonly style: Style
  readonly columns: number
  readonly bars: boolean
}

const lookOf = (output: { readonly isTTY?: boolean; readonly columns?: number }): Look => ({
  style: wantsColour(output) ? coloured : colourless,
  columns: isLively(output) ? output.columns || 80 : Number.POSITIVE_INFINITY,
  bars: isLively(output) && (output.columns || 0) >= BARS_FROM_COLUMNS,
})

function table(queue: readonly QueueItem[], { style, columns, bars }: Look): string {
  // A long title must not push the reason for a failure off the screen.
  const titleWidth = Math.min(MAX_TITLE, Math.max(MIN_TITLE, Math.floor((columns - OTHER_COLUMNS) / 2)))
  const rows: (readonly string[])[] = [COLUMNS, ...queue.map((item) => row(item, titleWidth))]
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((cells) => Bun.stringWidth(cells[column] ?? ""))),
  )
  return rows
    .map((cells, at) => {
      const item = queue[at - 1]
      const pieces = cells.flatMap((cell, column): Piece[] => {
        const isLast = column === COLUMNS.length - 1
        const side = NUMERIC.has(column) ? "right" : "left"
        const shown = isLast ? cell : field(cell, widths[column] ?? 0, Bun.stringWidth, side)
        const tone = !item ? "dim" : column === STATUS ? TONES[item.status] : undefined
        const drawn = bars && column === DONE ? [...barOf(item, style), " "] : []
        return [...(column > 0 ? ["  "] : []), ...drawn, tone ? [shown, tone] : shown]
      })
      return line(pieces, columns, style, Bun.stringWidth).text.trimEnd()
    })
    .join("\n")
}

/** A bar for what is being rendered, and as much space for everything else. */
const barOf = (item: QueueItem | undefined, style: Style): Piece[] =>
  item?.status === "processing" ? bar(item.progress, BAR, style) : [" ".repeat(BAR)]

/** Lists queue items. */
export const listCommand: Command = {
  usage: {
    line: "list",
    about: "Lists the queue: what is processing, what waits, what is finished.",
    settings: ["server"],
    flags: {
      status: {
        type: "string",
        placeholder: "STATUS",
        help: "queued, processing, completed, failed or retrying",
      },
      song: { type: "string", placeholder: "SONG_ID", help: "one song's items alone" },
      limit: { type: "string", placeholder: "N", help: "at most this many; default 100" },
      json: { type: "boolean", help: "print one item a line as JSON" },
    },
  },
  async run(given) {
    takes(given, 0)
    const status = textFlag(given.flags, "status")
    const song = idFlag(given, "song")
    const most = integerFlag(given, "limit") ?? DEFAULT_LIMIT
    const client = clientOf(given)
    const queue: QueueItem[] = []
    let next: string | null = null
    do {
      const page = await client.list({
        limit: String(Math.min(most - queue.length, PAGE)),
        ...(next !== null && { after: next }),
        ...(status !== undefined && { status }),
        ...(song !== undefined && { song_id: String(song) }),
      })
      queue.push(...page.queue)
      next = page.next
    } while (next !== null && queue.length < most)
    if (given.flags["json"]) {
      for (const item of queue) say(safeJson(item))
    } else if (queue.length === 0) say("The queue is empty.")
    else {
      say(table(queue, lookOf(process.stdout)))
      if (next !== null) say(`... and more: see --limit`)
    }
    return 0
  },
}
