import { type Client, type Held, ServerError } from "../client/client.ts"
import { AppError, reasonOf } from "../errors.ts"
import { RENDERERS } from "../renderers/names.ts"
import type { ExpectedFiles } from "../runner/expected-files.ts"
import { type Claiming, claiming, type ItemSource } from "../runner/item-source.ts"
import { leasesIn, takeLease } from "../runner/lease-file.ts"
import { type Plan, planned, uselessTotal, withoutKeys } from "../runner/progress-arguments.ts"
import { RunOneItem, type RunOptions } from "../runner/run-one-item.ts"
import { isRefused, isUnreachable } from "../runner/server-errors.ts"
import { dieOf, exit, takeSignals } from "../runner/signals.ts"
import { toStderr } from "../runner/stderr.ts"
import { itemInHand, stateFolder } from "../settings/environment.ts"
import { listFlag, setting, textFlag } from "../settings/read-settings.ts"
import { clientOf, type Command, idFlag, pageUrl, wholeFlag } from "./command.ts"
import { KIND_FLAG, RENDER_FLAGS, renderFlags, reportWithinFlag, totalOf } from "./render-flags.ts"
import { SPAN_FLAGS, spanFlag } from "./span-flags.ts"
import type { Arguments } from "./usage.ts"

/** Longer than it takes to claim the item that this command adds: until then no other worker can claim it. */
const RESERVED_S = 60
const NOT_FOUND = 127
const REPORT_WITHIN_S = 60
const MAX_BARS = 10_000

function totalFlag({ flags }: Arguments): number | undefined {
  const text = textFlag(flags, "total")
  return text === undefined ? undefined : totalOf(text, "total")
}

/** What is known of the render. The server uses it to estimate how long the render takes. */
function knownOf({ flags }: Arguments, { renderer, total }: Plan): Claiming["known"] {
  const kind = textFlag(flags, "kind")
  const unit = RENDERERS[renderer].totalIn
  return {
    ...(kind !== undefined && { kind }),
    ...(unit !== undefined && total !== undefined && { totals: { [unit]: total } }),
  }
}

/** Adds an item for this song and claims it. */
function adding(client: Client, flags: Claiming, song: number, title: string | undefined): ItemSource {
  const key = `run-${crypto.randomUUID()}`
  // No worker knows this command, so no worker could try it again after a failure.
  const once = { max_attempts: 1, available_in: RESERVED_S }
  const body = { song_id: song, ...(title !== undefined && { title }), ...once }
  let isPerhapsAdded = false
  const find = async (): Promise<number> => {
    const before = isPerhapsAdded
    isPerhapsAdded = true
    try {
      const { id } = await client.add(body, key)
      isPerhapsAdded = false
      return id
    } catch (error) {
      if (error instanceof ServerError && (isRefused(error) || !isUnreachable(error))) isPerhapsAdded = before
      throw error
    }
  }
  const source = claiming(client, flags, { name: `--song ${song}`, find, kept: () => undefined })
  return { ...source, isOwn: true, isPerhapsAdded: () => isPerhapsAdded }
}

/** The item to work on. @throws AppError `invalid` if none is named, or if two are */
function sourceOf(given: Arguments, client: Client, flags: Claiming): ItemSource {
  const id = idFlag(given, "item")
  const song = idFlag(given, "song")
  const title = textFlag(given.flags, "title")
  const inHand = itemInHand()
  if (id !== undefined && song !== undefined) {
    throw new AppError("invalid", "use either --item or --song, not both")
  }
  if (title !== undefined && song === undefined) {
    throw new AppError("invalid", "--title needs --song: it is the title of the item that --song adds")
  }
  if (song !== undefined) return adding(client, flags, song, title)
  if (inHand && (id === undefined || id === inHand.id)) {
    return {
      name: "",
      first: async () => inHand,
      isLent: true,
      isContinued: () => true,
      item: () => undefined,
    }
  }
  const kept = keptLeases(setting("server", given.flags))
  if (id !== undefined) return claiming(client, flags, { name: `--item ${id}`, find: async () => id, kept })
  throw new AppError("invalid", "choose an item with --item ID, or add one with --song SONG_ID")
}

/**
 * Takes the lease that an earlier step stored for an item. A disk error does not stop the render, and is
 * reported once.
 */
function keptLeases(server: string): (item: number) => Held | undefined {
  let folder = stateFolder()
  return (item) => {
    if (folder === undefined) return undefined
    try {
      return takeLease(leasesIn(folder), server, item)
    } catch (error) {
      folder = undefined
      toStderr(`the lease of an earlier step, if there is one, cannot be read: ${reasonOf(error)}`)
      return undefined
    }
  }
}

/**
 * Prints on a terminal where the item can be watched, once it is claimed. On any other output, only the
 * command itself prints.
 */
