import { type Client, type Watched } from "../client/client.ts"
import { isLively, textFlag } from "../config.ts"
import { AppError } from "../errors.ts"
import type { Status } from "../item/item.ts"
import { readable } from "../terminal/plain.ts"
import { printable, safeJson } from "../text.ts"
import { clientOf, type Command, say, takes, typedId } from "./command.ts"
import { LiveBoard } from "./live.ts"

/** A line for people, or nothing worth a line. */
function line(said: Watched): string | undefined {
  if (said.type === "update") return readable(said.update)
  if (said.type === "offline") return `# ${printable(said.reason)}; trying again in ${said.retryMs} ms`
  const { control } = said
  switch (control.event) {
    case "live":
      return "# live"
    case "gap":
      return `# gap: ${control.missed ?? "some"} updates left out (${control.reason}); now the latest state`
    case "end":
      return `# ${control.status}, the end`
    case "shutdown":
      return "# the server is going away"
  }
}

const asLine = (said: Watched): void => {
  const shown = line(said)
  if (shown !== undefined) say(shown)
}

/** Scripts read these objects: the keys of a control stand under `data`, beside its name. */
function asJson(said: Watched): void {
  if (said.type !== "control") return say(safeJson(said))
  const { event: name, ...data } = said.control
  return say(safeJson({ type: said.type, name, data }))
}

/** What is to be watched, and how it is shown. */
interface Wanted {
  readonly queueId: number | undefined
  readonly untilFinished: boolean
  readonly show: (said: Watched) => void
}

/** Watches until interrupted, or until the item is finished; the exit code. */
async function watch(client: Client, { queueId, untilFinished, show }: Wanted): Promise<number> {
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once("SIGINT", interrupt)
  process.once("SIGTERM", interrupt)
  let status: Status | undefined
  for await (const said of client.watch({ queueId, untilFinished, signal: stop.signal })) {
    if (said.type === "update") status = said.update.status
    show(said)
  }
  if (!untilFinished) return 0
  return status === "completed" && !stop.signal.aborted ? 0 : 1
}

/** Shows progress as it happens. */
export const watchCommand: Command = {
  usage: {
    line: "watch [ID]",
    about:
      "Shows the progress of one queue item, or of all, until it is interrupted: on a terminal as bars that move, else a line an update.",
    settings: ["server"],
    flags: {
      until: {
        type: "string",
        placeholder: "finished",
        help: "end when the item is finished: exit 0 if it completed, 1 if not",
      },
      lines: { type: "boolean", help: "a line an update on a terminal too" },
      json: { type: "boolean", help: "print one JSON object a line" },
    },
  },
  async run(given) {
    takes(given, 1)
    const queueId = given.words[0] === undefined ? undefined : typedId(given.words[0], "ID")
    const until = textFlag(given.flags, "until")
    if (until !== undefined && until !== "finished") {
      throw new AppError("invalid", `--until can be finished, not "${until}"`)
    }
    if (until !== undefined && queueId === undefined) {
      throw new AppError("invalid", "--until finished needs the ID of an item")
    }
    const wanted = { queueId, untilFinished: until !== undefined }
    const client = clientOf(given)
    if (given.flags["json"]) return watch(client, { ...wanted, show: asJson })
    if (given.flags["lines"] || !isLively(process.stdout)) return watch(client, { ...wanted, show: asLine })
    using board = new LiveBoard(queueId)
    return await watch(client, { ...wanted, show: (said) => board.take(said) })
  },
}
