import type { QueueItem } from "../../item/item.ts"
import { tookOf } from "../../item/progress-words.ts"
import { sizeWords } from "../../text.ts"
import { count, flagWords, inFull, oneLine, plain } from "../model/wording.ts"
import { el } from "./dom.ts"

type Fact = readonly [name: string, value: string | Node]

const time = (at: string | null): Node | string =>
  at === null ? "" : el("time", { datetime: at }, inFull(at))

function all(item: QueueItem): readonly Fact[] {
  const { metadata, attempt, max_attempts, totals } = item
  const amounts = Object.entries(totals).map(([unit, total]) => `${count(total)} ${oneLine(unit)}`)
  return [
    ["Song", String(item.song_id)],
    ["Priority", count(item.priority)],
    ["Attempts", attempt > max_attempts ? String(attempt) : `${attempt} of ${max_attempts}`],
    ["Worker", oneLine(item.worker)],
    ["Added", time(item.queued_at)],
    ["Started", time(item.started_at)],
    ["Finished", time(item.completed_at)],
    ["Rendered in", tookOf(item)],
    ["Not before", time(item.available_at)],
    ["Kind", oneLine(item.kind)],
    ["Totals", amounts.join(", ")],
    ["Flag", flagWords(item.flag)],
    ["Video", plain(item.video_file_path)],
    ["Size", item.video_file_size > 0 ? sizeWords(item.video_file_size) : ""],
    ["Thumbnail", plain(item.thumbnail_path)],
    ["Tags", item.tags.map(oneLine).join(", ")],
    [
      "Metadata",
      Object.keys(metadata).length > 0
        ? el("pre", { tabindex: 0 }, plain(JSON.stringify(metadata, null, 2).slice(0, 8000)))
        : "",
    ],
  ]
}

/** All other values of an item, as a list; a value that is not set is left out. */
export function factsOf(item: QueueItem): HTMLElement {
  const rows = all(item)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))
  return el("dl", { class: "facts" }, ...rows)
}
