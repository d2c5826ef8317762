import { restore } from "../database-commands.ts"
import { setting } from "../settings/read-settings.ts"
import { counted } from "../text.ts"
import { type Command, say, typedFile } from "./command.ts"

/** Puts a backup back. */
export const restoreCommand: Command = {
  usage: {
    line: "restore FILE",
    about:
      "Replaces the database with a backup, while no server runs on it. The old database is kept beside it.\nItems that were being rendered wait a minute for their workers; tokens stay as they are now, if there are any; viewers get a gap and the restored state.",
    settings: ["database"],
    flags: {},
  },
  async run(given) {
    const file = typedFile(given)
    const database = setting("database", given.flags)
    const { items, before, isKnown, tokensOf, droppedTokens } = await restore(database, file)
    say(`Restored ${counted(items, "item")} from ${file} to ${database}.`)
    if (before !== null) say(`The old database is kept as ${before}.`)
    if (!isKnown) {
      say(
        `${before === null ? "The database that was there is gone" : "It could not be read"}, so its tokens are lost, and those of the backup are in force: check track-studio token list.`,
      )
    } else if (before !== null && tokensOf === "backup") {
      say("It had no tokens, so those of the backup are in force: check track-studio token list.")
    }
    if (droppedTokens > 0) {
      say(
        `Its tokens stay as they are. No longer in force: ${counted(droppedTokens, "token")} of the backup that it does not have.`,
      )
    }
    return 0
  },
}
