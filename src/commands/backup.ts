import { setting } from "../config/config.ts"
import { AppError } from "../errors.ts"
import { backup } from "../offline.ts"
import { type Command, say } from "./command.ts"
import { takes } from "./usage.ts"

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
    takes(given, 1)
    const [file] = given.words
    if (file === undefined) throw new AppError("invalid", "missing FILE")
    const { items, updates } = await backup(setting("database", given.flags), file)
    say(`Backed up ${items} items and ${updates} updates to ${file}.`)
    return 0
  },
}
