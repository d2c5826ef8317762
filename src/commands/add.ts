import { textFlag, wantsColour } from "../config.ts"
import { coloured, colourless } from "../terminal/terminal.ts"
import { printable, safeJson } from "../text.ts"
import { clientOf, type Command, integerFlag, say, takes, typedId } from "./command.ts"

/** Adds a queue item. */
export const addCommand: Command = {
  usage: {
    line: "add SONG_ID",
    about: "Adds a song to the queue.",
    settings: ["server"],
    flags: {
      priority: { type: "string", placeholder: "N", help: "higher goes first; default 0" },
      title: { type: "string", placeholder: "TEXT", help: "what viewers see beside the number" },
      "idempotency-key": { type: "string", placeholder: "KEY", help: "makes a repeated call add nothing" },
      json: { type: "boolean", help: "print the item as JSON" },
    },
  },
  async run(given) {
    takes(given, 1)
    const priority = integerFlag(given, "priority")
    const title = textFlag(given.flags, "title")
    const item = await clientOf(given).add(
      {
        song_id: typedId(given.words[0], "SONG_ID"),
        ...(priority !== undefined && { priority }),
        ...(title !== undefined && { title }),
      },
      textFlag(given.flags, "idempotency-key"),
    )
    const name = item.title === "" ? `song ${item.song_id}` : printable(item.title)
    const style = wantsColour(process.stdout) ? coloured : colourless
    say(
      given.flags["json"]
        ? safeJson(item)
        : `queue item ${style(String(item.id), "bold")}: ${style(name, "bold")}, ${item.status}`,
    )
    return 0
  },
}
