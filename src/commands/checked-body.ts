import type { Static, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import { AppError } from "../errors.ts"
import { FLAGS, MAX_TEXT_BYTES, STATUSES } from "../item/item.ts"
import { listFlag } from "../settings/read-settings.ts"
import { eitherOf } from "../text.ts"
import type { Arguments } from "./usage.ts"

/** The marks of an item as they are typed. */
export const MARKS = [...FLAGS, "none"]
/** Longer values are cut in a sentence. */
const MAX_SHOWN = 60
const TEXT = `text of at most ${MAX_TEXT_BYTES} bytes`

/** The flag that gives a key of an item, and what it takes. */
export const KEYS = {
  priority: ["priority", "a whole number from -1000000000 to 1000000000"],
  progress: ["progress", "a whole number from 0 to 100"],
  max_attempts: ["attempts", "a whole number from 1 to 100"],
  available_in: ["in", "24h at most"],
  tags: ["tags", "at most 32 tags of at most 64 characters"],
  kind: ["kind", "text of at most 64 characters, and not . or .."],
  totals: ["totals", "at most 16 units of at most 64 characters"],
  metadata: ["metadata", `key=value, each ${TEXT}`],
  status: ["status", eitherOf(STATUSES)],
  flag: ["flag", eitherOf(MARKS)],
  title: ["title", TEXT],
  message: ["message", TEXT],
  current_step: ["step", TEXT],
  error_message: ["error", TEXT],
  video_file_path: ["video-file", TEXT],
  thumbnail_path: ["thumbnail", TEXT],
} as const satisfies Readonly<Record<string, readonly [flag: string, allowed: string]>>

const quoted = (text: string): string => {
  if (/^-?\d+$/.test(text)) return text
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text)
}

/** What is wrong with the value of a key: its flag, what that takes, and what was typed. */
function refusal({ flags, words }: Arguments, key: string): string {
  const all = Object.entries<readonly [flag: string, allowed: string]>(KEYS)
  const [, [flag, allowed] = []] = all.find(([one]) => one === key) ?? []
  if (flag !== undefined)
    return `--${flag} must be ${allowed}, not ${listFlag(flags, flag).map(quoted).join(" ")}`
  // The song is the only key that no flag gives.
  const song = `SONG_ID must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`
  return `${song}, not ${words.map(quoted).join(" ")}`
}

/**
 * The body of a request about an item, checked before it is sent.
 * @throws AppError `invalid` with the first flag that is wrong, what it takes, and what was typed
 */
export function checkedBody<T extends TSchema>(
  schema: T,
  body: Readonly<Record<string, unknown>>,
  given: Arguments,
): Static<T> {
  if (Value.Check(schema, body)) return body
  const [first] = [...Value.Errors(schema, body)]
  throw new AppError("invalid", refusal(given, first?.path.split("/")[1] ?? ""))
}