function announced(source: ItemSource, given: Arguments): ItemSource {
  if (!process.stderr.isTTY || source.isLent) return source
  const first = async (): Promise<Held> => {
    const held = await source.first()
    toStderr(`queue item ${held.id}: ${pageUrl(given, held.id)}`)
    return held
  }
  return { ...source, first }
}

function barsFlag(given: Arguments): number | undefined {
  return textFlag(given.flags, "bars") === undefined
    ? undefined
    : wholeFlag(given, "bars", { least: 1, most: MAX_BARS, fallback: 1 })
}

/**
 * The files that the command must write: those that the user named, otherwise a file that can be guessed.
 * @throws AppError `invalid`
 */
function expectedFiles(given: Arguments, { file, renderer, total }: Plan): ExpectedFiles {
  const named = listFlag(given.flags, "output")
  if (named.includes("")) throw new AppError("invalid", "--output is empty")
  const guessed = file === undefined ? [] : [file]
  const isGuessed = named.length === 0
  const paths = isGuessed ? guessed : named
  const seconds = RENDERERS[renderer].totalIn === "frames" ? undefined : total
  const isVerified = given.flags["no-verify"] !== true
  return { paths, isGuessed, seconds, isVerified }
}

/** @throws AppError `invalid` */
function runOptions(given: Arguments): RunOptions {
  if (!given.words[0]) {
    const example = "-- ffmpeg -i song.wav song.mp4"
    throw new AppError("invalid", `missing command; put it after --, for example: ${example}`)
  }
  const flags = renderFlags(given, REPORT_WITHIN_S)
  const client = clientOf(given)
  const plan = planned(given.words, {
    renderer: flags.renderer,
    total: totalFlag(given),
    bars: barsFlag(given),
  })
  const source = announced(sourceOf(given, client, { ...flags, known: knownOf(given, plan) }), given)
  return {
    ...flags,
    client,
    server: setting("server", given.flags),
    // The standard input of this program has the item as JSON, and ffmpeg would read its letters as key
    // presses: "q" quits.
    plan: source.isLent ? withoutKeys(plan) : plan,
    source,
    span: spanFlag(given),
    files: expectedFiles(given, plan),
    stateFolder: stateFolder(),
  }
}

/** Runs a render of one item. */
export const runCommand: Command = {
  usage: {
    line: "run [--item ID | --song SONG_ID] -- COMMAND [ARGUMENT...]",
    about: `Runs a render and reports its progress. ffmpeg and Blender are recognised; other programs are read
for the percentages and "n of m" that they print. Output, signals and exit code pass through. If the
item is cancelled, the command is stopped; Ctrl-C cancels the item that --song added. If the server
cannot be reached, the render goes on and reports later. The item is completed when the command exits
with 0 and, if the total is known, at least 98 % of its seconds, or all of its frames, are done. If the
command exits with 0 but less is done, the exit code is 1.`,
    settings: ["server", "token-file"],
    flags: {
      item: { type: "string", placeholder: "ID", help: "claim this queue item" },
      song: { type: "string", placeholder: "SONG_ID", help: "add this song to the queue and claim it" },
      title: { type: "string", placeholder: "TEXT", help: "with --song: the title that viewers see" },
      total: {
        type: "string",
        placeholder: "N",
        help: "how much there is to do: seconds of video, or frames for Blender",
      },
      ...KIND_FLAG,
      bars: {
        type: "string",
        placeholder: "N",
        help: "how many progress bars the command draws one after the other; default: unknown",
      },
      output: {
        type: "string",
        placeholder: "FILE",
        repeatable: true,
        help: "a file that the command must write, checked at the end; repeatable; default: guessed for ffmpeg",
      },
      "no-verify": { type: "boolean", help: "do not check the files" },
      ...SPAN_FLAGS,
      ...RENDER_FLAGS,
      "report-within": reportWithinFlag(REPORT_WITHIN_S),
    },
  },
  async run(given) {
    const options = runOptions(given)
    const [program = ""] = options.plan.command
    if (Bun.which(program) === null) {
      toStderr(`${program}: command not found or not executable`)
      return NOT_FOUND
    }
    const useless = uselessTotal(options.plan)
    // A file that the command must write is compared with the total anyway.
    if (useless !== undefined && options.files.isGuessed) toStderr(`--total ignored: ${useless}`)
    const run = new RunOneItem(options)
    const signals = takeSignals({
      onEnd: (signal) => run.signal(signal),
      onSuspend: (isSuspended) => run.suspend(isSuspended),
    })
    const end = await run.render().finally(() => signals[Symbol.dispose]())
    if (run.earlySignal) await dieOf(run.earlySignal)
    const code = typeof end === "number" ? end : await run.exitCode(end)
    // Exit even though a request to a server that never answers may still be open.
    return exit(code, typeof end !== "number" && end.stop !== undefined)
  },
}
