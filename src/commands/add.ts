import { statSync } from "node:fs"
import { basename, extname, resolve } from "node:path"

import { AppError } from "../errors.ts"
import { NewItem, type QueueItem } from "../item/item.ts"
import { heldBackWords } from "../item/progress-words.ts"
import { listFlag, textFlag } from "../settings/read-settings.ts"
import { printable, safeJson, shellWord } from "../text.ts"
import { checkedBody } from "./checked-body.ts"
import {
  clientOf,
  type Command,
  idFlag,
  integerFlag,
  nameFlag,
  pageUrl,
  say,
  secondsFlag,
  styleOn,
  tagsFlag,
} from "./command.ts"
import { KIND_FLAG, totalOf } from "./render-flags.ts"
import { retryWhenLimited } from "./retry-when-limited.ts"
import type { Arguments } from "./usage.ts"

/** The metadata of the flags, each as `key=value`. @throws AppError `invalid` */
function metadataFlag({ flags }: Arguments): Record<string, string> {
  const pairs = listFlag(flags, "metadata").map((text) => {
    const at = text.indexOf("=")
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)] as const
    throw new AppError("invalid", `--metadata must be key=value, not "${text}"`)
  })
  return Object.fromEntries(pairs)
}

/** What there is to do, by unit. @throws AppError `invalid` */
function totalsFlag({ flags }: Arguments): Record<string, number> | undefined {
  const seconds = textFlag(flags, "total")
  const others = textFlag(flags, "totals")?.split(",") ?? []
  const pairs = others.map((text) => {
    const at = text.indexOf("=")
    if (at > 0) return [text.slice(0, at).trim(), totalOf(text.slice(at + 1).trim(), "totals")] as const
    throw new AppError("invalid", `--totals must be like images=5,frames=250, not "${text}"`)
  })
  if (seconds !== undefined) pairs.unshift(["seconds", totalOf(seconds, "total")])
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined
}

/** Refuses what is no file. @throws AppError `invalid` */
function refuseNoFile(word: string): void {
  const found = statSync(word, { throwIfNoEntry: false })
  if (!found) throw new AppError("invalid", `"${word}" is neither a song's number nor a file`)
  if (!found.isDirectory()) return
  const path = word.replace(/\/+$/, "")
  const typed = /^[\w./-]*$/.test(path) ? path : shellWord(path)
  throw new AppError(
    "invalid",
    `"${word}" is a folder; name its files, as in: track-studio add ${typed}/*.wav`,
  )
}

/**
 * The song that a word names. If the word is a file, the leading digits are the song's number and the rest is
 * the title.
 * @throws AppError `invalid` for a word that is neither a song nor a file
 */
function songOf(word: string, song: number | undefined): Pick<NewItem, "song_id" | "title" | "metadata"> {
  if (/^-?\d+$/.test(word)) {
    if (song !== undefined) throw new AppError("invalid", `--song is for files; "${word}" is already a song`)
    return { song_id: Number(word) }
  }
  refuseNoFile(word)
  const name = basename(word, extname(word))
  const [, digits, rest = name] = /^0*([1-9]\d{0,14})(?:[\s._-]+(.*))?$/s.exec(name) ?? []
  if (song === undefined && digits === undefined) {
    throw new AppError("invalid", `"${word}" does not begin with the song's number; give it with --song`)
  }
  const title = (song === undefined && rest !== "" ? rest : name).trim()
  return { song_id: song ?? Number(digits), title, metadata: { path: resolve(word) } }
}

/** What is to be added, in order. @throws AppError `invalid` */
function wanted(given: Arguments): NewItem[] {
  const song = idFlag(given, "song")
  if (given.words.length === 0) {
    throw new AppError(
      "invalid",
      song === undefined
        ? "missing SONG_ID, as in: track-studio add 7"
        : `--song is for files, and no file is named; to add the song alone: track-studio add ${song}`,
    )
  }
  const metadata = metadataFlag(given)
  const common = {
    title: textFlag(given.flags, "title"),
    priority: integerFlag(given, "priority"),
    max_attempts: integerFlag(given, "attempts"),
    available_in: secondsFlag(given, "in"),
    tags: tagsFlag(given),
    kind: textFlag(given.flags, "kind"),
    totals: totalsFlag(given),
  }
  const set = Object.entries(common).filter(([, value]) => value !== undefined)
  return given.words.map((word) => {
    const found = songOf(word, song)
    const all = { ...found.metadata, ...metadata }
    const data = Object.keys(all).length > 0 ? { metadata: all } : {}
    return checkedBody(NewItem, { ...found, ...Object.fromEntries(set), ...data }, given)
  })
}

/**
 * The key under which a song or a file is added: the key that was typed, and a mark of the song or the file, so that
 * it is the same whatever else is added with it. Undefined if no key was typed.
 */
function keyOf(given: Arguments, word = ""): string | undefined {
  const key = nameFlag(given, "idempotency-key")
  const song = /^\d+$/.test(word) ? String(Number(word)) : resolve(word)
  return key === undefined ? undefined : `${key}.${Bun.hash(song).toString(36)}`
}

function sentence(item: QueueItem, url: string): string {
  const style = styleOn()
  const name = item.title === "" ? `song ${item.song_id}` : printable(item.title)
  const shown = style(name, "bold")
  const standing = [item.status, ...heldBackWords(item, Date.now())].join(", ")
  return `queue item ${style(String(item.id), "bold")}: ${shown}, ${standing}  ${style(printable(url), "dim")}`
}

/** Adds queue items. */
export const addCommand: Command = {
  usage: {
    line: "add SONG_ID|FILE...",
    about: `Adds songs to the queue. A file's name begins with the song's number, or --song gives it; the rest of
the name is the title, and metadata.path holds the whole path. For a folder, name its files: songs/*.wav.
Repeating the command adds the songs again, unless both calls have the same --idempotency-key.`,
    settings: ["server", "token-file"],
    flags: {
      priority: { type: "string", placeholder: "N", help: "higher numbers run first; default 0" },
      title: { type: "string", placeholder: "TEXT", help: "title shown to viewers" },
      song: { type: "string", placeholder: "SONG_ID", help: "the song that the files belong to" },
      tags: {
        type: "string",
        placeholder: "TAG,...",
        help: "only workers that offer all of these take the item",
      },
      ...KIND_FLAG,
      total: {
        type: "string",
        placeholder: "SECONDS",
        help: "length of the finished video, for a better estimate of the time",
      },
      totals: {
        type: "string",
        placeholder: "UNIT=N,...",
        help: "amounts of work, for a better estimate of the time: images=5,frames=250",
      },
      attempts: {
        type: "string",
        placeholder: "N",
        help: "give up when this many attempts have failed; default 3",
      },
      in: { type: "string", placeholder: "TIME", help: "wait before workers may take it: 90s, 10m or 2h" },
      metadata: {
        type: "string",
        repeatable: true,
        placeholder: "KEY=VALUE",
        help: "data kept with the item; may be repeated",
      },
      "idempotency-key": {
        type: "string",
        placeholder: "KEY",
        help: "safe to repeat for 24 hours: the same key adds each song once",
      },
      json: { type: "boolean", help: "print one item per line as JSON" },
    },
  },
  async run(given) {
    const items = wanted(given)
    const client = clientOf(given)
    for (const [at, one] of items.entries()) {
      const key = keyOf(given, given.words[at])
      const item = await retryWhenLimited(() => client.add(one, key))
      say(given.flags["json"] ? safeJson(item) : sentence(item, pageUrl(given, item.id)))
    }
    return 0
  },
}
