import { textFlag } from "../config.ts"
import { printable } from "../formats.ts"
import type { QueueItem } from "../progress.ts"
import { clientOf, type Command, integerFlag, say, takes } from "./command.ts"

const COLUMNS = ["ID", "SONG", "STATUS", "DONE", "PRIORITY", "TITLE", "STEP"] as const

function row(item: QueueItem): string[] {
  const said = item.status === "failed" && item.error_message !== "" ? item.error_message : item.current_step
  return [
    String(item.id),
    String(item.song_id),
    item.outcome === "cancelled" ? "cancelled" : item.status,
    `${item.progress}%`,
    String(item.priority),
    printable(item.title).slice(0, 40),
    printable(said).slice(0, 60),
  ]
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((cells) => Bun.stringWidth(cells[column] ?? ""))),
  )
  const numeric = new Set([0, 1, 3, 4])
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => {
          const gap = " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell))
          return numeric.has(column) ? gap + cell : cell + gap
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

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
    const song = integerFlag(given, "song")
    const { queue, next } = await clientOf(given).list({
      limit: String(integerFlag(given, "limit") ?? 100),
      ...(status !== undefined && { status }),
      ...(song !== undefined && { song_id: String(song) }),
    })
    if (given.flags["json"]) {
      for (const item of queue) say(JSON.stringify(item))
    } else if (queue.length === 0) say("The queue is empty.")
    else {
      say(table([[...COLUMNS], ...queue.map(row)]))
      if (next !== null) say(`... and more: see --limit`)
    }
    return 0
  },
}
