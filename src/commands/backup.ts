import { backup } from "../database-commands.ts"
import { setting } from "../settings/read-settings.ts"
import { counted } from "../text.ts"
import { type Command, say, typedFile } from "./command.ts"

/** Makes a backup of the database. */
export const backupCommand: Command = {
  usage: {
    line: "backup FILE",
    about:
      "Writes a checked copy of the database into a new file, even while a server runs on it.\nPut it back with track-studio restore.",
    settings: ["database"],
    flags: {},
  },
  async run(given) {
    const file = typedFile(given)
    const { items, updates } = await backup(setting("database", given.flags), file)
    say(`Backed up ${counted(items, "item")} and ${counted(updates, "update")} to ${file}.`)
    return 0
  },
}
