import type { WorkerSeen } from "../client/client.ts"
import { AppError } from "../errors.ts"
import { shownOf } from "../item/progress-words.ts"
import { cut, cutInMiddle, field } from "../terminal/terminal.ts"
import type { Zone } from "../terminal/times-of-day.ts"
import { duration, printable, safeJson } from "../text.ts"
import { clientOf, type Command, nameFlag, say, UTC_FLAG, zoneFlag } from "./command.ts"
import { columnsOf } from "./list-table.ts"
import { saySentence } from "./sentence.ts"
import { refuseMoreWords } from "./usage.ts"

/** How a line is shown. */
interface LineLayout {
  /** A name, padded to the width of the others. */
  readonly nameOf: (name: string) => string
  /** Width of the terminal; infinite where lines may be of any length. */
  readonly columns: number
  readonly zone: Zone
  readonly nowMs: number
}

const LEAST_TITLE = 12
/** Tags may be cut to this width. */
const LEAST_PART = 20
const DRAINED = "takes no more items"
/** Longer names go beyond their column; on a terminal they are cut to a third of a line. */
const MOST_NAME = 30

/** Makes names equally wide. */
function namesOf(workers: readonly WorkerSeen[], columns: number): LineLayout["nameOf"] {
  const most = Math.min(MOST_NAME, Math.floor(columns / 3))
  const width = Math.max(...workers.map(({ worker }) => Math.min(most, Bun.stringWidth(printable(worker)))))
  return Number.isFinite(columns)
    ? (name) => field(cutInMiddle(name, width, Bun.stringWidth), width, Bun.stringWidth)
    : (name) => name.padEnd(width)
}

/** What a worker does: `#7 Northern Lights 54%`, `idle for 4:10`, `away since 14:32`. */
function doingOf(
  { state, items, idle_since, last_heard_at }: WorkerSeen,
  { zone, nowMs }: LineLayout,
  mostTitle: number,
): string {
  if (state === "rendering") {
    return items
      .map((item) => {
        const title = printable(item.title || `song ${item.song_id}`)
        return `#${item.id} ${cut(title, mostTitle, Bun.stringWidth)} ${shownOf(item)}%`
      })
      .join(", ")
  }
  if (state === "idle") return `idle for ${duration((nowMs - Date.parse(idle_since ?? "")) / 1000)}`
  return last_heard_at === null ? "away" : `away since ${zone.when(Date.parse(last_heard_at), nowMs)}`
}

/**
 * One worker as a line: its name, what it does, and what else is known. Long titles give way to the rest. Where there is
 * no room, its tags and its version are left out, and that it takes no more items stands below it.
 */
function lineOf(worker: WorkerSeen, layout: LineLayout): string {
  const { tags, version, draining } = worker
  const known = [
    draining ? DRAINED : "",
    tags !== null && tags.length > 0 ? `tags ${tags.join(", ")}` : "",
    version === "" ? "" : `version ${version}`,
  ].filter((part) => part !== "")
  const line = (mostTitle: number, more: readonly string[]): string => {
    const rest = [doingOf(worker, layout, mostTitle), ...more].join("; ")
    return `${layout.nameOf(printable(worker.worker))}  ${printable(rest)}`
  }
  const isRoom = (): boolean => {
    const least = known.map((part) => cut(part, LEAST_PART, Bun.stringWidth))
    return Bun.stringWidth(line(LEAST_TITLE, least)) <= layout.columns
  }
  while (known.length > 0 && !isRoom()) known.pop()
  const within = (mostTitle: number): string => line(mostTitle, known)
  let mostTitle = layout.columns
  // A title may stay a column narrower than it could be, where a wide character has no room.
  while (mostTitle > LEAST_TITLE) {
    const over = Bun.stringWidth(within(mostTitle)) - layout.columns
    if (over <= 0) break
    mostTitle -= Math.max(1, Math.floor(over / Math.max(1, worker.items.length)))
  }
  const own = cut(within(Math.max(LEAST_TITLE, mostTitle)), layout.columns, Bun.stringWidth)
  const isBelow = draining && known.length === 0
  return isBelow ? `${own}\n${cut(`    ${DRAINED}`, layout.columns, Bun.stringWidth)}` : own
}

const WORKER = { type: "string", placeholder: "NAME", known: "workers" } as const

/** Lists the workers, or drains one. */
export const workersCommand: Command = {
  usage: {
    line: "workers",
    about: `Lists the workers of the last hour: what they render, since when they are idle, and what they offer.
A drained worker finishes what it renders and takes no more items.`,
    settings: ["server", "token-file"],
    flags: {
      drain: { ...WORKER, help: "let this worker finish, and take no more items" },
      undrain: { ...WORKER, help: "let this worker take items again" },
      json: { type: "boolean", help: "print one worker per line as JSON" },
      ...UTC_FLAG,
    },
  },
  async run(given) {
    refuseMoreWords(given, 0)
    const client = clientOf(given)
    const [drained, undrained] = [nameFlag(given, "drain"), nameFlag(given, "undrain")]
    if (drained !== undefined && undrained !== undefined)
      throw new AppError("invalid", "use either --drain or --undrain")
    if (drained !== undefined) {
      await client.drain(drained)
      say(`${printable(drained)} takes no more items.`)
      return 0
    }
    if (undrained !== undefined) {
      await client.undrain(undrained)
      say(`${printable(undrained)} takes items.`)
      return 0
    }
    const workers = await client.workers()
    if (given.flags["json"]) for (const worker of workers) say(safeJson(worker))
    else if (workers.length === 0)
      saySentence('No worker is connected; start one with "track-studio work --exec ./render.sh".')
    else {
      const columns = columnsOf(process.stdout)
      const zone = zoneFlag(given)
      const layout = { nameOf: namesOf(workers, columns), columns, zone, nowMs: Date.now() }
      for (const worker of workers) say(lineOf(worker, layout))
    }
    return 0
  },
}
