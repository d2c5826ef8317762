import { wantsColour } from "../config.ts"
import type { QueueItem } from "../item/item.ts"
import { coloured, colourless, line, type Piece } from "../terminal/terminal.ts"
import { leftOf, nameOf, paceOf, spokenOf, stepOf, type Zone } from "../terminal/words.ts"
import { duration, printable, safeJson } from "../text.ts"
import { clientOf, type Command, pageUrl, say, takes, typedId, UTC_FLAG, zoneFlag } from "./command.ts"
import { standingOf, toneOf } from "./standing.ts"

/** What is known of an item, by name; what is not known is empty. */
function factsOf(item: QueueItem, zone: Zone, nowMs: number): readonly (readonly [string, string])[] {
  const { eta_seconds, unit, worker, attempt, max_attempts, tags, metadata } = item
  const when = (time: string | null): string => (time === null ? "" : zone.when(Date.parse(time), nowMs))
  const { started_at, completed_at } = item
  const [fromMs, toMs] = [Date.parse(started_at ?? ""), Date.parse(completed_at ?? "")]
  const took = toMs >= fromMs ? `, took ${duration((toMs - fromMs) / 1000)}` : ""
  const isRunning = item.status === "processing"
  return [
    [
      "done",
      `${item.progress}%${isRunning && eta_seconds !== null ? `, ${leftOf(eta_seconds, nowMs, zone)}` : ""}`,
    ],
    ["step", stepOf(item)],
    ["unit", unit ? `${unit.done} of ${unit.total} ${unit.name}` : ""],
    ["pace", paceOf(item.media).join(", ")],
    ["message", spokenOf(item.message)],
    ["error", item.error_message],
    ["worker", worker],
    [
      "attempt",
      attempt === 0 ? "" : attempt > max_attempts ? String(attempt) : `${attempt} of ${max_attempts}`,
    ],
    ["song", String(item.song_id)],
    ["priority", String(item.priority)],
    ["queued", when(item.queued_at)],
    ["starts", item.status === "queued" || item.status === "retrying" ? when(item.available_at) : ""],
    ["started", when(started_at)],
    ["finished", completed_at === null ? "" : `${when(completed_at)}${took}`],
    ["video", item.video_file_path],
    ["thumbnail", item.thumbnail_path],
    ["flag", item.flag ?? ""],
    ["tags", tags.join(", ")],
    ["metadata", Object.keys(metadata).length === 0 ? "" : safeJson(metadata)],
  ]
}

/** Shows one item. */
export const showCommand: Command = {
  usage: {
    line: "show ID",
    about: "Shows what is known of one item.",
    settings: ["server", "token-file"],
    flags: { json: { type: "boolean", help: "print the item as JSON" }, ...UTC_FLAG },
  },
  async run(given) {
    takes(given, 1)
    const item = await clientOf(given).get(typedId(given.words[0], "ID"))
    if (given.flags["json"]) {
      say(safeJson(item))
      return 0
    }
    const style = wantsColour(process.stdout) ? coloured : colourless
    const tone = toneOf(item)
    const standing: Piece = tone ? [standingOf(item), tone] : standingOf(item)
    const head: Piece[] = [[nameOf(item.id, item.title, item.song_id), "bold"], "  ", standing]
    say(line(head, Number.POSITIVE_INFINITY, style, Bun.stringWidth).text)
    const facts = factsOf(item, zoneFlag(given), Date.now()).filter(([, fact]) => fact !== "")
    for (const [name, fact] of [...facts, ["page", pageUrl(given, item.id)] as const]) {
      // An error may have many lines; each is shown as one.
      for (const [at, text] of fact.split(/\r\n|[\r\n]/).entries())
        say(`  ${style((at === 0 ? name : "").padEnd(10), "dim")} ${printable(text)}`)
    }
    return 0
  },
}
