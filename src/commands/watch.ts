import { type Client, ServerError, type Watched } from "../client/client.ts"
import { AppError } from "../errors.ts"
import type { Status } from "../item/item.ts"
import { isWaiting } from "../item/moves.ts"
import { isLively } from "../settings/colour-and-motion.ts"
import { textFlag } from "../settings/read-settings.ts"
import type { Board } from "../terminal/board.ts"
import { foreseeing } from "../terminal/drawing.ts"
import type { Zone } from "../terminal/times-of-day.ts"
import { readable, readableControl } from "../terminal/updates-as-lines.ts"
import { offlineLine } from "../terminal/words.ts"
import { safeJson } from "../text.ts"
import { clientOf, type Command, interrupted, print, typedId, UTC_FLAG, zoneFlag } from "./command.ts"
import { drawLive } from "./draw-live.ts"
import { timeOf } from "./list-table.ts"
import { refuseMoreWords } from "./usage.ts"
import { reasonsToWait } from "./why-it-waits.ts"

/** A line for people. */
function line(said: Watched, zone: Zone): string {
  if (said.type === "update") return readable(said.update, zone)
  if (said.type === "offline") return offlineLine(said)
  return said.control.event === "live" ? "# live" : readableControl(said.control)
}

/** Scripts read these objects: the keys of a control stand under `data`, beside its name. */
function jsonLine(said: Watched): string {
  if (said.type !== "control") return safeJson(said)
  const { event: name, ...data } = said.control
  return safeJson({ type: said.type, name, data })
}

/** What is to be watched. */
interface WatchFlags {
  /** One item alone, until it is finished; undefined for all, until interrupted. */
  readonly queueId: number | undefined
  /** Whether the exit code shows how the item ended. */
  readonly isJudged: boolean
}

/** Shows what a stream says, to its end; an abort of `signal` ends the wait for a reader. */
type Show = (said: AsyncGenerator<Watched, void, undefined>, signal: AbortSignal) => Promise<void>

/**
 * Refuses an item that does not exist before anything is drawn: the number was probably mistyped.
 * @throws ServerError
 */
async function checkExists(client: Client, id: number, signal: AbortSignal): Promise<void> {
  try {
    await client.get(id, signal)
  } catch (error) {
    if (error instanceof ServerError && error.status === 404) throw error
    // The server may be away: the stream waits for it.
  }
}

/** When an item starts or why it waits, in the words of `list`; empty if it does not wait. */
async function waitOf(client: Client, id: number, zone: Zone): Promise<string> {
  const item = await client.get(id)
  if (!isWaiting(item.status)) return ""
  const time = timeOf(item, { zone, nowMs: Date.now() })
  return [time, ...(await reasonsToWait(client, item, zone))].filter((part) => part !== "").join(" · ")
}

/** Gives a board when everything is done; a board of one item when that starts. */
const foreseen =
  (client: Client, { queueId, zone }: { readonly queueId: number | undefined; readonly zone: Zone }) =>
  (board: Board): Disposable =>
    queueId === undefined
      ? foreseeing(
          async () => (await client.forecast(1)).done_in_seconds,
          (seconds) => board.foresee(seconds, Date.now()),
        )
      : foreseeing(
          () => waitOf(client, queueId, zone),
          (words) => board.waits(words ?? ""),
        )

/** Watches until interrupted, or until the item is finished; the exit code. */
async function watch(client: Client, { queueId, isJudged }: WatchFlags, show: Show): Promise<number> {
  const signal = interrupted()
  if (queueId !== undefined) await checkExists(client, queueId, signal)
  let status: Status | undefined
  const stream = client.watch({ queueId, untilFinished: queueId !== undefined, signal })
  async function* heard(): AsyncGenerator<Watched, void, undefined> {
    for await (const said of stream) {
      if (said.type === "update") status = said.update.status
      yield said
    }
  }
  await show(heard(), signal)
  if (!isJudged) return 0
  return status === "completed" ? 0 : 1
}

const printing =
  (text: (said: Watched) => string): Show =>
  async (stream, signal) => {
    for await (const said of stream) await print(`${text(said)}\n`, signal)
  }

/** Shows progress as it happens. */
export const watchCommand: Command = {
  usage: {
    line: "watch [ID]",
    about: `Shows the progress of one item until it is finished, or of all items until interrupted: live bars on
a terminal, otherwise one line per update.`,
    settings: ["server", "token-file"],
    flags: {
      until: {
        type: "string",
        placeholder: "finished",
        choices: ["finished"],
        help: "with an ID: exit with 0 if the item completed, with 1 if it did not",
      },
      lines: { type: "boolean", help: "one line per update, even on a terminal" },
      json: { type: "boolean", help: "print one JSON object per line" },
      ...UTC_FLAG,
    },
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const queueId = given.words[0] === undefined ? undefined : typedId(given.words[0], "ID")
    const until = textFlag(given.flags, "until")
    if (until !== undefined && until !== "finished") {
      throw new AppError("invalid", `--until accepts only "finished", not "${until}"`)
    }
    if (until !== undefined && queueId === undefined) {
      throw new AppError("invalid", "--until finished needs the ID of an item")
    }
    const wanted = { queueId, isJudged: until !== undefined }
    const client = clientOf(given)
    const zone = zoneFlag(given)
    if (given.flags["json"]) return watch(client, wanted, printing(jsonLine))
    const isDrawn = !given.flags["lines"] && isLively(process.stdout)
    const lines = printing((said) => line(said, zone))
    const shown = { queueId, zone }
    return watch(
      client,
      wanted,
      isDrawn ? (stream, signal) => drawLive(stream, shown, foreseen(client, shown), signal) : lines,
    )
  },
}
