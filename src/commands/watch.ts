import type { Watched } from "../client.ts"
import { printable, readable } from "../formats.ts"
import { clientOf, type Command, say, takes, typedInteger } from "./command.ts"

/** A line for people, or nothing worth a line. */
function line(said: Watched): string | undefined {
  if (said.type === "update") return readable(said.update)
  if (said.type === "offline") return `# ${printable(said.reason)}; trying again in ${said.retryMs} ms`
  const { data, name } = said
  if (name === "live") return "# live"
  if (name === "gap")
    return `# gap: ${data["missed"] ?? "some"} updates left out (${data["reason"]}); now the latest state`
  return name === "shutdown" ? "# the server is going away" : undefined
}

/** Shows progress as it happens. */
export const watchCommand: Command = {
  usage: {
    line: "watch [ID]",
    about: "Shows the progress of one queue item, or of all, a line an update, until it is interrupted.",
    settings: ["server"],
    flags: { json: { type: "boolean", help: "print one JSON object a line" } },
  },
  async run(given) {
    takes(given, 1)
    const stop = new AbortController()
    process.once("SIGINT", () => stop.abort())
    process.once("SIGTERM", () => stop.abort())
    const queueId = given.words[0] === undefined ? undefined : typedInteger(given.words[0], "ID")
    for await (const said of clientOf(given).watch({ queueId, signal: stop.signal })) {
      const { type, ...rest } = said
      const shown = given.flags["json"] ? JSON.stringify({ type, ...rest }) : line(said)
      if (shown !== undefined) say(shown)
    }
    return 0
  },
}
