import { Value } from "@sinclair/typebox/value"

import type { Client, Held } from "../client/client.ts"
import { AppError } from "../errors.ts"
import { ItemChange, type QueueItem, Result, STATUSES } from "../item/item.ts"
import { heldBackWords } from "../item/progress-words.ts"
import { standingOf } from "../item/state-in-one-word.ts"
import { textFlag } from "../settings/read-settings.ts"
import { eitherOf, printable, safeJson } from "../text.ts"
import { checkedBody, KEYS, MARKS } from "./checked-body.ts"
import { clientOf, type Command, integerFlag, say, secondsFlag, typedId } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** The keys that a flag sets to its text as it is. */
const TEXTS = [
  "status",
  "current_step",
  "message",
  "error_message",
  "title",
  "video_file_path",
  "thumbnail_path",
] as const

/** Ends the lease of an item for its worker. @throws AppError `invalid`; ServerError */
async function ended(client: Client, held: Held, { status, ...rest }: ItemChange): Promise<QueueItem> {
  if (status === "completed" && Value.Check(Result, rest)) return (await client.complete(held, rest)).item
  const { error_message, ...others } = rest
  if (status === "failed" && Object.keys(others).length === 0) {
    return (await client.fail(held, error_message === undefined ? {} : { error_message })).item
  }
  throw new AppError(
    "invalid",
    "--lease takes --status completed with --step, --message, --video-file and --thumbnail, or --status failed with --error",
  )
}

/** What is said of an item if it was set. */
const SAID = ["title", "priority", "flag"] as const

function sentence(item: QueueItem, set: ItemChange): string {
  const step = item.current_step === "" ? [] : [printable(item.current_step)]
  const said = SAID.filter((key) => key in set).map(
    (key) => `${key} ${printable(String(item[key] ?? "") || "none")}`,
  )
  const parts = [standingOf(item), `${item.progress}%`, ...heldBackWords(item, Date.now()), ...step, ...said]
  return `queue item ${item.id}: ${parts.join(", ")}`
}

/** Changes a queue item. */
export const setCommand: Command = {
  usage: {
    line: "set ID",
    about: "Changes an item. Values that no flag names stay as they are.",
    settings: ["server", "token-file"],
    flags: {
      status: { type: "string", placeholder: "STATUS", choices: STATUSES, help: eitherOf(STATUSES) },
      step: { type: "string", placeholder: "TEXT", help: "the current step" },
      progress: { type: "string", placeholder: "N", help: "0 to 100" },
      message: { type: "string", placeholder: "TEXT", help: "message shown to viewers" },
      error: { type: "string", placeholder: "TEXT", help: "the error message" },
      title: { type: "string", placeholder: "TEXT", help: "title shown to viewers" },
      priority: { type: "string", placeholder: "N", help: "higher numbers run first" },
      in: {
        type: "string",
        placeholder: "TIME",
        help: "wait before workers may take it: 90s, 10m or 2h; 0 for no wait",
      },
      flag: { type: "string", placeholder: "FLAG", choices: MARKS, help: eitherOf(MARKS) },
      "video-file": { type: "string", placeholder: "FILE", help: "path of the finished video" },
      thumbnail: { type: "string", placeholder: "FILE", help: "path of its thumbnail" },
      lease: {
        type: "string",
        placeholder: "TOKEN",
        help: "with --status completed or failed: ends the lease that a worker holds",
      },
      json: { type: "boolean", help: "print the item as JSON" },
    },
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const id = typedId(given.words[0], "ID")
    const change: Record<string, unknown> = {}
    for (const key of TEXTS) change[key] = textFlag(given.flags, KEYS[key][0])
    change["progress"] = integerFlag(given, "progress")
    change["priority"] = integerFlag(given, "priority")
    change["available_in"] = secondsFlag(given, "in")
    const mark = textFlag(given.flags, "flag")
    change["flag"] = mark === "none" ? null : mark
    const named = Object.entries(change).filter(([, value]) => value !== undefined)
    if (named.length === 0) {
      throw new AppError("invalid", "nothing to set; name at least one flag, such as --priority 5")
    }
    const set = checkedBody(ItemChange, Object.fromEntries(named), given)
    const token = textFlag(given.flags, "lease")
    const client = clientOf(given)
    const item = token === undefined ? await client.update(id, set) : await ended(client, { id, token }, set)
    say(given.flags["json"] ? safeJson(item) : sentence(item, set))
    return 0
  },
}
