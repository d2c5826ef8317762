import type { ClaimRequest, Client, Held } from "../client/client.ts"
import { itemInHand, setting, textFlag } from "../config.ts"
import { AppError } from "../errors.ts"
import { type Plan, planned, uselessTotal, withoutKeys } from "../runner/plan.ts"
import { claiming, type ItemSource, Run, type RunOptions } from "../runner/run.ts"
import { dieOf, exit, takeSignals } from "../runner/signals.ts"
import { toStderr } from "../runner/stderr.ts"
import { clientOf, type Command, idFlag, pageUrl } from "./command.ts"
import { KIND_FLAG, RENDER_FLAGS, type RenderFlags, renderFlags, reportWithinFlag, totalOf } from "./flags.ts"
import type { Arguments } from "./usage.ts"

/** Longer than it takes to claim the item that we add: until then no other worker can claim it. */
const RESERVED_S = 60
const NOT_FOUND = 127
const REPORT_WITHIN_S = 60

function totalFlag({ flags }: Arguments): number | undefined {
  const text = textFlag(flags, "total")
  return text === undefined ? undefined : totalOf(text, "total")
}

/** What we know of the item, for the server to foresee how long it takes. */
function knownOf({ flags }: Arguments, { renderer, total }: Plan): Pick<ClaimRequest, "kind" | "totals"> {
  const kind = textFlag(flags, "kind")
  const unit = { ffmpeg: "seconds", blender: "frames", lines: undefined }[renderer]
  return {
    ...(kind !== undefined && { kind }),
    ...(unit !== undefined && total !== undefined && { totals: { [unit]: total } }),
  }
}

/** The flags that an item is claimed by. */
type Claiming = RenderFlags & { readonly known: Pick<ClaimRequest, "kind" | "totals"> }

/** Adds an item for this song and claims it. */
function adding(client: Client, flags: Claiming, song: number, title: string | undefined): ItemSource {
  const key = `run-${crypto.randomUUID()}`
  // No worker knows this command, so no worker could try it again after a failure.
  const once = { max_attempts: 1, available_in: RESERVED_S }
  const body = { song_id: song, ...(title !== undefined && { title }), ...once }
  return claiming(`--song ${song}`, client, flags, async () => (await client.add(body, key)).id)
}

/** The item to work on. @throws AppError `invalid` when none is named, or two are */
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
    return { name: "", first: async () => inHand, isLent: true, item: () => undefined }
  }
  if (id !== undefined) return claiming(`--item ${id}`, client, flags, async () => id)
  throw new AppError("invalid", "choose an item with --item ID, or add one with --song SONG_ID")
}

/** Says on a terminal where the item can be watched, once we have it. Elsewhere the output is the command's alone. */
function announced(source: ItemSource, given: Arguments): ItemSource {
  if (!process.stderr.isTTY || source.isLent) return source
  const first = async (): Promise<Held> => {
    const held = await source.first()
    toStderr(`queue item ${held.id}: ${pageUrl(given, held.id)}`)
    return held
  }
  return { ...source, first }
}

/** @throws AppError `invalid` */
function runOptions(given: Arguments): RunOptions {
  if (given.words.length === 0) {
    const example = "-- ffmpeg -i song.wav song.mp4"
    throw new AppError("invalid", `the command is missing; put it after --, for example: ${example}`)
  }
  const flags = renderFlags(given, REPORT_WITHIN_S)
  const client = clientOf(given)
  const plan = planned(given.words, flags.renderer, totalFlag(given))
  const source = announced(sourceOf(given, client, { ...flags, known: knownOf(given, plan) }), given)
  return {
    ...flags,
    client,
    server: setting("server", given.flags),
    // Our standard input carries the item as JSON, and ffmpeg would read its letters as key presses: "q" quits.
    plan: source.isLent ? withoutKeys(plan) : plan,
    source,
  }
}

/** Runs a render of one item. */
export const runCommand: Command = {
  usage: {
    line: "run [--item ID | --song SONG_ID] -- COMMAND [ARGUMENT...]",
    about: `Runs a render and reports its progress. ffmpeg and Blender are recognised; other programs are read
for the percentages and "n of m" that they print. Output, signals and exit code pass through. If the
item is cancelled, the command is stopped. If the server cannot be reached, the render goes on and
reports later. The item is completed when the command exits with 0 and, where the total is known,
at least 98 % of it is done. When the command exits with 0 short of that, the exit code is 1.`,
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
    if (useless !== undefined) toStderr(`--total ignored: ${useless}`)
    const run = new Run(options)
    const signals = takeSignals({
      onEnd: (signal) => run.signal(signal),
      onSuspend: (isSuspended) => run.suspend(isSuspended),
    })
    const end = await run.render().finally(() => signals[Symbol.dispose]())
    if (run.earlySignal) await dieOf(run.earlySignal)
    const code = typeof end === "number" ? end : await run.exitCode(end)
    // Exit even though a request to a server that never answers may still be open.
    return exit(code)
  },
}
