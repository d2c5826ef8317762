import type { ReadItem } from "../client/client.ts"
import { causeOf } from "../failure-cause.ts"
import { isWaiting } from "../item/moves.ts"
import {
  ERROR_LINES,
  isGuess,
  leftIn,
  paceWords,
  restsOnRuns,
  shownOf,
  tookOf,
} from "../item/progress-words.ts"
import { standingOf } from "../item/state-in-one-word.ts"
import { lineOf, type LinePart } from "../terminal/terminal.ts"
import { type Zone } from "../terminal/times-of-day.ts"
import { countAndSpoken, leftWithEnd, numberedName, startsOf, stepText, toneOf } from "../terminal/words.ts"
import { printable, safeJson } from "../text.ts"
import { clientOf, type Command, pageUrl, say, styleOn, typedId, UTC_FLAG, zoneFlag } from "./command.ts"
import { columnsOf } from "./list-table.ts"
import { hanging, refuseMoreWords } from "./usage.ts"
import { reasonsToWait } from "./why-it-waits.ts"

/** What is known of an item, by name; a value that is not known is empty. */
type Facts = readonly (readonly [name: string, fact: string])[]

/** An error as it is shown: its cause in one line, then the end of the error, or all of it. */
function errorOf({ error_message }: ReadItem, isWhole: boolean): Facts {
  const lines = error_message.trimEnd().split(/\r\n|[\r\n]/)
  const cause = causeOf(error_message)
  if (lines.length === 1) return [["error", lines[0] ?? ""]]
  const isCut = !isWhole && lines.length > ERROR_LINES
  const head = isCut ? [`... (--all shows all ${lines.length} lines)`] : []
  return [
    ["why", cause],
    ["error", [...head, ...lines.slice(isCut ? -ERROR_LINES : 0)].join("\n")],
  ]
}

/** When an item that waits starts, and until when it is held back; empty if that is not known, or it has started. */
function startOf(item: ReadItem, zone: Zone, nowMs: number): Facts {
  const { available_at, starts_in_seconds, starts_low_seconds: low = 0, starts_high_seconds: high = 0 } = item
  if (!isWaiting(item.status)) return []
  const dueMs = Date.parse(available_at ?? "")
  const due = dueMs > nowMs ? zone.when(dueMs, nowMs) : ""
  if (starts_in_seconds === undefined) return [["starts", due]]
  const starts = startsOf({ in: starts_in_seconds, low, high }, nowMs, zone).replace(/^starts /, "")
  return [
    ["not before", due],
    ["starts", starts],
  ]
}

/** How far the item is, and its message. */
function progressOf(item: ReadItem, zone: Zone, nowMs: number): Facts {
  const { totals } = item
  const [count, spoken] = countAndSpoken(item)
  const left = leftIn(item, (nowMs - Date.parse(item.updated_at)) / 1000)
  const isRunning = item.status === "processing"
  const amounts = Object.entries(totals).map(([name, total]) => `${total} ${name}`)
  return [
    [
      "done",
      `${isGuess(item) ? "about " : ""}${shownOf(item)}%${isRunning && left ? `, ${leftWithEnd(left, nowMs, zone)}` : ""}`,
    ],
    ["known", restsOnRuns(item)],
    ["kind", item.kind],
    ["totals", amounts.join(", ")],
    ["step", stepText(item)],
    ["unit", count],
    ["pace", paceWords(item.media).join(", ")],
    ["message", spoken],
  ]
}

/** The worker of an item, and when the item was, is or will be rendered. */
function courseOf(item: ReadItem, zone: Zone, nowMs: number): Facts {
  const { worker, attempt, max_attempts, started_at, completed_at } = item
  const when = (time: string | null): string => (time === null ? "" : zone.when(Date.parse(time), nowMs))
  const took = tookOf(item)
  const attempts = attempt > max_attempts ? String(attempt) : `${attempt} of ${max_attempts}`
  return [
    ["worker", worker],
    ["attempt", attempt === 0 ? "" : attempts],
    ["queued", when(item.queued_at)],
    ...startOf(item, zone, nowMs),
    ["started", when(started_at)],
    ["finished", completed_at === null ? "" : `${when(completed_at)}${took === "" ? "" : `, took ${took}`}`],
  ]
}

/** What people and workers have set on the item. */
function givenOf({ metadata, ...item }: ReadItem): Facts {
  return [
    ["song", String(item.song_id)],
    ["priority", String(item.priority)],
    ["video", item.video_file_path],
    ["thumbnail", item.thumbnail_path],
    ["flag", item.flag ?? ""],
    ["tags", item.tags.join(", ")],
    ["metadata", Object.keys(metadata).length === 0 ? "" : safeJson(metadata)],
  ]
}

/** Facts in which a line break or a lost space would be untrue, or in the way of copying them. */
const AS_GIVEN: ReadonlySet<string> = new Set(["error", "video", "thumbnail", "metadata", "page"])

/** Shows one item. */
export const showCommand: Command = {
  usage: {
    line: "show ID",
    about: "Shows everything that is known about one item.",
    settings: ["server", "token-file"],
    flags: {
      all: { type: "boolean", help: "show the whole of a long error" },
      json: { type: "boolean", help: "print the item as JSON" },
      ...UTC_FLAG,
    },
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const client = clientOf(given)
    const item = await client.get(typedId(given.words[0], "ID"))
    if (given.flags["json"]) {
      say(safeJson(item))
      return 0
    }
    const style = styleOn()
    const tone = toneOf(item)
    const standing: LinePart = tone ? [standingOf(item), tone] : standingOf(item)
    const head: LinePart[] = [[numberedName(item.id, item.title, item.song_id), "bold"], "  ", standing]
    const columns = columnsOf(process.stdout)
    say(hanging("", lineOf(head, Number.POSITIVE_INFINITY, style, Bun.stringWidth).text, columns, 2))
    const [zone, nowMs] = [zoneFlag(given), Date.now()]
    const reasons = await reasonsToWait(client, item, zone)
    const facts: Facts = [
      ...progressOf(item, zone, nowMs),
      ...errorOf(item, given.flags["all"] === true),
      ...courseOf(item, zone, nowMs),
      ["waits", reasons.join("; ")],
      ...givenOf(item),
      ["page", pageUrl(given, item.id)],
    ]
    for (const [name, fact] of facts.filter(([, known]) => known !== "")) {
      // An error may have many lines; each is shown as it was printed.
      for (const [at, text] of fact.split(/\r\n|[\r\n]/).entries()) {
        const head = `  ${style((at === 0 ? name : "").padEnd(10), "dim")} `
        say(hanging(head, printable(text), AS_GIVEN.has(name) ? Number.POSITIVE_INFINITY : columns))
      }
    }
    return 0
  },
}
